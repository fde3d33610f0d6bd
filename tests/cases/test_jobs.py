import time

import pytest

from skyreid.cases.work import jobs
from skyreid.cases.work.jobs import (
    CANCELLED,
    DONE,
    FAILED,
    PAUSED,
    QUEUED,
    RUNNING,
    JobLostError,
    LookSettings,
    add_job,
    cancel,
    fail_job,
    finish_job,
    give_back,
    keep_lease,
    pause,
    prioritise,
    queue_those_without_room,
    read_jobs,
    retry,
    take_job,
    wait_for_room,
)
from skyreid.errors import CaseError, RefusedError, SourceError

BY = {"by": "anna"}


@pytest.fixture
def queue(empty, tmp_path):
    """A case with two jobs."""
    for name in ("gate", "roof"):
        (tmp_path / f"{name}.mp4").write_bytes(name.encode())
        add(empty, tmp_path, name)
    return empty


def add(case, folder, name, **settings):
    source = f"{name}.mp4,platform=ground,camera={name}"
    return add_job(case, source, purpose="a test", folder=folder, settings=LookSettings(**settings), **BY)


def states(case):
    return [job.state for job in read_jobs(case)]


def finish(case, lease):
    with case.database.writing() as connection:
        finish_job(connection, lease, 1)


def lose_worker(monkeypatch):
    """Let the clock of the ledger run ahead until every lease has ended."""
    ahead = time.time() + 2 * jobs.LEASE_S
    monkeypatch.setattr(jobs.time, "time", lambda: ahead)


def test_the_same_video_in_the_same_way_is_one_job(queue, tmp_path):
    assert add(queue, tmp_path, "gate").number == 1
    assert add(queue, tmp_path, "gate", interval_s=0.2).number == 3
    assert [job.source.path for job in read_jobs(queue)][:2] == [tmp_path / "gate.mp4", tmp_path / "roof.mp4"]


def test_jobs_are_taken_by_priority_and_then_in_their_order(queue):
    prioritise(queue, 2, 5, **BY)
    first, second = take_job(queue, "w"), take_job(queue, "v")
    assert [first.job.number, second.job.number] == [2, 1]
    assert take_job(queue, "w") is None
    finish(queue, first)
    assert states(queue) == [RUNNING, DONE]


def test_a_lost_worker_s_job_goes_to_another_and_the_lost_one_commits_nothing(queue, monkeypatch):
    lost = take_job(queue, "w")
    lose_worker(monkeypatch)
    again = take_job(queue, "v")
    assert (again.job.number, again.attempt) == (lost.job.number, 2)
    with pytest.raises(JobLostError, match="no longer attempt 1's"):
        finish(queue, lost)
    with pytest.raises(JobLostError):
        keep_lease(queue, lost, ())
    give_back(queue, lost)  # says nothing of a job that is another's
    fail_job(queue, lost, "killed", for_good=True)
    assert states(queue)[0] == RUNNING
    finish(queue, again)
    assert states(queue)[0] == DONE


def test_three_accidents_fail_a_job_and_stop_no_other(queue):
    for attempt in (1, 2, 3):
        lease = take_job(queue, "w")
        assert (lease.job.number, lease.attempt) == (1, attempt)
        fail_job(queue, lease, f"accident {attempt}", for_good=False)
    assert (states(queue), read_jobs(queue)[0].reason) == ([FAILED, QUEUED], "accident 3")
    lease = take_job(queue, "w")
    fail_job(queue, lease, "no video", for_good=True)
    assert states(queue) == [FAILED, FAILED]
    retry(queue, 1, **BY)
    assert take_job(queue, "w").job.number == 1


def test_what_kills_three_workers_fails_too(queue, monkeypatch):
    for _ in range(3):
        assert take_job(queue, "w").job.number == 1
        lose_worker(monkeypatch)
        ahead = jobs.time.time()
        monkeypatch.setattr(jobs.time, "time", lambda ahead=ahead: ahead + 2 * jobs.LEASE_S)
    assert take_job(queue, "w").job.number == 2
    assert read_jobs(queue)[0].reason == "its worker was lost 3 times (killed, or out of memory)"


def test_a_paused_or_cancelled_job_is_taken_from_its_worker(queue):
    for change, state in ((pause, PAUSED), (cancel, CANCELLED)):
        lease = take_job(queue, "w")
        change(queue, lease.job.number, **BY)
        assert states(queue)[0] == state
        with pytest.raises(JobLostError):
            finish(queue, lease)
        retry(queue, lease.job.number, **BY)
    with pytest.raises(
        CaseError, match="job 2 is queued; only what is paused or cancelled or failed can become queued"
    ):
        retry(queue, 2, **BY)
    with pytest.raises(CaseError, match="has no job 9"):
        pause(queue, 9, **BY)


def test_jobs_without_room_wait_and_go_on(queue):
    wait_for_room(queue, take_job(queue, "w"), "12 MiB are free")
    assert read_jobs(queue)[0].reason == "no room on the disk: 12 MiB are free"
    pause(queue, 2, **BY)
    queue_those_without_room(queue)
    assert states(queue) == [QUEUED, PAUSED]  # what a person paused stays so


@pytest.mark.parametrize(
    ("source", "purpose", "error", "refusal"),
    [
        ("none.mp4,platform=ground,camera=a", "a test", SourceError, "there is no such file"),
        ("gate.mp4,camera=a", "a test", SourceError, "platform is missing"),
        ("gate.mp4,platform=ground,camera=a", "", RefusedError, "every source has a purpose"),
    ],
)
def test_what_is_no_job_is_refused(queue, tmp_path, source, purpose, error, refusal):
    with pytest.raises(error, match=refusal):
        add_job(queue, source, purpose=purpose, folder=tmp_path, **BY)
