from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skyreid.datasets.protocol import CROSS_CAMERA, CROSS_PLATFORM, MARS
from skyreid.evaluation.comparisons import Comparison, comparisons
from skyreid.evaluation.rank_counting import MatchRanks, device_counter, join, match_ranks
from skyreid.retrieval.cosine import COSINE
from tests.evaluation.crowds import crowd, table

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Given:
    similarities: np.ndarray
    name: str = "given"

    def rows(self, query: np.ndarray, gallery: np.ndarray) -> Callable[[int, int], np.ndarray]:
        return lambda start, stop: self.similarities[start:stop]


def places_by_sorting(comparison: Comparison, similarities: np.ndarray) -> MatchRanks:
    places = []
    for query in range(len(comparison.query_rows)):
        is_same = comparison.gallery.pids == comparison.query.pids[query]
        is_junk = is_same & (comparison.gallery.camids == comparison.query.camids[query]) & comparison.has_junk
        order = np.lexsort((comparison.gallery.tie_ranks, -similarities[query]))
        places.append(np.flatnonzero((is_same & ~is_junk)[order][~is_junk[order]]))
    return MatchRanks(np.concatenate(places), np.concatenate([[0], np.cumsum([len(some) for some in places])]))


def assert_same(one: MatchRanks, other: MatchRanks) -> None:
    assert np.array_equal(one.offsets, other.offsets)
    assert np.array_equal(one.ranks, other.ranks)


@given(
    seed=st.integers(0, 2**32 - 1),
    people=st.sampled_from([1, 2, 40]),  # 350 and more good entries, about a hundred, a few
    size=st.sampled_from([1, 700, 2_100]),
    num_values=st.sampled_from([1, 3, 200, 2**24]),
    block_size=st.sampled_from([1, 3_000, 2**27]),
)
def test_places_are_those_of_a_stable_sort_by_similarity_and_tracklet_id(seed, people, size, num_values, block_size):
    generator = np.random.default_rng(seed)
    query, gallery = crowd(generator, 4, people=people + 1, embed=2), crowd(generator, size, people=people + 1, embed=2)
    if (gallery.pids == -1).all():
        return
    (comparison,) = comparisons(query, gallery, CROSS_CAMERA)
    values = generator.integers(-num_values, num_values, (4, len(comparison.gallery.pids)), endpoint=True)
    similarities = (values / num_values).astype(np.float32)
    found = match_ranks(comparison, Given(similarities), block_size=block_size, device=CPU)
    assert_same(found, places_by_sorting(comparison, similarities))


@pytest.mark.parametrize("num_distinct", [5, 130, 300])
@pytest.mark.parametrize("people", [2, 30])
def test_an_accelerator_counts_as_the_processor_does(num_distinct, people):
    """Its operations, run on the CPU; equal embeddings tie."""
    generator = np.random.default_rng(1)
    query, gallery = (crowd(generator, size, people=people) for size in (30, 300))
    gallery.embeddings[:] = gallery.embeddings[generator.integers(0, num_distinct, 300)]
    (comparison,) = comparisons(query, gallery, CROSS_CAMERA)
    count = device_counter(comparison, CPU)
    places = np.concatenate(
        [count(start, start + 10, comparison.same_person(start, start + 10)) for start in (0, 10, 20)]
    )
    assert np.array_equal(places, match_ranks(comparison, block_size=2**27, device=CPU).ranks)


def test_several_threads_find_what_one_finds():
    generator = np.random.default_rng(2)
    (comparison,) = comparisons(crowd(generator, 90), crowd(generator, 400), MARS)
    similarities = COSINE.rows(comparison.query.unit_embeddings, comparison.gallery.unit_embeddings)(0, 90)
    alone = match_ranks(comparison, Given(similarities), block_size=2**27, device=CPU)
    num_threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert_same(match_ranks(comparison, Given(similarities), block_size=2**27, device=CPU), alone)
    finally:
        torch.set_num_threads(num_threads)


def test_in_a_gallery_of_nobody_nobody_has_a_match():
    query, gallery = table([[1, 0], [1, 0]], [7, 7], platforms=[0, 1]), table([[1, 0]], [7])
    of_ground, of_aerial = comparisons(query, gallery, CROSS_PLATFORM)
    assert len(of_ground.gallery.pids) == 0
    assert match_ranks(of_ground, block_size=2**27, device=CPU).num_matches.tolist() == [0]
    assert match_ranks(of_aerial, block_size=2**27, device=CPU).num_matches.tolist() == [1]


def test_progress_is_told_after_every_block():
    generator = np.random.default_rng(3)
    (comparison,) = comparisons(crowd(generator, 25), crowd(generator, 50), CROSS_CAMERA)
    told = []
    size = len(comparison.gallery.pids)
    match_ranks(comparison, block_size=10 * size, device=CPU, progress=lambda *report, **_: told.append(report))
    assert told == [("evaluate", 10, 25), ("evaluate", 20, 25), ("evaluate", 25, 25)]


RAGGED = st.lists(st.lists(st.integers(0, 99), unique=True, max_size=12).map(sorted), min_size=1, max_size=8)


def ranks_of(ragged: list[list[int]]) -> MatchRanks:
    offsets = np.concatenate([[0], np.cumsum([len(places) for places in ragged])])
    return MatchRanks(
        np.array([place for places in ragged for place in places], dtype=np.int64), offsets.astype(np.int64)
    )


@given(ragged=RAGGED, cut=st.sampled_from([None, 1, 5, 20]))
def test_every_score_of_a_query_is_that_of_a_plain_loop(ragged, cut):
    made = ranks_of(ragged)
    assert made.num_matches.tolist() == [len(places) for places in ragged]
    assert made.first.tolist() == [places[0] if places else -1 for places in ragged]
    assert made.last.tolist() == [places[-1] if places else -1 for places in ragged]
    for query, places in enumerate(ragged):
        precision, penalty = made.average_precisions(cut)[query], made.inverse_negative_penalties()[query]
        if not places:
            assert np.isnan(precision)
            assert np.isnan(penalty)
            continue
        counted = [(i + 1) / (place + 1) for i, place in enumerate(places) if cut is None or place < cut]
        most = len(places) if cut is None else min(len(places), cut)
        assert precision == pytest.approx(sum(counted) / most, rel=0, abs=1e-12)
        assert penalty == len(places) / (places[-1] + 1)


def test_a_cut_counts_a_perfect_ranking_as_one_whatever_the_number_of_matches():
    assert ranks_of([list(range(30)), [0]]).average_precisions(cut=20).tolist() == [1, 1]


@given(ragged=RAGGED, seed=st.integers(0, 99))
def test_groups_of_queries_are_put_together_at_their_rows(ragged, seed):
    rows = np.random.default_rng(seed).permutation(len(ragged))
    parts = np.array_split(rows, 2)
    joined = join([ranks_of([ragged[row] for row in part]) for part in parts], parts, len(ragged) + 1)
    expected = ranks_of([*ragged, []])  # the last row did not ask
    assert np.array_equal(joined.ranks, expected.ranks)
    assert np.array_equal(joined.offsets, expected.offsets)
