"""Videos that are uploaded to a case whose files lie in an object store, and whoever looks at them elsewhere."""

import os
import shutil
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from skyreid.cases import case_uploads
from skyreid.cases.case import create_case, open_case
from skyreid.cases.case_uploads import FOOTAGE, NotedFacts
from skyreid.cases.keeping.originals import draw_originals
from skyreid.cases.keeping.retention import purge_due, purge_source, remains, trash_source
from skyreid.cases.source_video import video_of
from skyreid.cases.sources import read_sources
from skyreid.cases.tracklets import read_tracklets
from skyreid.cases.verification import verify_case
from skyreid.cases.work.describing import Description, add_footage
from skyreid.cases.work.footage import Shelf, Upload, remove_upload
from skyreid.cases.work.jobs import DONE, FAILED, RUNNING, cancel, read_jobs
from skyreid.cases.work.leases import take_job
from skyreid.cases.work.worker import work
from skyreid.errors import CaseError, RefusedError, SettingError, StoreAwayError, VideoError
from skyreid.files.object_store import remove_objects, write_object
from skyreid.files.regular_file import bytes_sha256
from skyreid.tracklet import Platform
from tests.building.films import smooth, write_film
from tests.building.motion import flights
from tests.cases.conftest import on_postgres
from tests.files.own_object_store import Way, new_place, objects_of, on_store

pytestmark = on_store
SAID = Description(platform=Platform.AERIAL, camera="drone", start_time=None, purpose="a test")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Nobody walks in it."""
    return write_film(tmp_path_factory.mktemp("film") / "film.mov", smooth(8)).read_bytes()


@pytest.fixture
def stored(tmp_path):
    with create_case(tmp_path / "case", by="anna", files=new_place()) as case:
        yield case


def send(case, content, name="ga te.mov"):
    with Upload(case, name, size=len(content)) as upload:
        upload.write(content)
        return upload.finish(by="anna")


def describe(case, file, said=SAID):
    return add_footage(case, file, said, facts=Shelf().facts(case, file), by="anna")


def objects(case):
    root = f"{case.files.root}/{FOOTAGE}/"
    return sorted(one.url.removeprefix(root).partition("/")[2] for one in objects_of(case))


def test_an_upload_lies_in_the_store_with_what_its_first_frame_showed(stored, film):
    sent = send(stored, film)
    (listed,) = Shelf().list(stored)
    assert (listed.number, listed.where, listed.name, listed.size) == (sent.number, sent.where, "ga_te.mov", len(film))
    assert sent.where.startswith(f"{stored.files.root}/{FOOTAGE}/") and sent.where.endswith("/ga_te.mov")
    assert objects(stored) == [".facts", "ga_te.mov"]
    facts = Shelf().facts(stored, listed)
    assert (facts["codec"], facts["width"], facts["size"]) == ("png", 80, len(film)) and "sha256" not in facts
    assert not (stored.folder / FOOTAGE).exists() and not any((stored.folder / "work").iterdir())
    remove_upload(stored, sent.where, by="anna")
    assert Shelf().list(stored) == [] and objects(stored) == []


def test_what_is_no_video_or_breaks_off_leaves_nothing(stored, film):
    with pytest.raises(VideoError, match=r"^ga_te\.mov"):
        send(stored, b"no video")
    with pytest.raises(KeyboardInterrupt), Upload(stored, "a.mov", size=None) as upload:
        upload.write(film)
        raise KeyboardInterrupt
    assert objects(stored) == [] and not any((stored.folder / "work").iterdir())


def test_what_the_store_does_not_take_is_not_acknowledged(tmp_path, film):
    with Way() as way, create_case(tmp_path / "case", by="anna", files=new_place()) as case:
        with pytest.raises(StoreAwayError), Upload(case, "a.mov", size=None) as upload:
            upload.write(film)
            way.cut()
            upload.finish(by="anna")
        way.mend()
        assert Shelf().list(case) == [] and not any((case.folder / "work").iterdir())


def test_another_upload_than_one_of_the_case_is_neither_fetched_nor_removed(stored, film):
    foreign = f"{new_place()}/case_{'0' * 32}/{FOOTAGE}/{'0' * 32}/a.mov"
    write_object(foreign, film)
    with pytest.raises(CaseError, match="was not uploaded"):
        remove_upload(stored, foreign, by="anna")
    for where in (foreign, f"{stored.files.root}/{FOOTAGE}/../a.mov", f"{stored.files.root}/crops/{'0' * 32}/a.mov"):
        with pytest.raises(FileNotFoundError, match="no upload of this case"), stored.uploads.fetched(where):
            pass


def test_uploads_that_nobody_needs_go_when_it_is_time(stored, film):
    described, forgotten = (send(stored, film, name) for name in ("described.mov", "forgotten.mov"))
    job = describe(stored, described)
    purge_due(stored, at=datetime.now(UTC) + timedelta(days=6))
    assert len(Shelf().list(stored)) == 2
    purge_due(stored, at=datetime.now(UTC) + timedelta(days=8))
    assert [one.name for one in Shelf().list(stored)] == ["described.mov"] and forgotten.where != described.where
    cancel(stored, job.number, by="anna")
    purge_due(stored, at=datetime.now(UTC) + timedelta(days=31))
    assert objects(stored) == []


def test_what_killed_uploads_left_is_swept_when_it_is_old(stored, film, monkeypatch):
    write_object(f"{stored.files.root}/{FOOTAGE}/{'0' * 32}/.facts", b"{}")
    sent = send(stored, film)
    purge_due(stored)
    assert len(objects(stored)) == 3
    monkeypatch.setattr(case_uploads, "GIVEN_UP_AFTER", timedelta(hours=-1))
    purge_due(stored)
    assert objects(stored) == [".facts", "ga_te.mov"] and stored.uploads.all()[0].where == sent.where


@pytest.mark.parametrize("database", [pytest.param(None, id="sqlite"), on_postgres])
def test_a_worker_with_a_folder_of_its_own_finds_who_walks_in_an_upload(tmp_path, database):
    walks = {1: flights.walking(-6, -3, 20), 2: flights.walking(5, 4, 200), 3: flights.walking(0, 0, 90)}
    film, _ = flights.flight(tmp_path, 32, flights.hovering, walks)
    with create_case(tmp_path / "one", by="anna", database=database, files=new_place()) as here:
        other = tmp_path / "one"
        if database is not None:
            other = tmp_path / "other"
            other.mkdir()
            shutil.copy(tmp_path / "one" / "database.json", other)
        sent = send(here, film.read_bytes())
        job = describe(here, sent)
        assert (job.where, job.file, job.source.name) == (sent.where, "ga_te.mov", "drone-ga_te")
        assert describe(here, sent).number == job.number
        with open_case(other) as there:
            assert work(there, least_room=0).done == 1
            assert verify_case(there).damage == () and list((other / "work").iterdir()) == []
        seen = read_tracklets(here)
        (source,) = read_sources(here)
        assert len(seen) >= 2 and (source.path, source.file) == (sent.where, "ga_te.mov")
        assert seen[0].sighting.video is None
        with video_of(here, source) as path:
            assert path.read_bytes() == film.read_bytes()
        assert not path.exists() and draw_originals(here, seen[0])
        with pytest.raises(RefusedError, match="not where it was"):
            draw_originals(here, replace(seen[0], source=replace(source, path=f"{new_place()}/{'0' * 32}/a.mov")))
        write_object(sent.where, b"another")
        with pytest.raises(RefusedError, match="another video lies where it was"), video_of(here, source):
            pass
        remove_objects([sent.where])
        with pytest.raises(RefusedError, match="not where it was"), video_of(here, source):
            pass
        send(here, film.read_bytes(), "of nobody.mov")
        trash_source(here, source.name, by="anna")
        purge_due(here, at=datetime.now(UTC) + timedelta(days=8))
        assert remains(here, source.name) == [] == objects_of(here)
        if database is not None:
            here.database.drop()


def test_a_video_that_is_gone_or_another_fails_its_job_in_words(stored, film, tmp_path):
    sent = send(stored, film)
    describe(stored, sent)
    other = write_film(tmp_path / "noise.mov", smooth(9)).read_bytes()  # the same film twice would be one job
    noise = send(stored, other, "noise.mov")
    describe(stored, noise)
    remove_objects([sent.where])
    write_object(noise.where, film)
    work(stored, least_room=0)
    gone, swapped = read_jobs(stored)
    assert gone.state == swapped.state == FAILED
    assert "is not in the object store" in gone.reason
    assert swapped.reason.startswith("noise.mov: another video, or a part of it") and read_sources(stored) == []
    again = describe(stored, send(stored, other, "noise.mov"))
    assert work(stored, least_room=0).done == 1 and again.number == swapped.number


def test_a_video_that_the_store_has_and_nobody_can_decode_fails_without_a_place(stored, film):
    sent = send(stored, film, "noise.mov")
    facts = Shelf().facts(stored, sent)
    remove_upload(stored, sent.where, by="anna")
    noted = NotedFacts(sha256=bytes_sha256(b"noise"), facts=facts)
    with stored.uploads.new("0" * 32, "noise.mov") as new:
        new.path.write_bytes(b"noise")
        where = new.finish(noted)
    describe(stored, replace(sent, where=where))
    work(stored, least_room=0)
    (noisy,) = read_jobs(stored)
    assert noisy.state == FAILED and noisy.reason.startswith("noise.mov") and "partial" not in noisy.reason


def test_an_upload_that_is_gone_is_not_described(stored, film):
    sent = send(stored, film)
    facts = Shelf().facts(stored, sent)
    remove_upload(stored, sent.where, by="anna")
    with pytest.raises(SettingError, match="there is no footage"):
        Shelf().find(stored, sent.number)
    with pytest.raises(VideoError, match="not in the object store any more"):
        add_footage(stored, sent, SAID, facts=facts, by="anna")


def test_a_worker_that_is_killed_leaves_no_video_behind_for_long(stored, film):
    describe(stored, send(stored, film))
    if (pid := os.fork()) == 0:
        with open_case(stored.folder) as case:
            work(case, least_room=0, progress=lambda *_: time.sleep(60))
        os._exit(1)
    deadline = time.monotonic() + 60
    while not list((stored.folder / "work").glob(".video.*/new/ga_te.mov")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert list((stored.folder / "work").glob(".video.*"))
    purge_due(stored)
    assert not list((stored.folder / "work").glob(".video.*"))


def test_what_given_up_attempts_left_goes_and_what_is_at_work_stays(stored, film):
    describe(stored, send(stored, film))
    assert take_job(stored, "somebody:1:1").attempt == 1
    for name in ("1-1", "1-1-room", "1-0", "7-1", "other-1"):
        (stored.folder / "work" / name).mkdir()
    assert work(stored, least_room=0).done == 0
    assert [job.state for job in read_jobs(stored)] == [RUNNING]
    assert sorted(path.name for path in (stored.folder / "work").iterdir()) == ["1-1", "1-1-room", "other-1"]


def test_a_purge_leaves_nothing_of_attempts_that_another_machine_took_over(stored, film):
    describe(stored, send(stored, film))
    assert work(stored, least_room=0).done == 1
    describe(stored, send(stored, film, "at work.mov"), replace(SAID, camera="gate"))
    assert take_job(stored, "somebody:1:1").job.number == 2
    (source,) = read_sources(stored)
    for name in ("1-0", "1-0-room", "2-1"):
        (stored.folder / "work" / name / "crops").mkdir(parents=True)
    trash_source(stored, source.name, by="anna")
    purge_source(stored, source.name, by="anna")
    assert [path.name for path in (stored.folder / "work").iterdir()] == ["2-1"]
    left = stored.folder / "work" / "1-0"
    left.mkdir()
    assert remains(stored, source.name) == [f"what a killed worker had built, in {left}"]
    purge_due(stored)
    assert remains(stored, source.name) == []


def test_a_store_that_is_away_for_a_while_costs_a_worker_nothing(tmp_path, film):
    with Way() as way, create_case(tmp_path / "case", by="anna", files=new_place()) as case:
        describe(case, send(case, film))

        way.cut_for(3.0)
        assert work(case, least_room=0).done == 1
        assert [job.state for job in read_jobs(case)] == [DONE]
        assert verify_case(case).damage == ()
