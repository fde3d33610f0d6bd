import errno
import os

import pytest

from skyreid.cases.case import create_case
from skyreid.cases.sources import read_sources
from skyreid.cases.tracklets import read_tracklets
from skyreid.cases.verification import verify_case
from skyreid.cases.work import worker
from skyreid.cases.work.jobs import DONE, FAILED, PAUSED, QUEUED, add_job, cancel, read_jobs
from skyreid.cases.work.leases import is_work_waiting
from skyreid.cases.work.worker import work
from skyreid.cases.work.worker_process import OpenedCases
from tests.building.test_build import write_source

BY = {"by": "anna", "purpose": "a test"}


@pytest.fixture
def queue(empty, tmp_path):
    """A case with an annotated video."""
    write_source(tmp_path, "gate", people=(4, 9))
    add(empty, tmp_path, "gate")
    return empty


def add(case, folder, name):
    text = f"{name}.mov,platform=ground,camera={name},annotations={name}.txt,identities=shared"
    return add_job(case, text, folder=folder, **BY)


def is_clean(case):
    return verify_case(case, rebuild=False).damage == () and not list((case.folder / "work").glob("*"))


def test_a_video_becomes_tracklets_whatever_becomes_of_another(queue, tmp_path):
    (tmp_path / "noise.mov").write_bytes(b"no film")
    (tmp_path / "noise.txt").write_text("1,1,1,1,9,9,1,1,1")
    add(queue, tmp_path, "noise")
    told = []
    report = work(queue, least_room=0, progress=lambda task, done, total, note="": told.append(task))
    assert [job.state for job in read_jobs(queue)] == [DONE, FAILED]
    assert report.done == 1 and "noise.mov" in report.failed[0].reason
    assert [one.tracklet.tracklet_id for one in read_tracklets(queue)] == ["gate-gate-0001", "gate-gate-0002"]
    assert (read_sources(queue)[0].purpose, read_sources(queue)[0].path) == ("a test", str(tmp_path / "gate.mov"))
    assert {"cut crops", "copy crops"} <= set(told)
    assert is_clean(queue)
    assert work(queue, least_room=0).done == 0


def test_who_is_interrupted_gives_the_job_back_and_it_is_done_later(queue):
    def interrupt(task, done, total, note=""):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(queue, least_room=0, progress=interrupt)
    assert [job.state for job in read_jobs(queue)] == [QUEUED]
    assert is_clean(queue) and read_sources(queue) == []
    assert work(queue, least_room=0).done == 1


def test_a_job_that_is_cancelled_at_work_leaves_nothing(queue):
    def cancelled(task, done, total, note=""):
        if task == "copy crops" and done == 1:
            cancel(queue, 1, by="bert")

    assert work(queue, least_room=0, progress=cancelled).done == 0
    assert read_sources(queue) == []
    assert is_clean(queue)


def test_a_full_disk_pauses_the_job_says_why_and_it_goes_on(queue, tmp_path):
    def full(task, done, total, note=""):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "crops")

    report = work(queue, least_room=0, progress=full)
    assert report.waiting[0].reason == "no room on the disk: [Errno 28] No space left on device: 'crops'"
    assert [job.state for job in read_jobs(queue)] == [PAUSED]
    assert is_clean(queue)
    little = work(queue, least_room=2**60)  # no disk has as much
    assert (little.done, [job.state for job in read_jobs(queue)]) == (0, [PAUSED])
    assert not is_work_waiting(queue, least_room=2**60) and is_work_waiting(queue, least_room=0)
    assert work(queue, least_room=0).done == 1


def test_a_fault_of_ours_is_tried_three_times_and_then_said(queue, monkeypatch, caplog):
    def fail(*args, **kwargs):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(worker, "build", fail)
    report = work(queue, least_room=0)
    assert (report.failed[0].reason, report.failed[0].attempt) == ("a fault of skyreid: ZeroDivisionError: by zero", 3)


def test_cases_are_opened_once_and_another_one_in_the_place_of_one_is_seen(tmp_path):
    for name in ("a", "b"):
        create_case(tmp_path / name, by="anna").close()
    opened = OpenedCases(tmp_path)
    first = [open_it() for open_it in opened.now()]
    assert [one() for one in opened.now()] == first
    before = first[1].facts().case_id
    (tmp_path / "b").rename(tmp_path.with_name("elsewhere"))
    create_case(tmp_path / "b", by="anna").close()
    a, b = (one() for one in opened.now())
    assert a is first[0] and b is not first[1] and b.facts().case_id != before
    opened.close()
