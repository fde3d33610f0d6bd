"""Exports through the pages: an archive under a safe name, for those who may, and noted."""

import io
import json
import zipfile

import pytest

from skyreid.cases.audit import read_audit
from skyreid.cases.exports.exporting import FORMATS


@pytest.fixture(scope="module")
def confirmed(site):
    """In the other case two people are confirmed on both platforms while these tests run."""
    own, home = site.browsers["boss"], f"/api/c/{site.ids['other']}"
    numbers = {one["tracklet_id"]: one["number"] for one in own.get(f"{home}/tracklets").json()["tracklets"]}
    for couple in (("gate-a-0001", "roof-a-0001"), ("gate-a-0002", "roof-a-0002")):
        first, second = (numbers[one] for one in couple)
        own.post(f"{home}/decisions", json={"first": first, "second": second, "decision": "confirmed"})
    yield home
    for _ in range(2):
        own.post(f"{home}/undo", json={})


@pytest.mark.parametrize("format", [one for one in FORMATS if one != "label-studio"])
def test_every_format_leaves_as_an_archive_under_a_name_that_nobody_typed(site, confirmed, format):
    answer = site.browsers["boss"].post(f"{confirmed}/exports", json={"format": format})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == f'attachment; filename="skyreid-{format}.zip"'
    assert int(answer.headers["content-length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert all(name.startswith(f"skyreid-{format}/") for name in archive.namelist())
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert str(site.folder).encode() not in content


def test_a_format_that_wants_the_videos_is_refused_without_them(site, confirmed):
    refused = site.browsers["boss"].post(f"{confirmed}/exports", json={"format": "label-studio"})
    assert refused.status_code == 409 and "mot and cvat do not" in refused.json()["error"]


def test_a_form_does_the_same_and_the_page_tells_of_it(site, confirmed, square):
    own, home = site.browsers["examiner"], f"/c/{site.ids['square']}"
    form = {"csrf": own.headers["x-csrf-token"], "format": "json", "tracklet": ""}
    with site.server.client() as browser:
        browser.cookies = own.cookies
        answer = browser.post(f"{home}/exports", data=form)
        assert answer.headers["content-type"] == "application/zip"
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert "audit" not in json.loads(archive.read("skyreid-json/skyreid-json.json"))
        refused = browser.post(f"{home}/exports", data=form | {"format": "pdf", "tracklet": "../../etc/passwd"})
        assert refused.status_code == 422 and "no tracklet" in refused.text
        assert browser.post(f"{home}/exports", data=form | {"format": "exe"}).status_code == 422
    with square.database.reading() as connection:
        (row,) = (row for row in read_audit(connection) if row.action == "export")
    assert row.who == "examiner"
    page = own.get(f"{home}/exports").text
    assert row.details["sha256"] in page
    told = own.get(f"/api{home}/exports").json()
    assert told["past"][0]["sha256"] == row.details["sha256"] and "pdf" in told["formats"]
    assert "path" not in json.dumps(told["past"])
