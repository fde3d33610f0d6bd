from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import sqlalchemy as sa

from skyreid.cases.case import open_case
from skyreid.cases.schema import JOBS
from skyreid.cases.work.jobs import (
    CANCELLED,
    DONE,
    FAILED,
    PAUSED,
    QUEUED,
    RUNNING,
    LookSettings,
    add_job,
    cancel,
    pause,
    prioritise,
    read_jobs,
    retry,
)
from skyreid.cases.work.leases import (
    LEASE_S,
    JobLostError,
    end_leases,
    fail_job,
    finish_job,
    give_back,
    is_done_by,
    keep_lease,
    queue_those_without_room,
    release_jobs,
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


def lease_s(case):
    """How long the lease of the first job lasts from now on."""
    with case.database.reading() as connection:
        return connection.execute(
            sa.select(JOBS.c.lease_until).order_by(JOBS.c.number)
        ).scalars().first() - case.database.now(connection)


def test_the_same_video_in_the_same_way_is_one_job(queue, tmp_path):
    assert add(queue, tmp_path, "gate").number == 1
    assert [job.source.path for job in read_jobs(queue)][:2] == [tmp_path / "gate.mp4", tmp_path / "roof.mp4"]


def test_another_video_of_the_same_name_is_refused_before_anybody_looks_at_it(queue, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/gate.mp4").write_bytes(b"of another day")
    with pytest.raises(RefusedError, match=r"gate\.mp4: this camera has .* \(gate-gate, job 1\)"):
        add_job(queue, "other/gate.mp4,platform=ground,camera=gate", purpose="a test", folder=tmp_path, **BY)
    with pytest.raises(RefusedError, match="job 1"):  # the same one, looked at in another way
        add(queue, tmp_path, "gate", interval_s=0.2)
    cancel(queue, 1, **BY)
    assert add(queue, tmp_path, "gate", interval_s=0.2).number == 3
    with pytest.raises(RefusedError, match="job 3"):
        retry(queue, 1, **BY)
    assert states(queue) == [CANCELLED, QUEUED, QUEUED]


def test_jobs_are_taken_by_priority_and_then_in_their_order(queue):
    prioritise(queue, 2, 5, **BY)
    first, second = take_job(queue, "w"), take_job(queue, "v")
    assert [first.job.number, second.job.number] == [2, 1]
    assert take_job(queue, "w") is None
    finish(queue, first)
    assert states(queue) == [RUNNING, DONE]


def test_a_lost_worker_s_job_goes_to_another_and_the_lost_one_commits_nothing(queue):
    lost = take_job(queue, "w")
    end_leases(queue, "w")
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


def test_a_sign_of_life_lengthens_a_lease_and_who_is_done_knows_it(queue):
    lease = take_job(queue, "w")
    assert LEASE_S - 5 < lease_s(queue) <= LEASE_S
    end_leases(queue, "somebody else")
    assert lease_s(queue) > 0
    end_leases(queue, "w")
    assert lease_s(queue) < 0
    keep_lease(queue, lease, ())
    assert lease_s(queue) > LEASE_S - 5 and not is_done_by(queue, lease)
    finish(queue, lease)
    assert is_done_by(queue, lease)


def test_who_asks_for_it_gives_back_all_that_it_holds_and_nothing_counts_against_it(queue):
    take_job(queue, "w"), take_job(queue, "v")
    release_jobs(queue, "w")
    assert states(queue) == [QUEUED, RUNNING]
    assert [take_job(queue, "w").attempt, take_job(queue, "w")] == [2, None]
    for attempt in (3, 4):  # one more accident would make it fail, had giving back been one
        end_leases(queue, "w")
        assert take_job(queue, "w").attempt == attempt


def test_many_who_take_jobs_at_once_take_each_job_once(queue, tmp_path):
    for number in range(10):
        (tmp_path / f"door-{number}.mp4").write_bytes(bytes([number]))
        add(queue, tmp_path, f"door-{number}")

    def take_all(worker):
        taken = []
        with open_case(queue.folder) as case:  # connections of its own
            while (lease := take_job(case, worker)) is not None:
                taken.append(lease.job.number)
        return taken

    with ThreadPoolExecutor(6) as threads:
        taken = threads.map(take_all, "abcdef")
    assert sorted(number for one in taken for number in one) == list(range(1, 13))


def test_a_sign_of_life_waits_for_nobody_who_writes_in_postgres(queue, tmp_path):
    if queue.database.is_file:
        pytest.skip("SQLite has one writer at a time")
    lease, is_writing, may_end = take_job(queue, "w"), Event(), Event()

    def write():
        with queue.database.writing():
            is_writing.set()
            assert may_end.wait(30)

    with ThreadPoolExecutor(1) as other:
        writer = other.submit(write)
        assert is_writing.wait(30)
        keep_lease(queue, lease, ())  # ends
        assert take_job(queue, "v").job.number == 2
        may_end.set()
        writer.result()


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


def test_what_kills_three_workers_fails_too(queue):
    for _ in range(3):
        assert take_job(queue, "w").job.number == 1
        end_leases(queue, "w")
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
