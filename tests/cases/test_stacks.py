"""Who is stacked in a list: pieces of one sighting, never two who were seen at once, nobody who is decided on."""

from contextlib import contextmanager

import numpy as np
import pytest

from skyreid.cases.deciding.decisions import decide, undo
from skyreid.cases.deciding.standing import read_standing
from skyreid.cases.search.stacks import ENOUGH_PAIRS, Stacker
from skyreid.cases.tracklets import read_tracklets
from skyreid.cases.work.importing import import_build
from tests.cases.builds import write_build
from tests.cases.conftest import new_case

ANNA, BOB = np.eye(8, dtype=np.float32)[:2]
SEEN = {
    "gate-a-0001": (0.0, 2.0, ANNA),
    "gate-a-0002": (3.0, 4.0, ANNA + 0.05 * BOB),
    "gate-a-0003": (4.0, 5.0, ANNA),  # begins when the one before ends: both may be in that picture
    "gate-a-0004": (6.0, 7.0, BOB),
    "gate-a-0005": (12.0, 13.0, ANNA),  # too late
    "roof-a-0001": (5.0, 6.0, ANNA),  # another camera
}


@contextmanager
def build(root, cases, database, *, crowd):
    people = dict(SEEN) | {f"gate-a-{100 + n}": (50.0, 60.0, one) for n, one in enumerate(crowd)}
    vectors = np.array([vector for _, _, vector in people.values()], np.float32)
    write_build(root, list(people), embeddings=vectors, times={one: told[:2] for one, told in people.items()})
    with new_case(cases / "case", database) as case:
        import_build(case, root, by="anna", purpose="a test")
        yield case


@pytest.fixture(scope="module")
def case(tmp_path_factory, database):
    root = tmp_path_factory.mktemp("stacks")
    people = np.random.default_rng(0).standard_normal((8, 8))
    with build(root / "built", root, database, crowd=people) as made:
        yield made


def stacks(case, tracklets=None):
    tracklets = read_tracklets(case) if tracklets is None else tracklets
    ids = {one.number: one.tracklet.tracklet_id for one in tracklets}
    found = Stacker(case).stacks(tracklets, read_standing(case))
    return {ids[first]: tuple(ids[one] for one in others) for first, others in found.items()}


def test_pieces_of_one_sighting_are_stacked_and_nobody_else(case):
    assert stacks(case) == {"gate-a-0001": ("gate-a-0002",)}
    assert ENOUGH_PAIRS <= 8 * 7 / 2  # who are at once in view in this case


def test_the_first_of_a_stack_is_the_first_of_the_list(case):
    backwards = list(reversed(read_tracklets(case)))
    assert stacks(case, backwards) == {"gate-a-0002": ("gate-a-0001",)}


@pytest.mark.parametrize("decision", ["confirmed", "rejected", "unsure"])
def test_nobody_who_is_decided_on_is_stacked(case, decision):
    decide(case, "gate-a-0002", "roof-a-0001", decision, annotator="anna")
    try:
        hidden = {one for others in stacks(case).values() for one in others} | set(stacks(case))
        assert not hidden & {"gate-a-0002", "roof-a-0001"}
    finally:
        undo(case, annotator="anna")
    assert stacks(case) == {"gate-a-0001": ("gate-a-0002",)}


def test_the_more_alike_different_people_look_to_a_model_the_more_alike_pieces_must_be(tmp_path, database):
    alike = [ANNA + 0.02 * np.eye(8)[n] for n in range(8)]
    with build(tmp_path / "built", tmp_path, database, crowd=alike) as case:
        assert stacks(case) == {"gate-a-0001": ("gate-a-0003",)}  # equal; the second one is not alike enough any more
