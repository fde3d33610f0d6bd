from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.retrieval.cosine import COSINE, cosine_similarities, unit_rows
from skyreid.retrieval.row_lengths import has_direction

REFERENCE = Path(__file__).parents[1] / "reference" / "metrics"
ROUNDED = 5e-6
"""What float32 may round in a cosine, whatever the order of its sum; what is wrong is off by far more."""


def random_rows(seed: int, rows: int, embed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, embed), dtype=np.float32)


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("small_*.npz")), ids=lambda path: path.stem)
def test_similarities_are_minus_the_distances_of_the_released_program(path):
    stored = np.load(path)
    gallery = np.concatenate([stored["qf"], stored["gf"]]) if stored["mars"] else stored["gf"]
    similarities = cosine_similarities(unit_rows(stored["qf"]), unit_rows(gallery))
    np.testing.assert_allclose(similarities, -stored["distmat"], rtol=0, atol=ROUNDED)


def test_similarities_equal_the_cosine_in_double_precision():
    query, gallery = random_rows(0, 5, 37), random_rows(1, 70, 37)
    exact = np.array(
        [
            [np.dot(q, g) / np.linalg.norm(q) / np.linalg.norm(g) for g in gallery.astype(float)]
            for q in query.astype(float)
        ]
    )
    similarities = cosine_similarities(unit_rows(query), unit_rows(gallery))
    np.testing.assert_allclose(similarities, exact, rtol=0, atol=ROUNDED)


@pytest.mark.parametrize("embed", [33, 64, 512])
def test_equal_rows_are_equally_similar_wherever_they_stand(embed):
    gallery = unit_rows(random_rows(0, 301, embed))
    repeated = np.concatenate([gallery, gallery, gallery])
    similarities = cosine_similarities(unit_rows(random_rows(1, 21, embed)), repeated)
    assert np.array_equal(similarities[:, :301], similarities[:, 301:602])
    assert np.array_equal(similarities[:, :301], similarities[:, 602:])


@given(
    embed=st.sampled_from([3, 33, 64, 512]),
    query_cuts=st.lists(st.integers(1, 39), unique=True, max_size=4),
    gallery_cuts=st.lists(st.integers(1, 299), unique=True, max_size=4),
)
def test_a_pair_is_equally_similar_however_the_work_is_cut(embed, query_cuts, gallery_cuts):
    query, gallery = unit_rows(random_rows(0, 40, embed)), unit_rows(random_rows(1, 300, embed))
    whole = cosine_similarities(query, gallery)
    tiled = np.concatenate(
        [
            np.concatenate([cosine_similarities(q, g) for g in np.split(gallery, sorted(gallery_cuts))], axis=1)
            for q in np.split(query, sorted(query_cuts))
        ]
    )
    assert np.array_equal(tiled, whole)


@pytest.mark.parametrize("num_gallery", [1, 30, 300])
def test_the_ranker_gives_what_a_search_shows_though_it_uses_its_memory_again(num_gallery):
    query, gallery = unit_rows(random_rows(0, 40, 64)), unit_rows(random_rows(1, num_gallery, 64))
    rows = COSINE.rows(query, gallery)
    whole = cosine_similarities(query, gallery)
    for start, stop in [(0, 7), (7, 40), (0, 40), (39, 40)]:
        assert np.array_equal(rows(start, stop), whole[start:stop])


def test_read_only_and_strided_embeddings_are_accepted():
    rows = random_rows(0, 12, 8)
    read_only = rows.copy()
    read_only.flags.writeable = False
    assert np.array_equal(unit_rows(read_only), unit_rows(rows))
    assert np.array_equal(unit_rows(rows[::-1]), unit_rows(rows)[::-1])


def test_a_row_has_a_direction_when_its_length_survives_float32():
    rows = np.array([[3, 4], [0, 0], [1e-30, 0], [1e30, 0], [np.nan, 1], [np.inf, 1], [1e-11, 0]], dtype=np.float32)
    assert has_direction(rows).tolist() == [True, False, False, False, False, False, True]
