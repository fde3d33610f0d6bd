"""A disk that really fills while a job is at work: the job waits and says why, nothing is damaged, and it goes on."""

import subprocess
from contextlib import suppress

import pytest

from skyreid.cases.case import create_case
from skyreid.cases.search.searching import CaseSearch
from skyreid.cases.sources import read_sources
from skyreid.cases.verification import verify_case
from skyreid.cases.work.footage import Upload
from skyreid.cases.work.importing import import_build
from skyreid.cases.work.jobs import DONE, PAUSED, add_job, read_jobs
from skyreid.cases.work.leases import is_work_waiting
from skyreid.cases.work.room import Room
from skyreid.cases.work.worker import work
from skyreid.errors import RefusedError
from tests.building.source_pairs import write_source

GIB = 2**30


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MiB in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "skyreid-test", str(place)]
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a file system cannot be mounted here: {error}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(path):
    """Take the last byte of a disk."""
    with path.open("wb", buffering=0) as file:
        for size in (2**16, 2**12, 1):
            with suppress(OSError):
                while True:
                    file.write(b"\0" * size)


def test_a_job_on_a_disk_that_fills_waits_says_why_and_goes_on(small_disk, tmp_path, built):
    ballast = small_disk / "ballast"
    with create_case(small_disk / "case", by="anna") as case:
        import_build(case, built, by="anna", purpose="a test")
        searching = CaseSearch(case)
        before = searching.search(["gate-a-0001"]).to_json()["candidates"]
        write_source(tmp_path, "door", people=(4, 9), frames=60)
        text = "door.mov,platform=ground,camera=door,annotations=door.txt,identities=shared"
        add_job(case, text, folder=tmp_path, by="anna", purpose="a test")

        def fill_in_the_middle(task, done, total, note=""):
            if task == "cut crops" and not ballast.exists():
                fill(ballast)

        assert work(case, least_room=0, progress=fill_in_the_middle).done == 0
        (job,) = read_jobs(case)
        assert (job.state, job.attempt) == (PAUSED, 1)
        assert job.reason.startswith("no room on the disk: ") and "No space left on device" in job.reason
        assert ballast.exists() and not list((case.folder / "work").glob("*"))
        assert searching.search(["gate-a-0001"]).to_json()["candidates"] == before
        assert not is_work_waiting(case)  # 8 MiB are less than stays free
        with pytest.raises(RefusedError, match="there is no room for it"):
            Upload(case, "film.mp4", size=1)
        assert verify_case(case, rebuild=False).damage == ()
        ballast.unlink()
        assert work(case, least_room=0).done == 1
        assert [job.state for job in read_jobs(case)] == [DONE]
        assert len(read_sources(case)) == 4 and verify_case(case, rebuild=False).damage == ()


def test_people_are_told_at_a_tenth_and_work_waits_at_a_twentieth_or_two_gib():
    large, small = (lambda free, total=total: Room(free=int(free * GIB), total=total * GIB) for total in (1000, 10))
    assert [large(free).is_low for free in (101, 99)] == [False, True]
    assert [large(free).free >= large(free).least for free in (51, 49)] == [True, False]
    assert [small(free).free >= small(free).least for free in (2.1, 1.9)] == [True, False]
    assert "make room soon" in large(99).in_words() and "new footage waits" in large(49).in_words()
