"""Footage comes into a case: by upload, from folders of the server, and never as something else than a video."""

import json
import struct
import urllib.parse
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from skyreid.cases.case import create_case, open_case
from skyreid.cases.work.footage import plain_name
from skyreid.cases.work.jobs import read_jobs
from tests.building.films import smooth, write_film
from tests.service.conftest import HOSTILE
from tests.service.running import Running

MIB = 2**20


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A server without workers that may take footage from one folder, its case, and a browser of its administrator."""
    root = tmp_path_factory.mktemp("footage")
    for name in ("cases", "disk/cam1", "secret"):
        (root / name).mkdir(parents=True)
    write_film(root / "disk" / "cam1" / "gate.mov", smooth(8))
    write_film(root / "secret" / "secret.mov", smooth(8))
    (root / "disk" / "link.mov").symlink_to(root / "secret" / "secret.mov")
    (root / "disk" / "notes.txt").write_text("no footage")
    with create_case(root / "cases" / "square", by="anna") as case:
        case_id = case.facts().case_id
    options = ("--workers", "0", "--footage", str(root / "disk"), "--largest-upload-mb", "2")
    with Running(root / "cases", *options) as server, open_case(root / "cases" / "square") as case:
        boss = server.make_first()
        yield SimpleNamespace(root=root, boss=boss, case=case, home=f"/c/{case_id}", api=f"/api/c/{case_id}")
        boss.close()


@pytest.fixture(scope="module")
def film(place):
    return write_film(place.root / "film.mov", smooth(8)).read_bytes()


def send(place, name, content):
    return place.boss.post(f"{place.api}/uploads?name={urllib.parse.quote(name)}", content=content)


def left(place):
    return sorted(path.name for path in (place.case.folder / "footage").rglob("*"))


def test_a_film_that_is_uploaded_becomes_a_job_with_what_was_said_of_it(place, film):
    told = send(place, "../../evil/ga te.mov", film).json()
    assert (told["file"], told["codec"], told["width"], told["size"]) == ("ga_te.mov", "png", 80, len(film))
    page = place.boss.get(f"{place.home}/footage?f={told['number']}").text
    assert "png" in page and "10 fps" in page and "ga_te.mov" in page
    csrf = place.boss.headers["x-csrf-token"]
    form = {"csrf": csrf, "f": told["number"], "platform": "aerial", "camera": HOSTILE, "start": "2026-05-04T09:00:00"}
    assert "a start time has a zone" in place.boss.post(f"{place.home}/footage", data=form | {"purpose": "x"}).text
    form |= {"simulated": "true", "zone": "Europe/Madrid", "until": "2099-01-01", "authorisation": "order 12/26"}
    refused = place.boss.post(f"{place.home}/footage", data=form)
    assert refused.status_code == 422 and "every source has a purpose" in refused.text
    assert HOSTILE not in refused.text and "order 12/26" in refused.text
    answer = place.boss.post(f"{place.home}/footage", data=form | {"purpose": "a test"})
    assert answer.status_code == 303 and answer.headers["location"] == f"{place.home}/jobs"
    job = next(job for job in read_jobs(place.case) if job.file == "ga_te.mov")
    assert (job.source.camera, job.source.platform, job.source.is_simulated) == (HOSTILE, "aerial", True)
    assert job.source.start_time.isoformat() == "2026-05-04T09:00:00+02:00"
    assert job.permission.until.isoformat() == "2099-01-02T00:00:00+00:00"
    assert job.facts["codec"] == "png" and job.source.path.parent.parent == place.case.folder / "footage"
    shown = place.boss.get(f"{place.home}/jobs").text
    assert "10 fps" in shown and HOSTILE not in shown
    again = place.boss.get(f"{place.api}/footage").json()
    assert told["number"] not in [one["number"] for one in again["files"]]


def test_folders_of_the_server_are_chosen_from_by_number_only(place):
    found = place.boss.get(f"{place.api}/footage").json()["files"]
    assert [(one["file"], one["folder"], one["job"]) for one in found if one["folder"]] == [
        ("gate.mov", "disk/cam1", None)
    ]
    number = next(one["number"] for one in found if one["folder"])
    assert place.boss.get(f"{place.api}/footage/{number}").json()["codec"] == "png"
    said = {"number": number, "platform": "ground", "camera": "gate", "purpose": "a test"}
    assert place.boss.post(f"{place.api}/footage", json=said | {"number": number + 1}).status_code == 422
    assert place.boss.post(f"{place.api}/footage", json=said | {"model": "../../secret"}).status_code == 422
    ended = place.boss.post(f"{place.api}/footage", json=said | {"authorised_until": "2020-01-01T00:00:00Z"})
    assert ended.status_code == 409 and "may not be looked at" in ended.json()["error"]
    made = place.boss.post(f"{place.api}/footage", json=said)
    assert made.status_code == 201 and str(place.root) not in made.text
    page = place.boss.get(f"{place.home}/footage").text
    assert f"job {made.json()['number']}, queued" in page and str(place.root) not in page
    refused = place.boss.post(
        f"{place.home}/footage/{number}/remove", data={"csrf": place.boss.headers["x-csrf-token"]}
    )
    assert refused.status_code == 422


def test_what_is_no_film_is_refused_by_name_and_nothing_of_it_stays(place, film, tmp_path):
    before = left(place)
    bomb = bytearray(write_film(tmp_path / "bomb.gif", smooth(2), codec="gif").read_bytes())
    bomb[6:10] = struct.pack("<HH", 60_000, 60_000)
    Image.fromarray(np.zeros((9000, 9000), np.uint8)).save(tmp_path / "huge.png")
    playlist = f"#EXTM3U\n#EXTINF:10,\nfile://{place.root}/secret/secret.mov\n".encode()
    for name, content, why in (
        ("empty.mp4", b"", "is empty"),
        ("<script>.mp4", b"<script>pwn()</script>", "is not a video"),
        ("list.m3u8", playlist, "is not a video"),
        ("concat.mp4", f"ffconcat version 1.0\nfile {place.root}/secret/secret.mov".encode(), "is not a video"),
        ("cut.mov", film[:60], "broke off"),
        ("bomb.gif", bytes(bomb), "pixels"),
        ("huge.png", (tmp_path / "huge.png").read_bytes(), "is not a video"),
        ("large.mov", film + b"\0" * 2 * MIB, "is larger than 2 MiB"),
    ):
        answer = send(place, name, content)
        assert answer.status_code in (409, 422), (name, answer.text)
        assert plain_name(name) in answer.json()["error"] and why in answer.json()["error"], answer.text
        assert str(place.root) not in answer.text and "<script>" not in answer.text
    assert send(place, "much.mov", b"\0" * 4 * MIB).status_code == 413
    assert left(place) == before


def test_a_form_sends_several_and_keeps_those_that_are_films(place, film):
    before, csrf = left(place), place.boss.headers["x-csrf-token"]
    files = [("file", ("one.mov", film)), ("file", ("noise.mov", b"noise")), ("file", ("two.mov", film))]
    with_form = {"x-csrf-token": ""}  # as a browser without a script: the token is the first field
    late = place.boss.post(f"{place.home}/uploads", files=[*files, ("csrf", (None, csrf))], headers=with_form)
    assert late.status_code == 403
    wrong = place.boss.post(f"{place.home}/uploads", data={"csrf": "guessed"}, files=files, headers=with_form)
    assert wrong.status_code == 403
    cut = b"--x\r\ncontent-disposition: form-data; name=csrf\r\n\r\n" + csrf.encode() + b"\r\n--x\r\n"
    cut += b'content-disposition: form-data; name=file; filename="cut.mov"\r\n\r\n' + film
    kind = {"content-type": "multipart/form-data; boundary=x"}
    assert place.boss.post(f"{place.home}/uploads", content=cut, headers=with_form | kind).status_code == 422
    assert left(place) == before
    sent = place.boss.post(f"{place.home}/uploads", data={"csrf": csrf}, files=files, headers=with_form)
    assert sent.status_code == 422 and "noise.mov: is not a video" in sent.text
    assert "one.mov" in sent.text and "two.mov" in sent.text
    assert [name for name in left(place) if name.endswith(".mov")].count("one.mov") == 1
    number = next(
        one["number"] for one in place.boss.get(f"{place.api}/footage").json()["files"] if one["file"] == "one.mov"
    )
    assert place.boss.post(f"{place.home}/footage/{number}/remove", data={"csrf": csrf}).status_code == 303
    assert "one.mov" not in left(place)
    log = json.dumps(place.boss.get(f"{place.api}/audit").json())
    assert "footage uploaded" in log and "footage removed" in log


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\films\\gate 1.mp4", "gate_1.mp4"),
        ("..", "video"),
        ("\0.mp4", "mp4"),
        ("x" * 300 + ".mp4", "x" * 96 + ".mp4"),
        ("площадь.mp4", "площадь.mp4"),
    ],
)
def test_names_are_made_plain(name, plain):
    assert plain_name(name) == plain
