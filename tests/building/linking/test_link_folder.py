import fcntl
from pathlib import Path

import pytest

from skyreid.building.build_folder import LOCK
from skyreid.building.linking.candidates import CandidateConfig, PairDecision
from skyreid.building.linking.event_log import Decision, read_log
from skyreid.building.linking.link_folder import LinkFolder, Stored
from skyreid.building.linking.linked_manifest import apply_links
from skyreid.datasets.manifest import read_manifest, write_manifest
from skyreid.errors import ManifestError, SourceError
from tests.building.linking.folders import INFO, seen, table_of, write_folder

GATE, DOOR, ROOF, ROOF2 = "gate-a-0001", "door-a-0001", "roof-a-0001", "roof-a-0002"
SAME, DIFFERENT, UNSURE = Decision


@pytest.fixture
def built(tmp_path):
    return write_folder(tmp_path, [seen(GATE), seen(DOOR), seen(ROOF), seen(ROOF2, 3.0, 5.0)])


@pytest.fixture
def folder(tmp_path, built):
    return LinkFolder(tmp_path)


@pytest.fixture
def table(built):
    return table_of(built, [[1, 0], [0, 1], [1, 0.1], [0.5, 1]])


def suggested(folder, table, annotator=None):
    return [(c.ground, c.aerial) for c in folder.candidates(table, CandidateConfig(), annotator=annotator)]


def pids(folder):
    return [tracklet.pid for tracklet in read_manifest(folder.out_dir / "manifest.jsonl").tracklets]


def lines(*decisions):
    return [
        PairDecision(tracklets=tuple(sorted((a, b))), decision=decision, where=f"line {number}")
        for number, (a, b, decision) in enumerate(decisions, start=1)
    ]


def test_the_most_alike_comes_first_and_what_was_seen_is_recorded(folder, table):
    assert suggested(folder, table)[0] == (GATE, ROOF)
    folder.decide("ann", (GATE, ROOF), SAME, rank=1, similarity=0.995, seconds=4.2)
    (event,) = read_log(folder.out_dir).events
    assert (event.annotator, event.decision, event.tracklets) == ("ann", SAME, (GATE, ROOF))
    assert (event.rank, event.similarity, event.seconds) == (1, 0.995, 4.2)


def test_different_is_never_suggested_again_to_anybody(folder, table):
    first = suggested(folder, table)[0]
    folder.decide("ann", first, DIFFERENT)
    for annotator in (None, "ann", "bob"):
        assert first not in suggested(LinkFolder(folder.out_dir), table, annotator)
        assert first not in suggested(folder, None, annotator)


def test_undo_brings_the_suggestions_back(folder, table):
    before = suggested(folder, table, "ann")
    folder.decide("ann", before[0], DIFFERENT)
    folder.decide("ann", before[1], SAME)
    assert folder.undo("ann").tracklets == tuple(sorted(before[1]))
    assert folder.undo("ann").decision is DIFFERENT
    assert suggested(folder, table, "ann") == before
    with pytest.raises(SourceError, match="'ann' has no decision to undo"):
        folder.undo("ann")
    assert len(read_log(folder.out_dir).events) == 4  # nothing was rewritten


def test_undo_is_one_s_own(folder):
    folder.decide("ann", (GATE, ROOF), SAME)
    with pytest.raises(SourceError, match="'bob' has no decision to undo"):
        folder.undo("bob")


def test_the_second_person_is_asked_what_the_first_called_same_only_when_two_must_agree(folder, table):
    folder.decide("ann", (GATE, ROOF), SAME)
    assert (GATE, ROOF) not in suggested(folder, table, "bob")
    folder.require("ann", 2)
    assert (GATE, ROOF) in suggested(folder, table, "bob")
    assert (GATE, ROOF) not in suggested(folder, table, "ann")
    folder.decide("bob", (GATE, ROOF), SAME)
    assert (GATE, ROOF) not in suggested(folder, table, "cy")


def test_how_many_must_agree_is_kept_for_the_next_build(folder, built):
    folder.require("ann", 2)
    folder.require("bob", 2)
    assert len(read_log(folder.out_dir).events) == 1
    folder.decide("ann", (GATE, ROOF), SAME)
    folder.update_manifest()
    assert pids(folder) == [1, 2, 3, 4]
    folder.decide("bob", (GATE, ROOF), SAME)
    assert [tracklet.pid for tracklet in apply_links(read_log(folder.out_dir), built, INFO)[0]] == [1, 2, 1, 4]
    with pytest.raises(SourceError, match="at least one annotator must be required; got 0"):
        folder.require("ann", 0)


def test_the_manifest_follows_and_a_new_build_writes_the_same_bytes(folder, built):
    folder.decide("ann", (GATE, ROOF), SAME)
    folder.update_manifest()
    assert pids(folder) == [1, 2, 1, 4]
    path = folder.out_dir / "manifest.jsonl"
    linked = path.read_bytes()
    before = path.stat()
    LinkFolder(folder.out_dir).update_manifest()
    assert path.stat() == before
    write_manifest(path, *apply_links(read_log(folder.out_dir), built, INFO))
    assert path.read_bytes() == linked
    folder.undo("ann")
    folder.update_manifest()
    assert pids(folder) == [1, 2, 3, 4]


def test_without_decisions_the_manifest_is_left_alone(folder):
    before = (folder.out_dir / "manifest.jsonl").stat()
    folder.update_manifest()
    assert (folder.out_dir / "manifest.jsonl").stat() == before


def test_decisions_that_were_deleted_leave_the_manifest(folder):
    built = (folder.out_dir / "manifest.jsonl").read_bytes()
    folder.decide("ann", (GATE, ROOF), SAME)
    folder.update_manifest()
    (folder.out_dir / "links.jsonl").unlink()
    LinkFolder(folder.out_dir).update_manifest()
    assert (folder.out_dir / "manifest.jsonl").read_bytes() == built


def test_while_a_build_is_at_work_decisions_are_kept_and_the_manifest_waits(folder):
    folder.decide("ann", (GATE, ROOF), SAME)
    with (folder.out_dir / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SourceError, match="a build is at work in this folder; the decisions are stored"):
            folder.update_manifest()
    folder.update_manifest()
    assert pids(folder) == [1, 2, 1, 4]


def test_a_list_is_stored_whole_and_again_changes_nothing(folder):
    decisions = lines((GATE, ROOF, SAME), (DOOR, ROOF2, DIFFERENT), (GATE, DOOR, UNSURE))
    assert folder.decide_all("ann", decisions) == Stored(added=3, changed=0, repeated=0)
    content = (folder.out_dir / "links.jsonl").read_bytes()
    assert folder.decide_all("ann", decisions) == Stored(added=0, changed=0, repeated=3)
    assert (folder.out_dir / "links.jsonl").read_bytes() == content
    assert folder.decide_all("ann", lines((ROOF, GATE, UNSURE))) == Stored(added=1, changed=1, repeated=0)
    assert folder.decide_all("bob", decisions) == Stored(added=3, changed=0, repeated=0)


def test_a_list_that_was_cut_off_while_stored_is_made_whole_by_giving_it_again(folder):
    decisions = lines((GATE, ROOF, SAME), (DOOR, ROOF2, DIFFERENT), (GATE, DOOR, UNSURE))
    folder.decide_all("ann", decisions)
    path = folder.out_dir / "links.jsonl"
    content = path.read_bytes()
    for length in range(0, len(content), 50):
        path.write_bytes(content[:length])
        kept = content[:length].count(b"\n")
        assert folder.decide_all("ann", decisions) == Stored(added=3 - kept, changed=0, repeated=kept)
        assert sorted(event.tracklets for event in read_log(folder.out_dir).events) == sorted(
            decided.tracklets for decided in decisions
        )


def test_a_tracklet_that_is_not_there_stops_the_list_before_the_first_line_is_stored(folder):
    decisions = lines((GATE, ROOF, SAME), (DOOR, "roof-a-0009", SAME))
    with pytest.raises(SourceError) as raised:
        folder.decide_all("ann", decisions)
    assert str(raised.value) == f"line 2: {folder.out_dir} has no tracklet 'roof-a-0009'"
    assert not (folder.out_dir / "links.jsonl").exists()
    with pytest.raises(SourceError, match="has no tracklet 'roof-a-0009'"):
        folder.decide("ann", (DOOR, "roof-a-0009"), SAME)


def test_annotated_people_are_merged_and_come_apart_again(tmp_path):
    annotated = {**INFO, "identities": "annotated"}
    write_folder(tmp_path, [seen(GATE), seen(DOOR), seen(ROOF), seen(ROOF2)], info=annotated, pids=[30, 9, 7, 7])
    folder = LinkFolder(tmp_path)
    folder.decide("ann", (GATE, ROOF), SAME)
    folder.update_manifest()
    assert pids(folder) == [7, 9, 7, 7]
    LinkFolder(tmp_path).undo("ann")
    LinkFolder(tmp_path).update_manifest()
    assert pids(folder) == [30, 9, 7, 7]


def test_a_folder_that_was_not_built_is_refused(tmp_path):
    with pytest.raises(ManifestError, match=r"must be a folder that skyreid built .*; it is an empty folder"):
        LinkFolder(Path(tmp_path))
