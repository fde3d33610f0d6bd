import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.errors import SettingError
from skyreid.retrieval.cosine import cosine_similarities, unit_rows
from skyreid.retrieval.query_expansion import QueryExpansion


def random_unit_rows(seed: int, rows: int) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).standard_normal((rows, 6), dtype=np.float32) + 0.5)


def expanded_by_hand(query: np.ndarray, gallery: np.ndarray, k: int, alpha: float) -> np.ndarray:
    expanded = []
    for q in query:
        similarities = cosine_similarities(q[np.newaxis], gallery)[0]
        total = q.astype(float)
        for row in np.argsort(-similarities, kind="stable")[:k]:
            total = total + max(float(similarities[row]), 0.0) ** alpha * gallery[row]
        expanded.append(total / np.linalg.norm(total))
    return np.array(expanded)


@given(
    seed=st.integers(0, 1_000),
    gallery_rows=st.integers(1, 30),
    alpha=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    data=st.data(),
)
def test_equals_the_formula_by_hand(seed, gallery_rows, alpha, data):
    query, gallery = random_unit_rows(seed, 7), random_unit_rows(seed + 1, gallery_rows)
    k = data.draw(st.integers(1, gallery_rows))
    similarities = QueryExpansion(k=k, alpha=alpha).rows(query, gallery)(0, 7)
    by_hand = expanded_by_hand(query, gallery, k, alpha) @ gallery.T.astype(float)
    np.testing.assert_allclose(similarities, by_hand, rtol=0, atol=5e-6)  # float32, in any order of its sums


def test_the_cut_into_blocks_changes_no_value():
    query, gallery = random_unit_rows(0, 50), random_unit_rows(1, 200)
    rows = QueryExpansion().rows(query, gallery)
    blocks = [rows(start, min(start + 7, 50)) for start in range(0, 50, 7)]
    assert np.array_equal(np.concatenate(blocks), rows(0, 50))


def test_a_person_seen_from_behind_is_found_through_what_is_like_both_views():
    degrees = np.radians([0, 40, 80, -75])
    front, side, back, stranger = np.stack([np.cos(degrees), np.sin(degrees)], axis=1).astype(np.float32)
    query, gallery = front[np.newaxis], np.stack([stranger, back, side])
    by_cosine = np.argsort(-cosine_similarities(query, gallery)[0])
    by_expansion = np.argsort(-QueryExpansion(k=1, alpha=1.0).rows(query, gallery)(0, 1)[0])
    assert by_cosine.tolist() == [2, 0, 1]
    assert by_expansion.tolist() == [2, 1, 0]


def test_the_rows_that_come_are_left_as_they_are():
    query, gallery = random_unit_rows(0, 5), random_unit_rows(1, 20)
    before = query.copy(), gallery.copy()
    QueryExpansion().rows(query, gallery)(0, 5)
    assert np.array_equal(query, before[0])
    assert np.array_equal(gallery, before[1])


def test_the_name_says_the_settings():
    assert QueryExpansion(k=7, alpha=0.5).name == "query expansion (k 7, alpha 0.5)"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 0}, "k must be at least 1; got 0"),
        ({"alpha": -1.0}, "alpha must be a number from 0; got -1.0"),
        ({"alpha": float("nan")}, "alpha must be a number from 0; got nan"),
        ({"alpha": float("inf")}, "alpha must be a number from 0; got inf"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        QueryExpansion(**settings)


def test_more_neighbours_than_the_gallery_has_are_refused():
    message = "query expansion takes k = 5 neighbours from the gallery, which has 4 rows (set k to at most 4)"
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        QueryExpansion().rows(random_unit_rows(0, 2), random_unit_rows(1, 4))


def test_a_query_that_its_neighbours_cancel_out_is_refused():
    query = np.array([[0, 1], [1, 0]], dtype=np.float32)
    gallery = np.array([[-1, 0]], dtype=np.float32)
    message = "query 1 and its 1 neighbours cancel out, so that nothing is left to ask for (set alpha above 0; got 0)"
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        QueryExpansion(k=1, alpha=0.0).rows(query, gallery)
    assert QueryExpansion(k=1, alpha=1.0).rows(query, gallery)(1, 2).tolist() == [[-1.0]]
