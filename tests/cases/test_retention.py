import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from skyreid.cases import sources
from skyreid.cases.audit import read_audit
from skyreid.cases.case import WORK
from skyreid.cases.case_files import CROPS
from skyreid.cases.deciding.decisions import decide
from skyreid.cases.deciding.standing import read_standing
from skyreid.cases.keeping.retention import (
    PACKING,
    authorise,
    hold,
    keep_until,
    purge_due,
    purge_source,
    remains,
    restore_source,
    trash_source,
)
from skyreid.cases.search.searching import CaseSearch
from skyreid.cases.sources import read_sources, source_named
from skyreid.cases.tracklets import read_models, read_table, read_tracklets
from skyreid.cases.verification import verify_case
from skyreid.cases.work.importing import import_build
from skyreid.errors import CaseError, NothingFoundError, RefusedError
from skyreid.tracklet import Platform

GATE, ROOF = "gate-a-0001", "roof-a-0001"
LATER = datetime.now(UTC) + timedelta(days=8)


def everything_in(folder):
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_what_is_in_the_trash_is_not_found_and_comes_back_as_it_was(case):
    searching = CaseSearch(case)
    before = searching.search([GATE]).to_json()["candidates"]
    decide(case, GATE, ROOF, "confirmed", annotator="anna")
    trash_source(case, "roof-a", by="anna")
    with pytest.raises(NothingFoundError):
        searching.search([GATE], platform=Platform.AERIAL)
    assert read_standing(case).state.links() == []
    assert len(read_tracklets(case)) == 3
    restore_source(case, "roof-a", by="anna")
    assert read_standing(case).state.links() == [(GATE, ROOF)]
    found = searching.search([GATE], with_decided=True).to_json()["candidates"]
    assert [{**one, "state": "open"} for one in found] == before


def test_after_seven_days_nothing_is_left_and_that_is_proved(case):
    CaseSearch(case).search([GATE])
    source, (model,) = source_named(case, "roof-a"), read_models(case)
    table = read_table(case, model)
    vector = table.embeddings[table.row_of(ROOF)].tobytes()
    crop = next(path for path in (case.folder / CROPS / source.crops).rglob("*.jpg")).read_bytes()
    if case.database.is_file:
        assert vector in everything_in(case.folder)
    assert crop in everything_in(case.folder)
    trash_source(case, "roof-a", by="anna")
    with case.database.reading() as connection:
        log = read_audit(connection)
    assert purge_due(case).purged == ()
    assert purge_due(case, at=LATER).purged == ("roof-a",)
    assert remains(case, "roof-a") == []
    left = everything_in(case.folder)
    assert vector not in left and crop not in left
    assert [one.name for one in read_sources(case, with_trash=True)] == ["gate-a", "gate-b"]
    assert {c.seen.tracklet.tracklet_id for c in CaseSearch(case).search([GATE]).candidates} == {
        "gate-a-0002",
        "gate-b-0001",
    }
    assert verify_case(case).damage == ()
    with case.database.reading() as connection:
        assert read_audit(connection)[: len(log)] == log


def test_what_a_killed_export_left_goes_with_a_purge(case):
    trash_source(case, "roof-a", by="anna")
    assert purge_due(case, at=LATER).purged == ("roof-a",)
    work = case.folder / WORK
    work.mkdir(exist_ok=True)
    die = "with scratch_folder(Path(sys.argv[1])) as folder: (folder / 'crop.jpg').write_bytes(b'a face'); os._exit(9)"
    code = f"import os, sys; from pathlib import Path; from skyreid.files.atomic_file import scratch_folder\n{die}"
    assert subprocess.run([sys.executable, "-c", code, str(work / PACKING)]).returncode == 9
    assert b"a face" in everything_in(case.folder)
    assert "an export in work, or one that was cut short" in remains(case, "roof-a")[0]
    purge_due(case)
    assert b"a face" not in everything_in(case.folder) and remains(case, "roof-a") == []


def test_a_purged_source_may_come_again_under_new_numbers(case, built):
    trash_source(case, "roof-a", by="anna")
    with pytest.raises(CaseError, match=r"source 'roof-a' is in the trash; 'skyreid case restore' brings it back"):
        import_build(case, built, by="anna", purpose="a test")
    old = {one.number for one in read_tracklets(case)}
    purge_due(case, at=LATER)
    import_build(case, built, by="anna", purpose="a test")
    again = [one for one in read_tracklets(case) if one.source.name == "roof-a"]
    assert len(again) == 3 and not {one.number for one in again} & (old | {4, 5, 6})
    assert remains(case, "roof-a") == []
    assert len(CaseSearch(case).search([GATE]).candidates) == 5


def test_dates_put_into_the_trash_what_may_not_stay(case):
    keep_until(case, "gate-b", datetime.now(UTC) - timedelta(minutes=1), by="anna")
    report = purge_due(case)
    assert (report.trashed, report.purged) == (("gate-b",), ())
    assert report.waiting[0].startswith("gate-b: in the trash, purged after ")
    month = datetime.now(UTC) + timedelta(days=31)
    assert set(purge_due(case, at=month).trashed) == {"gate-a", "roof-a"}


def test_when_an_authorisation_ends_nobody_sees_the_source_and_it_is_purged(case, monkeypatch):
    searching = CaseSearch(case)
    assert len(searching.search([GATE]).candidates) == 5
    soon = datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(RefusedError, match="may not be looked at"):
        authorise(case, "roof-a", "order 12/26", soon - timedelta(days=1), by="anna")
    for name in ("roof-a", "gate-b"):
        authorise(case, name, "order 12/26", soon, by="anna")
    assert len(searching.search([GATE]).candidates) == 5
    monkeypatch.setattr(sources, "utc_now", lambda: (soon + timedelta(seconds=1)).isoformat())
    assert [one.seen.tracklet.tracklet_id for one in searching.search([GATE]).candidates] == ["gate-a-0002"]
    assert {one.source.name for one in read_tracklets(case)} == {"gate-a"}
    assert ROOF not in read_standing(case).presences
    with pytest.raises(CaseError, match="has no tracklet"):
        searching.search([ROOF])
    authorise(case, "gate-b", "order 13/26", soon + timedelta(days=99), by="anna")
    assert len(searching.search([GATE]).candidates) == 2
    assert purge_due(case, at=soon).purged == ("roof-a",)
    assert remains(case, "roof-a") == []


def test_a_legal_hold_stops_hands_and_dates(case):
    trash_source(case, "roof-a", by="anna")
    hold(case, "court order", by="anna")
    for refused in (lambda: trash_source(case, "gate-a", by="anna"), lambda: purge_due(case, at=LATER)):
        with pytest.raises(RefusedError, match=r"on legal hold \(court order\)"):
            refused()
    assert len(read_sources(case, with_trash=True)) == 3
    with pytest.raises(RefusedError, match="on legal hold"):
        purge_source(case, "roof-a", by="anna")
    hold(case, None, by="anna")
    with pytest.raises(CaseError, match="'gate-a' is not in the trash"):
        purge_source(case, "gate-a", by="anna")
    purge_source(case, "roof-a", by="anna")
    assert remains(case, "roof-a") == []


def test_what_is_not_there_cannot_be_trashed_restored_or_proved(case):
    with pytest.raises(CaseError, match="has no source 'roof-b'; its sources: gate-a, gate-b, roof-a"):
        trash_source(case, "roof-b", by="anna")
    with pytest.raises(CaseError, match="'roof-a' is not in the trash"):
        restore_source(case, "roof-a", by="anna")
    with pytest.raises(CaseError, match="no source 'roof-a' was purged"):
        remains(case, "roof-a")
    trash_source(case, "roof-a", by="anna")
    with pytest.raises(CaseError, match="'roof-a' is in the trash already"):
        trash_source(case, "roof-a", by="anna")
