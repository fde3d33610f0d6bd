from dataclasses import replace

import pytest

from skyreid.building.linking.events import Decision, RequireEvent, UndoEvent, new_event_id, now
from skyreid.building.linking.link_state import fingerprint, fingerprints, replay
from skyreid.errors import ManifestError
from tests.building.linking.folders import says, seen

GATE, DOOR, ROOF = seen("gate-a-0001"), seen("door-a-0001"), seen("roof-a-0001")
TRACKLETS = [GATE, DOOR, ROOF]
PAIR = ("gate-a-0001", "roof-a-0001")


def undo(event):
    return UndoEvent(event_id=new_event_id(), time=now(), annotator=event.annotator, undoes=event.event_id)


def required(annotators):
    return RequireEvent(event_id=new_event_id(), time=now(), annotator="ann", annotators=annotators)


def test_the_last_word_of_a_person_holds():
    state = replay([says("ann", "same", GATE, ROOF), says("ann", "different", ROOF, GATE)], fingerprints(TRACKLETS))
    assert state.decisions == {PAIR: {"ann": Decision.DIFFERENT}}


def test_undo_brings_back_what_the_same_person_had_said_before():
    first, second = says("ann", "same", GATE, ROOF), says("ann", "different", GATE, ROOF)
    events = [first, says("bob", "unsure", GATE, ROOF), second]
    assert replay([*events, undo(second)], fingerprints(TRACKLETS)).decisions == {
        PAIR: {"ann": Decision.SAME, "bob": Decision.UNSURE}
    }
    both = replay([*events, undo(second), undo(first)], fingerprints(TRACKLETS))
    assert both.decisions == {PAIR: {"bob": Decision.UNSURE}}
    assert both.last_of("ann") is None
    assert replay(events, fingerprints(TRACKLETS)).last_of("ann") == second


@pytest.mark.parametrize("what", ["unknown", "twice", "of another"])
def test_an_undo_of_what_does_not_stand_is_refused(what):
    decided = says("ann", "same", GATE, ROOF)
    events = {
        "unknown": [undo(decided)],
        "twice": [decided, undo(decided), undo(decided)],
        "of another": [decided, replace(undo(decided), annotator="bob")],
    }[what]
    with pytest.raises(ManifestError, match=f"must undo a standing decision of '{events[-1].annotator}'; it undoes"):
        replay(events, fingerprints(TRACKLETS))


@pytest.mark.parametrize(
    ("words", "need", "links", "waits", "disagrees"),
    [
        (["same"], 1, True, False, False),
        (["same"], 2, False, True, False),
        (["same", "same"], 2, True, False, False),
        (["same", "unsure"], 1, False, False, True),
        (["same", "different"], 1, False, False, True),
        (["different"], 1, False, False, False),
        (["unsure"], 1, False, False, False),
    ],
)
def test_a_link_counts_when_enough_say_so_and_nobody_says_otherwise(words, need, links, waits, disagrees):
    said = [says(f"person {number}", word, GATE, ROOF) for number, word in enumerate(words)]
    state = replay([required(need), *said], fingerprints(TRACKLETS))
    assert state.links() == [PAIR] * links
    assert state.waiting() == [PAIR] * waits
    assert state.disagreements() == [PAIR] * disagrees
    assert state.cannot_links() == [PAIR] * ("different" in words)


def test_decisions_on_tracklets_that_are_gone_or_built_otherwise_count_for_nothing():
    decided = [says("ann", "same", GATE, ROOF), says("ann", "same", DOOR, ROOF)]
    assert replay(decided, fingerprints([GATE, ROOF])).outdated == (decided[1],)
    elsewhere = seen("roof-a-0001", 1.0, 2.0)
    state = replay(decided, fingerprints([GATE, DOOR, elsewhere]))
    assert state.decisions == {}
    assert state.outdated == tuple(decided)


def test_a_fingerprint_sees_the_frames_and_not_what_a_new_build_may_renumber():
    moved = replace(
        GATE, pid=77, camid=5, frames=tuple(replace(frame, path=f"/x/{frame.path}") for frame in GATE.frames)
    )
    assert fingerprint(moved) == fingerprint(GATE)
    others = [
        replace(GATE, frames=GATE.frames[:1]),
        replace(GATE, frames=tuple(replace(frame, box=(1.0, 2.0, 3.0, 5.0)) for frame in GATE.frames)),
        seen("gate-a-0001", 0.5),
        replace(GATE, platform=ROOF.platform),
    ]
    assert len({fingerprint(tracklet) for tracklet in (GATE, *others)}) == 5
