"""Originals through the pages: with a reason, once, in the session that gave it; the others see covers only."""

import shutil

import numpy as np
import pytest

from skyreid.cases.audit import read_audit
from skyreid.cases.case import create_case, open_case
from skyreid.cases.people import Role
from skyreid.cases.people_database import open_people
from skyreid.cases.work.importing import import_build
from skyreid.files.regular_file import bytes_sha256
from skyreid.simulation.world import encode_video
from tests.cases.builds import built_info, write_build

REASON = "court order 12/26 <b>names</b> this person"


@pytest.fixture(scope="module")
def filmed(site, tmp_path_factory):
    """A case whose videos lie beside its build, as a film of grey frames; gives its id."""
    root = tmp_path_factory.mktemp("filmed")
    film = encode_video([np.full((720, 1280, 3), 120, dtype=np.uint8)] * 4, 2)
    for source in built_info()["sources"]:
        (root / source["file"]).write_bytes(film)
    sources = [{**one, "video_sha256": bytes_sha256(film)} for one in built_info()["sources"]]
    write_build(root / "built", ("gate-a-0001",), sources=sources)
    with create_case(site.folder / "filmed", by="anna") as case:
        import_build(case, root / "built", by="anna", purpose="a test")
        case_id = case.facts().case_id
    people = open_people(site.folder)
    for role in (Role.VIEWER, Role.EXAMINER):
        people.set_role(role.value, case_id, role, by="boss")
    people.close()
    yield case_id
    people = open_people(site.folder)
    for role in (Role.VIEWER, Role.EXAMINER):
        people.set_role(role.value, case_id, None, by="boss")
    people.close()
    shutil.rmtree(site.folder / "filmed")


def test_an_examiner_sees_an_original_once_and_the_log_says_why(site, filmed):
    own, home = site.browsers["examiner"], f"/c/{filmed}"
    assert "See the original" in own.get(f"{home}/tracklets/1").text
    assert "See the original" not in site.browsers["viewer"].get(f"{home}/tracklets/1").text
    form = {"csrf": own.headers["x-csrf-token"], "reason": REASON}
    with site.server.client() as browser:
        browser.cookies = own.cookies
        assert browser.post(f"{home}/originals/1", data=form | {"reason": "curious"}).status_code == 422
        page = browser.post(f"{home}/originals/1", data=form)
        assert page.status_code == 200 and "court order 12/26 &lt;b&gt;names" in page.text
        assert site.browsers["boss"].get(f"{home}/originals/1.jpg").status_code == 422
        picture = browser.get(f"{home}/originals/1.jpg")
        assert picture.headers["content-type"] == "image/jpeg" and picture.headers["cache-control"] == "no-store"
        assert browser.get(f"{home}/originals/1.jpg").status_code == 422
    assert own.post(f"/api{home}/originals/1", json={"reason": REASON}).content.startswith(b"\xff\xd8")
    with open_case(site.folder / "filmed") as case, case.database.reading() as connection:
        rows = [row for row in read_audit(connection) if row.action == "original seen"]
    assert [(row.who, row.subject, row.details["reason"]) for row in rows] == [("examiner", "gate-a-0001", REASON)] * 2
    answer = site.browsers["viewer"].post(f"/api{home}/originals/1", json={"reason": REASON})
    assert answer.status_code == 403


def test_without_the_video_there_is_no_original(site):
    answer = site.browsers["boss"].post(f"/api/c/{site.ids['square']}/originals/1", json={"reason": REASON})
    assert answer.status_code == 409 and "is not where it was" in answer.json()["error"]
