"""Identities against a slow closure that anyone can check."""

from dataclasses import replace
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.building.linking.event_log import Decision, RequireEvent, UndoEvent, new_event_id, now
from skyreid.building.linking.link_state import (
    OpenPairs,
    fingerprint,
    fingerprints,
    identify,
    replay,
    resolve_identities,
)
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


NAMES = [f"{camera}-a-{number:04d}" for number in (1, 2) for camera in ("gate", "door", "roof")]


def state_of(tracklets, said, required=1):
    by_id = {tracklet.tracklet_id: tracklet for tracklet in tracklets}
    rule = RequireEvent(event_id=new_event_id(), time=now(), annotator="ann", annotators=required)
    events = [says(who, word, by_id[first], by_id[second]) for who, word, first, second in said]
    return replay([rule, *events], fingerprints(tracklets))


def closure(names, pairs):
    """Who can be reached from whom, by Warshall's algorithm."""
    reach = {(a, b): a == b or (a, b) in pairs or (b, a) in pairs for a, b in product(names, names)}
    for middle, a, b in product(names, names, names):
        reach[a, b] = reach[a, b] or (reach[a, middle] and reach[middle, b])
    return reach


def slow_identities(tracklets, said, required):
    """Pids and contradictory pairs, straight from the definitions."""
    names = [tracklet.tracklet_id for tracklet in tracklets]
    pid = {tracklet.tracklet_id: tracklet.pid for tracklet in tracklets}
    words = {}
    for who, word, first, second in said:
        words.setdefault(frozenset((first, second)), {})[who] = word
    pairs = list(combinations(sorted(names), 2))
    annotated = {pair for pair in pairs if pid[pair[0]] == pid[pair[1]]}
    opinion = {pair: list(words.get(frozenset(pair), {}).values()) for pair in pairs}
    links = {pair for pair in pairs if len(opinion[pair]) >= required and set(opinion[pair]) == {"same"}}
    reach = closure(names, annotated | links)
    wrong = {pair for pair in pairs if "different" in opinion[pair] and reach[pair]}
    trusted = {link for link in links if not any(reach[link[0], pair[0]] for pair in wrong)}
    reach = closure(names, annotated | trusted)
    return {a: min(pid[b] for b in names if reach[a, b]) for a in names}, wrong, annotated | links


@st.composite
def folders(draw):
    """Names with pids, what is said, and how many must say so; the tests make tracklets of it."""
    count = draw(st.integers(2, len(NAMES)))
    pids = [(name, draw(st.integers(1, 7))) for name in draw(st.permutations(NAMES[:count]))]
    words = st.sampled_from(["same", "same", "different", "unsure"])
    decision = st.tuples(
        st.sampled_from(["ann", "bob"]), words, st.sampled_from(NAMES[:count]), st.sampled_from(NAMES[:count])
    )
    said = [line for line in draw(st.lists(decision, max_size=9)) if line[2] != line[3]]
    return pids, said, draw(st.integers(1, 2))


@given(folders())
def test_identities_are_what_the_slow_closure_says(folder):
    pids_built, said, required = folder
    tracklets = [seen(name, pid=pid) for name, pid in pids_built]
    state = state_of(tracklets, said, required)
    pids, wrong, joined = slow_identities(tracklets, said, required)
    identities = identify(tracklets, state)
    assert identities.pids == pids
    assert {contradiction.different for contradiction in identities.contradictions} == wrong
    for contradiction in identities.contradictions:
        assert (contradiction.chain[0], contradiction.chain[-1]) == contradiction.different
        for step in zip(contradiction.chain, contradiction.chain[1:], strict=False):
            assert tuple(sorted(step)) in joined
    assert resolve_identities(tracklets, state) == [replace(t, pid=pids[t.tracklet_id]) for t in tracklets]


@given(folders(), st.randoms())
def test_the_order_of_people_and_of_tracklets_changes_nothing(folder, random):
    pids_built, said, required = folder
    tracklets = [seen(name, pid=pid) for name, pid in pids_built]
    last = {(who, frozenset(pair)): (who, word, *pair) for who, word, *pair in said}  # nobody says two things
    shuffled, words = random.sample(tracklets, len(tracklets)), random.sample(list(last.values()), len(last))
    expected = identify(tracklets, state_of(tracklets, list(last.values()), required))
    found = identify(shuffled, state_of(shuffled, words, required))
    assert found.pids == expected.pids
    assert [c.different for c in found.contradictions] == [c.different for c in expected.contradictions]


def test_a_contradiction_is_named_with_its_chain_and_none_of_its_links_counts():
    tracklets = [seen(name, pid=number) for number, name in enumerate(NAMES, start=1)]
    gate, door, roof, gate2, door2, _ = NAMES
    said = [("ann", "same", gate, roof), ("ann", "same", roof, door), ("bob", "different", gate, door)]
    state = state_of(tracklets, [*said, ("ann", "same", gate2, door2)])
    identities = identify(tracklets, state)
    (contradiction,) = identities.contradictions
    assert contradiction.different == (door, gate)
    assert contradiction.chain == (door, roof, gate)
    assert identities.pids == {gate: 1, door: 2, roof: 3, gate2: 4, door2: 4, NAMES[5]: 6}


def test_a_link_leaves_the_pids_of_all_others_alone():
    tracklets = [seen(name, pid=number) for number, name in enumerate(NAMES, start=1)]
    resolved = resolve_identities(tracklets, state_of(tracklets, [("ann", "same", NAMES[3], NAMES[1])]))
    assert [tracklet.pid for tracklet in resolved] == [1, 2, 3, 2, 5, 6]


def test_a_link_merges_annotated_people():
    tracklets = [seen(name, pid=pid) for name, pid in zip(NAMES, (30, 9, 9, 4, 30, 7), strict=True)]
    resolved = resolve_identities(tracklets, state_of(tracklets, [("ann", "same", NAMES[0], NAMES[1])]))
    assert [tracklet.pid for tracklet in resolved] == [9, 9, 9, 4, 9, 7]


GROUND = [seen(f"gate-a-{number:04d}", pid=number) for number in (1, 2, 3)]
AERIAL = [seen(f"roof-a-{number:04d}", pid=10 + number) for number in (1, 2, 3)]
G1, G2, G3 = GROUND
A1, A2, A3 = AERIAL


def open_pairs(events, *, annotator):
    state = replay(events, fingerprints(GROUND + AERIAL))
    return OpenPairs(identify(GROUND + AERIAL, state).pids, state, annotator=annotator)


def closed(events, *, annotator):
    """The closed pairs, as the places in GROUND and AERIAL, from 1."""
    pairs = open_pairs(events, annotator=annotator)
    rows, columns = [[tracklet.tracklet_id for tracklet in side] for side in (GROUND, AERIAL)]
    mask = pairs.mask(rows, columns)
    for (row, ground), (column, aerial) in product(enumerate(rows), enumerate(columns)):
        assert mask[row, column] == pairs.is_open(ground, aerial) == pairs.is_open(aerial, ground)
    return {(row + 1, column + 1) for row, column in product(range(3), range(3)) if not mask[row, column]}


@pytest.mark.parametrize(
    ("events", "asked", "expected"),
    [
        pytest.param([], None, set(), id="nothing decided"),
        pytest.param([says("ann", "unsure", G1, A2)], "ann", {(1, 2)}, id="one's own unsure"),
        pytest.param([says("ann", "unsure", G1, A2)], "bob", set(), id="somebody else's unsure"),
        pytest.param([says("ann", "unsure", G1, A2)], None, {(1, 2)}, id="anybody's unsure"),
        pytest.param([says("ann", "different", G1, A2)], "bob", {(1, 2)}, id="somebody else's different"),
        pytest.param([says("ann", "same", G1, A1), says("ann", "same", A1, G2)], None, {(1, 1), (2, 1)}, id="linked"),
        pytest.param(
            [says("ann", "same", G1, G2), says("ann", "different", G1, A3)],
            "bob",
            {(1, 3), (2, 3)},
            id="implied different",
        ),
        pytest.param(
            [says("ann", "same", G1, A1), says("ann", "same", A1, G2), says("ann", "same", G2, A2)],
            "bob",
            {(1, 1), (1, 2), (2, 1), (2, 2)},
            id="implied same",
        ),
    ],
)
def test_a_pair_is_closed_when_its_answer_is_given_or_implied(events, asked, expected):
    assert closed(events, annotator=asked) == expected
