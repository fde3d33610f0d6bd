import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.evaluation.ranking.match_ranks import MatchRanks, join

RAGGED = st.lists(st.lists(st.integers(0, 99), unique=True, max_size=12).map(sorted), min_size=1, max_size=8)


def match_ranks(ragged: list[list[int]]) -> MatchRanks:
    offsets = np.concatenate([[0], np.cumsum([len(places) for places in ragged])])
    return MatchRanks(
        np.array([place for places in ragged for place in places], dtype=np.int64), offsets.astype(np.int64)
    )


@given(ragged=RAGGED, cut=st.sampled_from([None, 1, 5, 20]))
def test_every_score_of_a_query_is_that_of_a_plain_loop(ragged, cut):
    made = match_ranks(ragged)
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
    assert match_ranks([list(range(30)), [0]]).average_precisions(cut=20).tolist() == [1, 1]


@given(ragged=RAGGED, seed=st.integers(0, 99))
def test_groups_of_queries_are_put_together_at_their_rows(ragged, seed):
    rows = np.random.default_rng(seed).permutation(len(ragged))
    parts = np.array_split(rows, 2)
    joined = join([match_ranks([ragged[row] for row in part]) for part in parts], parts, len(ragged) + 1)
    expected = match_ranks([*ragged, []])  # the last row did not ask
    assert np.array_equal(joined.ranks, expected.ranks)
    assert np.array_equal(joined.offsets, expected.offsets)
