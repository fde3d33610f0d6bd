from dataclasses import replace

import pytest

from skyreid.building.linking.event_log import locked_log, read_log
from skyreid.building.linking.events import UndoEvent, new_event_id, now
from skyreid.building.linking.linked_manifest import apply_links, as_built, is_current
from skyreid.errors import ManifestError
from tests.building.linking.folders import INFO, says, seen

TRACKLETS = [seen("gate-a-0001", pid=1), seen("door-a-0001", pid=2), seen("roof-a-0001", pid=3)]
GATE, DOOR, ROOF = TRACKLETS


def append(folder, *events):
    with locked_log(folder) as log:
        log.append(events)


def test_a_folder_without_decisions_stays_as_it_was_built(tmp_path):
    assert apply_links(tmp_path, TRACKLETS, INFO) == (TRACKLETS, INFO)


def test_links_come_into_a_manifest_and_leave_it_again(tmp_path):
    append(tmp_path, says("ann", "same", DOOR, ROOF))
    tracklets, info = apply_links(tmp_path, TRACKLETS, INFO)
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
    linked = apply_links(tmp_path, TRACKLETS, INFO)
    append(tmp_path, UndoEvent(event_id=new_event_id(), time=now(), annotator="ann", undoes=decided.event_id))
    assert not is_current(read_log(tmp_path), linked[1])
    tracklets, _ = apply_links(tmp_path, *as_built(*linked))
    assert tracklets == TRACKLETS


def test_a_manifest_that_lost_what_was_built_is_refused(tmp_path):
    append(tmp_path, says("ann", "same", DOOR, ROOF))
    tracklets, info = apply_links(tmp_path, TRACKLETS, INFO)
    for damaged in ({**info, "built": None}, {**info, "built": {"pids": [1, 2]}}):
        with pytest.raises(ManifestError, match="which of its 3 tracklets had which pid; run 'skyreid build' again"):
            as_built(tracklets, damaged)


def test_another_build_under_the_same_names_takes_no_links_over(tmp_path):
    append(tmp_path, says("ann", "same", DOOR, ROOF))
    other = [GATE, seen("door-a-0001", 1.0, 2.0, pid=2), replace(ROOF, pid=3)]
    tracklets, info = apply_links(tmp_path, other, INFO)
    assert tracklets == other
    assert info["identities"] == "linked"
