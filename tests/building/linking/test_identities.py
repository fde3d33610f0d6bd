"""Identities against a slow closure that anyone can check."""

from dataclasses import replace
from itertools import combinations, product

from hypothesis import given
from hypothesis import strategies as st

from skyreid.building.linking.events import RequireEvent, new_event_id, now
from skyreid.building.linking.identities import identify, resolve_identities
from skyreid.building.linking.link_state import fingerprints, replay
from tests.building.linking.folders import says, seen

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
