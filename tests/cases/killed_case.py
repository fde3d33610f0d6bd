"""Cases whose processes are killed at a random moment; run as a program by test_crash.py.

`python -m tests.cases.killed_case FOLDER WHAT KILLS SEED [URL [FILES]]` copies the case FOLDER/case for each kill, or
makes it anew of FOLDER/built in the PostgreSQL of the URL (`-` for none) and the object store of FILES, forks a child
that changes it and notes what was acknowledged, kills it by SIGKILL, and sees that nothing of that is lost and nothing
doubled, that the case is whole, and that the work goes on from there to its end.
"""

import os
import random
import shutil
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path

from skyreid.cases import case_files
from skyreid.cases.case import create_case, next_revision, open_case
from skyreid.cases.deciding.decisions import decide, read_events
from skyreid.cases.keeping.retention import purge_due, remains, trash_source
from skyreid.cases.search.search_cache import SearchCache
from skyreid.cases.search.searching import CaseSearch
from skyreid.cases.sources import read_sources
from skyreid.cases.tracklets import put_vectors, read_models, read_table, read_tracklets, read_vectors
from skyreid.cases.verification import verify_case
from skyreid.cases.work.importing import import_build, sweep_crops
from tests.cases.builds import drawn

LATER = datetime.now(UTC) + timedelta(days=8)
BY = {"by": "anna", "purpose": "a test"}


class Decisions:
    def work(self, case, folder, acknowledge):
        for first, second in list(combinations([one.tracklet.tracklet_id for one in read_tracklets(case)], 2)) * 2:
            acknowledge(decide(case, first, second, "unsure", annotator="anna").event_id)

    def check(self, case, folder, acknowledged):
        stored = [event.event_id for event in read_events(case)]
        assert stored[: len(acknowledged)] == acknowledged
        assert len(stored) <= len(acknowledged) + 1  # one may have been stored and not told


class Ingest:
    def work(self, case, folder, acknowledge):
        for path in sorted(folder.glob("door-*")):
            import_build(case, path, **BY)
            acknowledge(path.name)

    def check(self, case, folder, acknowledged):
        names = [source.name for source in read_sources(case)]
        assert len(names) == len(set(names)) and {f"{one}-a" for one in acknowledged} <= set(names)
        assert all(source.num_tracklets == 3 for source in read_sources(case) if source.name.startswith("door"))
        self.work(case, folder, lambda name: None)
        assert sum(source.name.startswith("door") for source in read_sources(case)) == len(list(folder.glob("door-*")))


class Compaction:
    def work(self, case, folder, acknowledge):
        (model,) = read_models(case)
        for number in range(40):
            with case.database.writing() as connection:
                put_vectors(
                    connection, model.number, {1: drawn(["x"], seed=number)[0]}, revision=next_revision(connection)
                )
            acknowledge(str(number))
            SearchCache(case, model).rebuild()

    def check(self, case, folder, acknowledged):
        (model,) = read_models(case)
        with case.database.reading() as connection:
            (stored,) = read_vectors(connection, model, [1])
        last = int(acknowledged[-1]) if acknowledged else -1
        assert (
            any((stored == drawn(["x"], seed=number)[0]).all() for number in (last, last + 1) if number >= 0)
            or last < 0
        )
        found = CaseSearch(case).search([read_tracklets(case)[1].tracklet.tracklet_id])
        assert found.num_searched == len(read_table(case, model)) - 1


class Purge:
    def work(self, case, folder, acknowledge):
        for source in read_sources(case):
            trash_source(case, source.name, by="anna")
            assert purge_due(case, at=LATER).purged == (source.name,)
            acknowledge(source.name)

    def check(self, case, folder, acknowledged):
        there = {source.name for source in read_sources(case, with_trash=True)}
        assert not there & set(acknowledged)
        purge_due(case, at=LATER)
        left = {source.name for source in read_sources(case, with_trash=True)}
        for name in {"gate-a", "gate-b", "roof-a"} - left:
            assert remains(case, name) == []


KINDS = {"decisions": Decisions, "ingest": Ingest, "compaction": Compaction, "purge": Purge}


def child(kind, path, folder, notes):
    with open_case(path) as case:
        kind.work(case, folder, lambda what: os.write(notes, f"{what}\n".encode()))
    os._exit(0)


def run(kind, path, folder, kill_after_s):
    """Work in a child and kill it; gives what it acknowledged, how long it lived, and whether it was killed."""
    reader, writer = os.pipe()
    begun, pid = time.monotonic(), os.fork()
    if pid == 0:
        os.close(reader)
        try:
            child(kind, path, folder, writer)
        finally:
            os._exit(1)
    os.close(writer)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(pid, signal.SIGKILL)
    with os.fdopen(reader, "rb") as notes:
        acknowledged = notes.read().decode().splitlines()
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status) or status == 0, f"the child ended with {status}"
    return acknowledged, time.monotonic() - begun, os.WIFSIGNALED(status)


def put_anew(path, folder, url, files):
    """The case as it was before anybody worked on it."""
    if path.exists():
        if url is not None:
            with open_case(path) as case:
                case.database.drop()
        shutil.rmtree(path)
    if url is None and files is None:
        shutil.copytree(folder / "case", path)
    else:
        with create_case(path, by="anna", database=url, files=files) as case:
            import_build(case, folder / "built", **BY)


def see_no_crops_of_nobody(case):
    """Nothing lies there but what a source names, once what is so old that nobody will name it is swept away."""
    given_up, case_files.GIVEN_UP_AFTER = case_files.GIVEN_UP_AFTER, timedelta(hours=-1)
    sweep_crops(case)
    case_files.GIVEN_UP_AFTER = given_up
    assert sorted(case.files.crop_keys()) == sorted(one.crops for one in read_sources(case, with_trash=True))


def main():
    folder, what, kills, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    url = sys.argv[5] if sys.argv[5:] and sys.argv[5] != "-" else None
    files = sys.argv[6] if sys.argv[6:] else None
    kind, moments = KINDS[what](), random.Random(seed)
    path = folder / f"{what}-killed"
    put_anew(path, folder, url, files)
    _, whole_s, _ = run(kind, path, folder, None)
    killed = told = 0
    for _ in range(kills):
        put_anew(path, folder, url, files)
        acknowledged, _, was_killed = run(kind, path, folder, moments.uniform(0, whole_s))
        with open_case(path) as case:
            found = verify_case(case)
            assert found.damage == (), found.damage
            kind.check(case, folder, acknowledged)
            see_no_crops_of_nobody(case)
            assert verify_case(case).damage == ()
        killed, told = killed + was_killed, told + len(acknowledged)
    if url is not None:
        with open_case(path) as case:
            case.database.drop()
    print(f"{what}: {killed} of {kills} killed at work, {told} acknowledged, none lost, none doubled")


if __name__ == "__main__":
    main()
