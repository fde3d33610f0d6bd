import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.retrieval.cosine import cosine_similarities, unit_rows
from skyreid.retrieval.nearest_neighbours import nearest_neighbours


def random_unit_rows(seed: int, rows: int, *, coarse: bool) -> np.ndarray:
    """Coarse rows have few directions, so that many are equal and many more equally similar."""
    generator = np.random.default_rng(seed)
    if not coarse:
        return unit_rows(generator.standard_normal((rows, 8), dtype=np.float32))
    return unit_rows(generator.choice([-1.0, 1.0], (rows, 3)).astype(np.float32))


@given(
    seed=st.integers(0, 1_000),
    queries=st.integers(0, 40),
    gallery_rows=st.integers(1, 90),
    coarse=st.booleans(),
    data=st.data(),
)
def test_neighbours_are_the_first_of_a_stable_sort(seed, queries, gallery_rows, coarse, data):
    query = random_unit_rows(seed, queries, coarse=coarse)
    gallery = random_unit_rows(seed + 1, gallery_rows, coarse=coarse)
    k = data.draw(st.integers(1, gallery_rows))
    similarities = cosine_similarities(query, gallery)
    order = np.argsort(-similarities, axis=1, kind="stable")
    found = nearest_neighbours(query, gallery, k)
    assert np.array_equal(found.rows, order[:, :k])
    assert np.array_equal(found.similarities, np.take_along_axis(similarities, order[:, :k], axis=1))
    assert np.array_equal(found.least_similarities, np.take_along_axis(similarities, order[:, -1:], axis=1)[:, 0])


@pytest.mark.parametrize("coarse", [False, True])
def test_the_block_size_changes_no_value(coarse):
    query, gallery = random_unit_rows(0, 101, coarse=coarse), random_unit_rows(1, 333, coarse=coarse)
    whole = nearest_neighbours(query, gallery, 7)
    for block_size in (1, 20 * 333, 50 * 333):
        blocked = nearest_neighbours(query, gallery, 7, block_size=block_size)
        assert np.array_equal(blocked.rows, whole.rows)
        assert np.array_equal(blocked.similarities, whole.similarities)
        assert np.array_equal(blocked.least_similarities, whole.least_similarities)
