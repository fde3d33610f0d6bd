import re

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from skyreid.errors import SettingError
from skyreid.retrieval.cosine import cosine_similarities, unit_rows
from skyreid.retrieval.reranking import KReciprocal


def dense_distances(query: np.ndarray, gallery: np.ndarray, k1: int, k2: int, weight: float) -> np.ndarray:
    """d* of every query with every gallery row: the paper's formulas one after the other, in loops over sets."""
    rows = np.concatenate([query, gallery])
    everyone = range(len(rows))
    similarity = cosine_similarities(rows, rows).astype(float)
    d = np.maximum(2 - 2 * similarity, 0)
    d = d / np.array([max(row) or 1 for row in d])[:, np.newaxis]
    ranking = np.argsort(-similarity, axis=1, kind="stable").tolist()
    half = int(np.around(k1 / 2))

    def nearest(p, k):  # p itself is one more
        return set(ranking[p][: k + 1])

    def reciprocal(p, k):
        return {g for g in nearest(p, k) if p in nearest(g, k)}

    v = np.zeros((len(rows), len(rows)))
    for p in everyone:
        members = expanded = reciprocal(p, k1)
        for q in members:
            candidates = reciprocal(q, half)
            if len(candidates & members) > 2 / 3 * len(candidates):
                expanded = expanded | candidates
        for g in expanded:
            v[p, g] = np.exp(-d[p, g])
        if expanded:
            v[p] /= v[p].sum()
    if k2 != 1:
        v = np.array([np.mean(v[ranking[p][:k2]], axis=0) for p in everyone])

    shared = np.array([[np.minimum(v[p], v[g]).sum() for g in everyone] for p in everyone])
    final = (1 - weight) * (1 - shared / (2 - shared)) + weight * d
    return final[: len(query), len(query) :]


def clustered_rows(seed: int, rows: int, people: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of length one to a thousandth, in steps of 2**-10: float32 rounds none of their products and sums, so that
    a similarity, and who is whose neighbour, is the same on every processor."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((people, 16))
    pids = np.arange(rows) % people
    exact = unit_rows((centres[pids] + noise * generator.standard_normal((rows, 16))).astype(np.float32))
    return np.round(exact * 1024) / 1024, pids


def tied_rows(seed: int, rows: int, people: int) -> np.ndarray:
    """Rows of few directions: many are equal and many more equally similar."""
    generator = np.random.default_rng(seed)
    directions = generator.choice([-1.0, 1.0], (people, 4)).astype(np.float32)
    return unit_rows(directions[generator.integers(0, people, rows)])


@given(
    seed=st.integers(0, 10_000),
    queries=st.integers(0, 15),
    gallery_rows=st.integers(1, 70),
    people=st.integers(1, 12),
    has_ties=st.booleans(),
    k1=st.integers(1, 25),
    k2=st.integers(1, 12),
    weight=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
)
@example(seed=0, queries=10, gallery_rows=70, people=5, has_ties=False, k1=20, k2=6, weight=0.3)
@example(seed=0, queries=10, gallery_rows=70, people=1, has_ties=True, k1=4, k2=3, weight=0.3)  # all rows are equal
@example(seed=0, queries=3, gallery_rows=7, people=3, has_ties=False, k1=9, k2=10, weight=0.3)  # all are neighbours
def test_equals_the_dense_formula(seed, queries, gallery_rows, people, has_ties, k1, k2, weight):
    rows = queries + gallery_rows
    assume(rows > 1)
    k1, k2 = min(k1, rows - 1), min(k2, rows)
    table = tied_rows(seed, rows, people) if has_ties else clustered_rows(seed, rows, people, 0.7)[0]
    query, gallery = table[:queries], table[queries:]
    similarities = KReciprocal(k1=k1, k2=k2, weight=weight).rows(query, gallery)(0, queries)
    dense = dense_distances(query, gallery, k1, k2, weight)
    np.testing.assert_allclose(-similarities, dense, rtol=0, atol=1e-7)


def test_the_cut_into_blocks_changes_no_value():
    table, _ = clustered_rows(3, 300, 40, 1.0)
    rows = KReciprocal().rows(table[:50], table[50:])
    whole = rows(0, 50)
    for size in (1, 7, 33):
        blocks = [rows(start, min(start + size, 50)) for start in range(0, 50, size)]
        assert np.array_equal(np.concatenate(blocks), whole)


def test_shared_neighbours_outweigh_a_stranger_who_is_nearer():
    person, strangers = [10, 20, 30, 40], [-35, -38, -41, -44, -47]
    angles = np.radians([0, *person, *strangers])
    table = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    query, gallery = table[:1], table[1:]
    by_cosine = cosine_similarities(query, gallery)[0]
    by_neighbours = KReciprocal(k1=4, k2=2).rows(query, gallery)(0, 1)[0]
    assert by_cosine[:4].min() < by_cosine[4:].max()
    assert by_neighbours[:4].min() > by_neighbours[4:].max()


def test_the_members_of_a_cluster_come_first():
    table, pids = clustered_rows(1, 400, 20, 0.5)
    similarities = KReciprocal().rows(table[:40], table[40:])(0, 40)
    by_cosine = cosine_similarities(table[:40], table[40:])
    members = pids[40:][np.newaxis] == pids[:40, np.newaxis]

    def found(scores):
        first = np.argsort(-scores, axis=1, kind="stable")[:, : members[0].sum()]
        return np.take_along_axis(members, first, axis=1).mean()

    assert found(similarities) == 1
    assert found(by_cosine) < 1


def test_the_name_says_the_settings():
    assert KReciprocal().name == "k-reciprocal (20, 6, 0.3)"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k1": 0}, "k1 must be at least 1; got 0"),
        ({"k2": 0}, "k2 must be at least 1; got 0"),
        ({"weight": 1.5}, "weight must be between 0 and 1; got 1.5"),
        ({"weight": float("nan")}, "weight must be between 0 and 1; got nan"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        KReciprocal(**settings)


def test_more_neighbours_than_rows_are_refused():
    table, _ = clustered_rows(0, 20, 4, 1.0)
    message = (
        "k-reciprocal (20, 6, 0.3) takes the 21 nearest rows of every row, itself among them; "
        "query and gallery have 5 + 15 rows (set k1 to at most 19 and k2 to at most 20)"
    )
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        KReciprocal().rows(table[:5], table[5:])
