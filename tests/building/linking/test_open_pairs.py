from itertools import product

import pytest

from skyreid.building.linking.identities import identify
from skyreid.building.linking.link_state import fingerprints, replay
from skyreid.building.linking.open_pairs import OpenPairs
from tests.building.linking.folders import says, seen

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
