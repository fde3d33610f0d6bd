import shutil

import numpy as np
import pytest

from skyreid.building.linking.event_log import Decision, make_pair
from skyreid.building.linking.link_folder import LinkFolder
from skyreid.cases.case import create_case
from skyreid.cases.deciding.decisions import decide, read_events
from skyreid.cases.deciding.standing import read_standing
from skyreid.cases.exports.exporting import export_case
from skyreid.cases.sources import read_sources
from skyreid.cases.tracklets import read_models, read_table, read_tracklets
from skyreid.cases.verification import verify_case
from skyreid.cases.work.importing import import_build, import_table, sweep_crops
from skyreid.datasets.manifest import read_manifest
from skyreid.errors import CaseError, ChangedFrameError, RefusedError, TableError
from skyreid.retrieval.embedding_table import load_table, save_table
from tests.cases.builds import PEOPLE, drawn, write_build

BY = {"by": "anna", "purpose": "a test"}


def test_a_build_comes_in_whole_and_a_second_time_changes_nothing(case, built):
    manifest = read_manifest(built / "manifest.jsonl")
    for again in (False, True):
        if again:
            report = import_build(case, built, **BY)
            assert (report.sources, report.known, report.tracklets) == ((), ("gate-a", "gate-b", "roof-a"), 0)
        seen = read_tracklets(case)
        assert [one.tracklet.tracklet_id for one in seen] == list(PEOPLE)
        for ours, theirs in zip(seen, manifest.tracklets, strict=True):
            assert [(f.index, f.time_s, f.box, f.sha256) for f in ours.tracklet.frames] == [
                (f.index, f.time_s, f.box, f.sha256) for f in theirs.frames
            ]
            assert ours.tracklet.platform is theirs.platform
            assert ours.sighting.camera == ours.source.camera
        assert [source.name for source in read_sources(case)] == ["gate-a", "gate-b", "roof-a"]
        assert verify_case(case).damage == ()


def test_times_of_day_are_those_of_the_build(case):
    by_id = {one.tracklet.tracklet_id: one for one in read_tracklets(case)}
    assert by_id["roof-a-0001"].sighting.clock.isoformat() == "2026-05-04T11:00:13+02:00"


def test_the_vectors_come_in_and_out_as_the_same_bits(case, built, tmp_path):
    (model,) = read_models(case)
    ours, theirs = read_table(case, model), load_table(built / "embeddings.npz")
    assert np.array_equal(ours.embeddings, theirs.embeddings)
    assert (ours.model, ours.tracklet_ids.tolist()) == (theirs.model, theirs.tracklet_ids.tolist())
    assert np.array_equal(ours.pictures, theirs.pictures)
    export_case(case, tmp_path / "out.npz", "table", by="anna")
    assert np.array_equal(load_table(tmp_path / "out.npz").embeddings, theirs.embeddings)


def test_a_build_that_grew_brings_only_what_is_new_and_people_keep_their_numbers(empty, tmp_path):
    write_build(tmp_path / "built", PEOPLE[:3], pids=[7, 8, 7])
    import_build(empty, tmp_path / "built", **BY)
    write_build(tmp_path / "built", PEOPLE, pids=[7, 8, 7, 9, 8, 7])
    report = import_build(empty, tmp_path / "built", **BY)
    assert (report.sources, report.tracklets) == (("roof-a",), 3)
    pids = {one.tracklet.tracklet_id: one.tracklet.pid for one in read_tracklets(empty)}
    assert [pids[one] for one in PEOPLE] == [1, 2, 1, 3, 2, 1]


def test_people_of_two_builds_get_numbers_of_their_own(empty, tmp_path):
    write_build(tmp_path / "first", PEOPLE[:2], pids=[1, 1])
    write_build(tmp_path / "second", PEOPLE[3:5], pids=[1, 2])
    for name in ("first", "second"):
        import_build(empty, tmp_path / name, **BY)
    assert [one.tracklet.pid for one in read_tracklets(empty)] == [1, 1, 2, 3]


def test_decisions_beside_a_build_come_in_once_and_go_out_as_they_were(empty, tmp_path):
    folder = tmp_path / "built"
    write_build(folder, embeddings=drawn())
    links = LinkFolder(folder)
    links.decide("bert", make_pair("gate-a-0001", "roof-a-0001"), Decision.SAME, rank=1, similarity=0.5, seconds=2.0)
    links.decide("bert", make_pair("gate-a-0002", "roof-a-0001"), Decision.DIFFERENT)
    links.undo("bert")
    links.update_manifest()
    assert import_build(empty, folder, **BY).decisions == 3
    assert import_build(empty, folder, **BY).decisions == 0
    assert read_standing(empty).pair_state("gate-a-0001", "roof-a-0001") == "confirmed"
    decide(empty, "gate-b-0001", "roof-a-0002", "confirmed", annotator="anna")
    export_case(empty, tmp_path / "out", "build", by="anna")
    out = LinkFolder(tmp_path / "out")
    assert [event.event_id for event in out.state().standing] == [
        event.event_id for event in read_standing(empty).state.standing
    ]
    pids = {t.tracklet_id: t.pid for t in read_manifest(tmp_path / "out" / "manifest.jsonl").tracklets}
    assert pids["gate-a-0001"] == pids["roof-a-0001"] != pids["gate-a-0002"]
    with create_case(tmp_path / "again", by="anna") as again:
        assert import_build(again, tmp_path / "out", **BY).decisions == len(read_events(empty))
        assert read_standing(again).identities == read_standing(empty).identities
        (first,), (second,) = read_models(empty), read_models(again)
        assert np.array_equal(read_table(empty, first).embeddings, read_table(again, second).embeddings)


def test_a_source_of_the_same_name_that_is_another_one_is_refused(case, tmp_path):
    sources = [{"name": "gate-a", "file": "a.mp4", "camera": "gate", "platform": "ground", "video_sha256": "other"}]
    write_build(tmp_path / "other", PEOPLE[:2], sources=sources)
    with pytest.raises(CaseError, match="the case has a source 'gate-a' of another video"):
        import_build(case, tmp_path / "other", **BY)
    write_build(tmp_path / "cut", PEOPLE[:1])
    with pytest.raises(CaseError, match="the case has a source 'gate-a' that was cut otherwise"):
        import_build(case, tmp_path / "cut", **BY)


@pytest.mark.parametrize(
    ("changed", "purpose", "refusal"),
    [
        ({}, " ", "every source has a purpose"),
        ({"faces_masked": False}, "a test", "its faces are not covered"),
        ({"simulated": True}, "a test", "simulated and filmed people do not come into one case"),
    ],
)
def test_the_rules_of_a_case_refuse_a_build(case, tmp_path, changed, purpose, refusal):
    write_build(tmp_path / "built", ["door-a-0001"], **changed)
    with pytest.raises(RefusedError, match=refusal):
        import_build(case, tmp_path / "built", by="anna", purpose=purpose)
    assert verify_case(case).mended == ()  # no crops are left behind
    assert len(read_sources(case)) == 3


def test_a_crop_that_was_changed_is_refused_and_what_came_before_it_stays(empty, tmp_path):
    tracklets = write_build(tmp_path / "built")
    frame = tracklets[-1].frames[0]
    shutil.copy(tracklets[0].frames[0].path, frame.path)
    with pytest.raises(ChangedFrameError, match="was changed"):
        import_build(empty, tmp_path / "built", **BY)
    assert [source.name for source in read_sources(empty)] == ["gate-a", "gate-b"]
    assert sweep_crops(empty) == []


def test_crops_that_nobody_names_are_removed_and_changed_ones_are_named(case):
    (case.folder / "crops" / "0123" / "ab").mkdir(parents=True)
    (case.folder / "crops" / "0123" / "ab" / "crop.jpg").write_bytes(b"of somebody who was killed")
    found = verify_case(case)
    assert [one.endswith("no source names it; removed") for one in found.mended] == [True]
    assert verify_case(case).mended == ()
    first, second = (one.tracklet.frames[0].path for one in read_tracklets(case)[:2])
    shutil.copy(second, first)
    assert any("a crop of gate-a-0001 was changed" in one for one in verify_case(case).damage)


def test_a_table_of_the_same_tracklets_is_one_more_model(case, built, tmp_path):
    write_build(tmp_path / "built", embeddings=drawn(width=5, seed=1), model="n" * 64)
    table = tmp_path / "built" / "embeddings.npz"
    assert import_table(case, table, by="anna").vectors == 6
    before = case.facts()
    again = import_table(case, table, by="anna")
    assert (again.vectors, again.notes, case.facts()) == (0, ("6 vectors were there already",), before)
    assert sorted(model.width for model in read_models(case)) == [5, 8]


def test_tables_of_strangers_are_refused(case, tmp_path):
    table = load_table_of(tmp_path, ["door-a-0001"])
    with pytest.raises(CaseError, match="the case has no tracklet 'door-a-0001'"):
        import_table(case, table, by="anna")
    nameless = load_table_of(tmp_path, PEOPLE, model=None)
    with pytest.raises(TableError, match="does not say which model made it"):
        import_table(case, nameless, by="anna")


def load_table_of(tmp_path, people, **told):
    folder = tmp_path / f"of-{people[0]}-{len(told)}"
    write_build(folder, people, embeddings=drawn(people), **told)
    path = folder / "copy.npz"
    save_table(path, load_table(folder / "embeddings.npz"))
    return path
