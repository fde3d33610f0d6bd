import json
import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.datasets.protocol import CROSS_CAMERA, GROUND_TO_AERIAL, PROTOCOLS
from skyreid.errors import ProtocolError, TableError
from skyreid.evaluation import pair_counts
from skyreid.evaluation.pair_counts import CELL
from skyreid.evaluation.pair_scores import pair_scores
from tests.evaluation.pair_loops import crowd, loops, table, tables

RATES = (0.5, 0.29, 0.1, 0.01)


def flat(lists) -> list[float]:
    return sorted(value for values in lists for value in values)


def slow_point(same, different, rate) -> tuple[float, int, float]:
    """The least start of a cell that no more than `rate` of the different-person pairs reach, tried one by one."""
    for candidate in [-1, *different]:
        threshold = (math.floor(candidate / CELL) + 1) * CELL
        reaching = sum(value >= threshold for value in different)
        if Fraction(reaching, len(different)) <= Fraction(str(rate)):
            return threshold, reaching, sum(value >= threshold for value in same) / len(same)
    raise AssertionError


@given(
    query=tables(8),
    gallery=tables(25),
    protocol=st.sampled_from([*PROTOCOLS.values()]),
    block_size=st.sampled_from([1, 4_000_000]),
)
def test_scores_equal_two_loops_over_all_pairs_with_ties(query, gallery, protocol, block_size):
    same, different = map(flat, loops(query, gallery, protocol))
    if not same or not different:
        with pytest.raises(ProtocolError):
            pair_scores(query, gallery, protocol, false_positive_rates=RATES, block_size=block_size)
        return
    scores = pair_scores(query, gallery, protocol, false_positive_rates=RATES, block_size=block_size)
    assert (scores.positives, scores.negatives) == (len(same), len(different))
    resolvable = [rate for rate in RATES if Fraction(str(rate)) * len(different) >= 1]
    assert [point.false_positive_rate for point in scores.points] == resolvable
    assert [*resolvable, *scores.unresolved] == list(RATES)
    for point in scores.points:
        threshold, false_positives, true_positive_rate = slow_point(same, different, point.false_positive_rate)
        assert (point.threshold, point.false_positives) == (threshold, false_positives)
        assert point.true_positive_rate == pytest.approx(true_positive_rate, rel=0, abs=1e-15)
    for values, shares in ((same, scores.same), (different, scores.different)):
        expected = [
            sum(low <= value < high for value in values)
            for low, high in zip(scores.edges, scores.edges[1:], strict=False)
        ]
        np.testing.assert_allclose(shares * len(values), expected, rtol=0, atol=1e-9)


@pytest.fixture(scope="module")
def two_crowds():
    generator = np.random.default_rng(1)
    return crowd(generator, 700, 60), crowd(generator, 900, 60, first_id=700)


def all_similarities(query, gallery):
    similarities = query.unit_embeddings @ gallery.unit_embeddings.T
    is_same = query.pids[:, np.newaxis] == gallery.pids
    is_junk = is_same & (query.camids[:, np.newaxis] == gallery.camids)
    return similarities[is_same & ~is_junk], similarities[~is_same]


def test_a_threshold_among_many_pairs_is_found_to_a_millionth_and_what_reaches_it_is_exact(two_crowds):
    scores = pair_scores(*two_crowds, CROSS_CAMERA)
    same, different = all_similarities(*two_crowds)
    from_above = np.sort(different)[::-1]
    for point in scores.points:
        let_in = int(point.false_positive_rate * different.size)
        least = np.nextafter(from_above[let_in], np.float32(1))
        assert 0 <= point.threshold - least <= 1e-6
        # Another multiplication may round a similarity by one float32 and thus let one pair more or less in.
        assert np.mean(different >= point.threshold) == pytest.approx(point.false_positives / different.size, abs=4e-6)
        assert let_in - 3 <= point.false_positives <= let_in
        assert np.mean(same >= point.threshold) == pytest.approx(point.true_positive_rate, abs=1e-3)
    assert len(scores.points) == 4
    assert scores.same.sum() == pytest.approx(1)
    assert scores.different.sum() == pytest.approx(1)


@pytest.mark.parametrize("block_size", [1, 50_000, 10**9])
def test_the_block_size_changes_no_number(two_crowds, block_size):
    assert pair_scores(*two_crowds, CROSS_CAMERA, block_size=block_size).to_json() == (
        pair_scores(*two_crowds, CROSS_CAMERA).to_json()
    )


def test_memory_is_bounded_by_the_block_size(two_crowds):
    sizes = []

    class Watched:
        name = "watched"

        def rows(self, query, gallery):
            def block(start, stop):
                sizes.append(stop - start)
                return query[start:stop] @ gallery.T

            return block

    pair_scores(*two_crowds, CROSS_CAMERA, ranker=Watched(), block_size=20 * 900)
    assert max(sizes) == 20


@pytest.mark.parametrize("scale", [1.01, float("nan")])
def test_a_ranker_whose_similarities_are_none_from_minus_1_to_1_is_refused(two_crowds, scale):
    class Stretched:
        name = "stretched"

        def rows(self, query, gallery):
            return lambda start, stop: np.full((stop - start, len(gallery)), -scale, dtype=np.float32)

    message = rf"pairs are counted by similarities from -1 to 1; stretched gives {-scale:g} to "
    with pytest.raises(ProtocolError, match=message):
        pair_scores(*two_crowds, CROSS_CAMERA, ranker=Stretched())


def test_threads_change_no_number(two_crowds, monkeypatch):
    alone = pair_scores(*two_crowds, CROSS_CAMERA).to_json()
    monkeypatch.setattr(pair_counts.torch, "get_num_threads", lambda: 3)
    assert pair_scores(*two_crowds, CROSS_CAMERA).to_json() == alone


def test_where_a_tie_crosses_the_rate_none_of_it_is_let_in():
    query = table([[1, 0]], [7])
    gallery = table([[1, 0], [1, 0], [0, 1], [0, 1], [0, 1], [1, 0]], [1, 2, 3, 4, 5, 7], camids=[1] * 6)
    scores = pair_scores(query, gallery, CROSS_CAMERA, false_positive_rates=(0.2, 0.4, 0.6))
    assert [point.threshold for point in scores.points] == [1 + CELL, CELL, CELL]
    assert [point.false_positives for point in scores.points] == [0, 2, 2]
    assert [point.true_positive_rate for point in scores.points] == [0, 1, 1]


def test_queries_and_entries_of_unknown_people_make_no_pair():
    query = table([[1, 0], [1, 0]], [7, -1])
    gallery = table([[1, 0], [0, 1], [1, 1]], [7, 8, -1], camids=[1] * 3)
    scores = pair_scores(query, gallery, CROSS_CAMERA)
    assert (scores.positives, scores.negatives) == (1, 1)


SCORES = pair_scores(
    table([[1, 0], [0, 1]], [7, 8]),
    table([[1, 0], [0, 1]] * 5, [7, 8] * 5, camids=[1] * 10),
    CROSS_CAMERA,
    false_positive_rates=(0.1, 0.01),
)


def test_scores_are_written_for_programs():
    content = json.loads(json.dumps(SCORES.to_json()))
    assert content["tpr_at_fpr"]["0.01"] is None
    assert content["tpr_at_fpr"]["0.1"] == {
        "false_positive_rate": 0.1,
        "threshold": CELL,
        "false_positives": 0,
        "true_positive_rate": 1.0,
    }
    assert (content["same_person_pairs"], content["different_person_pairs"], content["ranker"]) == (10, 10, "cosine")


def test_scores_are_written_for_people():
    assert SCORES.lines() == [
        "cross-camera: 10 same-person pairs, 10 different-person pairs",
        "  TPR 100.0% at FPR 0.1: similarity at least 0.0000, reached by 0 different-person pairs",
        "  FPR 0.01 is not resolvable with 10 different-person pairs: ask for at least 0.1, or bring more",
    ]


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, float("nan")])
def test_a_rate_that_is_none_is_refused(rate):
    message = f"a false positive rate must lie between 0 and 1; got {rate}"
    with pytest.raises(ProtocolError, match=f"^{re.escape(message)}$"):
        pair_scores(table([[1, 0]], [7]), table([[1, 0]], [7]), CROSS_CAMERA, false_positive_rates=(rate,))


@pytest.mark.parametrize(
    ("query", "gallery", "protocol", "message"),
    [
        (table([[1, 0]], [7]), table([[1, 0]], [7]), GROUND_TO_AERIAL,
         "ground-to-aerial: no aerial tracklet to search; the gallery table has 1 ground, 0 aerial, of them 0 junk"),
        (table([[1, 0]], [7]), table([[1, 0]], [8]), CROSS_CAMERA,
         "the protocol must leave pairs of the same person and pairs of different people; got 0 and 1"),
        (table([[1, 0]], [7]), table([[1, 0]], [7], camids=[1]), CROSS_CAMERA,
         "the protocol must leave pairs of the same person and pairs of different people; got 1 and 0"),
    ],
)  # fmt: skip
def test_nobody_to_compare_is_refused(query, gallery, protocol, message):
    with pytest.raises(ProtocolError, match=f"^{re.escape(message)}$"):
        pair_scores(query, gallery, protocol)


def test_tables_of_different_models_are_refused():
    with pytest.raises(TableError, match="from one model"):
        pair_scores(table([[1, 0]], [7], model="a" * 64), table([[1, 0]], [7], model="b" * 64), CROSS_CAMERA)
