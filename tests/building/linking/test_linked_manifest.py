"""Which decisions outlive a rebuild (kind C6: nothing that somebody decided is thrown away in silence)."""

from dataclasses import replace
from itertools import pairwise

import pytest

from skyreid.building.linking.event_log import Decision, UndoEvent, locked_log, new_event_id, now, read_log
from skyreid.building.linking.link_state import fingerprint, fingerprints, replay
from skyreid.building.linking.linked_manifest import apply_links, as_built, carry_over, is_current, partners
from skyreid.errors import ManifestError
from skyreid.tracklet import Frame, Platform, Tracklet
from tests.building.linking.folders import INFO, says, seen

TRACKLETS = [seen("gate-a-0001", pid=1), seen("door-a-0001", pid=2), seen("roof-a-0001", pid=3)]
GATE, DOOR, ROOF = TRACKLETS


def append(folder, *events):
    with locked_log(folder) as log:
        log.append(events)


def test_a_folder_without_decisions_stays_as_it_was_built(tmp_path):
    assert apply_links(read_log(tmp_path), TRACKLETS, INFO) == (TRACKLETS, INFO)


def test_links_come_into_a_manifest_and_leave_it_again(tmp_path):
    append(tmp_path, says("ann", "same", DOOR, ROOF))
    tracklets, info = apply_links(read_log(tmp_path), TRACKLETS, INFO)
    assert [tracklet.pid for tracklet in tracklets] == [1, 2, 2]
    assert info == {
        **INFO,
        "identities": "linked",
        "links": read_log(tmp_path).sha256,
        "built": {"identities": "per-tracklet", "pids": [1, 2, 3]},
    }
    assert is_current(read_log(tmp_path), info)
    assert as_built(tracklets, info) == (TRACKLETS, INFO)


def test_an_undone_link_leaves_nothing_behind(tmp_path):
    decided = says("ann", "same", DOOR, ROOF)
    append(tmp_path, decided)
    linked = apply_links(read_log(tmp_path), TRACKLETS, INFO)
    append(tmp_path, UndoEvent(event_id=new_event_id(), time=now(), annotator="ann", undoes=decided.event_id))
    assert not is_current(read_log(tmp_path), linked[1])
    tracklets, _ = apply_links(read_log(tmp_path), *as_built(*linked))
    assert tracklets == TRACKLETS


def test_a_manifest_that_lost_what_was_built_is_refused(tmp_path):
    append(tmp_path, says("ann", "same", DOOR, ROOF))
    tracklets, info = apply_links(read_log(tmp_path), TRACKLETS, INFO)
    for damaged in ({**info, "built": None}, {**info, "built": {"pids": [1, 2]}}):
        with pytest.raises(ManifestError, match="which of its 3 tracklets had which pid; run 'skyreid build' again"):
            as_built(tracklets, damaged)


def test_another_build_under_the_same_names_takes_no_links_over(tmp_path):
    append(tmp_path, says("ann", "same", DOOR, ROOF))
    other = [GATE, seen("door-a-0001", 1.0, 2.0, pid=2), replace(ROOF, pid=3)]
    tracklets, info = apply_links(read_log(tmp_path), other, INFO)
    assert tracklets == other
    assert info["identities"] == "linked"


def walker(tracklet_id, *, x=0.0, start_s=0.0, end_s=6.0, interval_s=0.5, crops="a", platform=Platform.GROUND):
    """Somebody who walks 10 px a second to the right, in a box of 20 x 50."""
    times = [start_s + number * interval_s for number in range(int((end_s - start_s) / interval_s) + 1)]
    frames = tuple(
        Frame("", index=round(25 * s), time_s=s, box=(x + 10 * s, 0.0, x + 10 * s + 20, 50.0), sha256=64 * crops)
        for s in times
    )
    return Tracklet(tracklet_id=tracklet_id, frames=frames, pid=1, camid=0, platform=platform)


def ids(pairs):
    return {(old.tracklet_id, new.tracklet_id) for old, new in pairs}


@pytest.mark.parametrize("interval_s", [0.5, 0.7, 0.2, 2.0])
def test_people_are_found_again_at_any_interval(interval_s):
    old = [walker("a"), walker("b", x=100), walker("c", start_s=20, end_s=26)]
    new = [replace(walker(f"new-{t.tracklet_id}", interval_s=interval_s), frames=frames) for t, frames in (
        (old[1], walker("", x=103, interval_s=interval_s).frames),
        (old[0], walker("", x=-2, interval_s=interval_s).frames),
        (old[2], walker("", start_s=20, end_s=26, interval_s=interval_s).frames),
    )]  # fmt: skip
    assert ids(partners(old, new)) == {("a", "new-a"), ("b", "new-b"), ("c", "new-c")}


def test_somebody_elsewhere_or_at_another_time_is_nobody():
    assert partners([walker("a")], [walker("b", x=15), walker("c", start_s=7, end_s=9)]) == []
    assert partners([], [walker("a")]) == partners([walker("a")], []) == []


def test_of_two_pieces_the_longer_stands_for_the_whole_and_the_other_for_nobody():
    whole, pieces = walker("whole"), [walker("head", end_s=2), walker("tail", start_s=2.5)]
    assert ids(partners([whole], pieces)) == {("whole", "tail")}
    assert ids(partners(pieces, [whole])) == {("tail", "whole")}


def noted(folder, events):
    with locked_log(folder) as log:
        log.append(events)


def test_decisions_go_on_with_the_new_tracklets_and_the_rest_is_listed(tmp_path):
    drone = walker("drone-0001", platform=Platform.AERIAL)
    old = [walker("gate-0001"), walker("gate-0002", x=100), walker("gate-0003", x=200)]
    new = [walker("gate-0001", x=100, crops="b"), walker("gate-0002", crops="b")]  # the numbers have changed places
    noted(
        tmp_path,
        [says("ann", word, one, drone) for word, one in zip(("same", "different", "unsure"), old, strict=True)],
    )
    carry_over(tmp_path, old, new)
    carry_over(tmp_path, old, new)  # as after a build that was killed
    present = fingerprints([*new, drone])
    state = replay(read_log(tmp_path).events, present)
    assert state.decisions == {
        ("drone-0001", "gate-0002"): {"ann": Decision.SAME},
        ("drone-0001", "gate-0001"): {"ann": Decision.DIFFERENT},
    }
    assert [event.tracklets for event in state.outdated] == [("drone-0001", "gate-0003")]


def test_a_second_rebuild_goes_on_from_the_first(tmp_path):
    drone = walker("drone-0001", platform=Platform.AERIAL)
    versions = [walker(f"gate-000{number}", interval_s=0.5 + number / 10) for number in range(3)]
    noted(tmp_path, [says("ann", "same", versions[0], drone)])
    for before, after in pairwise(versions):
        carry_over(tmp_path, [before], [after])
    state = replay(read_log(tmp_path).events, fingerprints([versions[2], drone]))
    assert state.links() == [("drone-0001", "gate-0002")]


def test_two_tracklets_that_became_one_settle_nothing(tmp_path):
    head, tail = walker("gate-0001", end_s=3), walker("gate-0002", start_s=3.5)
    noted(tmp_path, [says("ann", "different", head, tail)])
    whole = walker("gate-0001", interval_s=0.25)
    carry_over(tmp_path, [head, tail], [whole])
    state = replay(read_log(tmp_path).events, fingerprints([whole]))
    assert (state.decisions, len(state.outdated)) == ({}, 1)


def test_a_folder_without_decisions_gets_no_log(tmp_path):
    carry_over(tmp_path, [walker("a")], [walker("b", interval_s=1.0)])
    assert list(tmp_path.iterdir()) == []


def test_the_fingerprint_covers_the_pictures_and_is_the_old_one_where_nobody_hashed_them():
    one = walker("a")
    assert fingerprint(one) != fingerprint(walker("a", crops="b"))
    unhashed = replace(one, frames=(Frame("", index=0, time_s=0.0, box=(1.0, 2.0, 3.0, 4.0)),))
    assert fingerprint(unhashed) == "e166d3b3be31a90c"  # as version 0.1 noted it
