"""Rows that are compared roughly first are found as if all had been compared exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyreid.retrieval.comparing import Direction, may_be_among_the_first, mean_cosines
from skyreid.retrieval.cosine import cosine_similarities, unit_rows
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.retrieval.half_products import half_norms, half_products
from skyreid.retrieval.search import most_similar, search


def table_of(embeddings: np.ndarray, precision: type = np.float32) -> EmbeddingTable:
    """Ids in another order than the rows, so that ties show who decided them."""
    rows = np.arange(len(embeddings))
    return EmbeddingTable(
        embeddings=embeddings.astype(precision),
        pids=rows,
        camids=rows % 3,
        platforms=rows % 2,
        tracklet_ids=np.array([f"t{(row * 7919) % 10_007:05d}" for row in rows]),
    )


def tight(seed: int, rows: int, embed: int) -> np.ndarray:
    """Few people whose sightings differ by the last digits, some not at all, and of any length: order hangs on bits."""
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((3, embed))
    drawn = centres[generator.integers(0, 3, rows)] + 10.0 ** generator.choice([-9, -7, -5, -1], (rows, 1)) * (
        generator.standard_normal((rows, embed))
    )
    return drawn * 10.0 ** generator.integers(-3, 4, (rows, 1))


@settings(max_examples=50)
@given(
    seed=st.integers(0, 99),
    rows=st.sampled_from([20, 700]),
    embed=st.sampled_from([1, 5, 33, 64, 300]),
    queries=st.integers(1, 3),
    top_k=st.integers(1, 50),
    kept=st.sampled_from([0.1, 0.6, 1.0]),
    precision=st.sampled_from([np.float32, np.float16]),
)
def test_a_search_finds_what_comparing_everything_exactly_finds(seed, rows, embed, queries, top_k, kept, precision):
    searched = table_of(tight(seed, rows, embed), precision)
    generator = np.random.default_rng(seed)
    asked = list(range(queries))
    excluded = [str(searched.tracklet_ids[row]) for row in range(queries, rows) if generator.random() > kept]
    left = np.flatnonzero(~np.isin(searched.tracklet_ids, [*excluded, *searched.tracklet_ids[:queries]]))
    if left.size == 0:
        return
    units = unit_rows(searched.embeddings)
    exact = np.zeros(rows, np.float32)
    for row in asked:
        exact += cosine_similarities(units[row : row + 1], units)[0]
    exact = (exact / np.float32(queries))[left]
    found = search(searched, asked, top_k=top_k, exclude=excluded)
    order = most_similar(exact, searched.tracklet_ids[left], top_k)
    assert found.rows.tolist() == left[order].tolist()
    assert found.similarities.tobytes() == exact[order].tobytes()


@pytest.mark.parametrize("first_column", [0, 24])
@pytest.mark.parametrize("precision", [np.float32, np.float16])
def test_nobody_is_left_out_who_may_come_first_and_hardly_anybody_else_stays(first_column, precision):
    generator = np.random.default_rng(0)
    table = table_of(generator.standard_normal((5000, 64)), precision)
    direction = Direction(unit_rows(generator.standard_normal((1, 64 - first_column), dtype=np.float32)), first_column)
    exact = mean_cosines(table, [direction], np.arange(5000))
    for rows in (np.arange(5000), np.flatnonzero(generator.random(5000) < 0.2)):
        left = may_be_among_the_first(table, [direction], rows, 50)
        best = rows[np.argsort(-exact[rows], kind="stable")[:50]]
        assert set(best.tolist()) <= set(left.tolist())
        assert len(left) < 60


def test_where_all_are_alike_nobody_is_left_out():
    table = table_of(np.ones((300, 8)))
    left = may_be_among_the_first(table, [Direction(table.unit_embeddings[:1])], np.arange(300), 5)
    assert left.tolist() == list(range(300))


def test_a_row_has_the_same_cosine_alone_and_among_others():
    """Few rows are scaled to length 1 when they are compared, many are kept so."""
    for embed in (1, 5, 33, 512):
        table = table_of(np.random.default_rng(embed).standard_normal((200, embed)))
        direction = Direction(table.unit_embeddings[7:8])
        together = mean_cosines(table, [direction], np.arange(200))
        apart = np.concatenate([mean_cosines(table, [direction], rows) for rows in np.split(np.arange(200), [1, 3, 9])])
        assert apart.tobytes() == together.tobytes()


@given(
    halves=st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=70),
    rows=st.lists(st.integers(0, 69), max_size=11),
)
def test_every_finite_float16_is_multiplied_as_numpy_does(halves, rows):
    values = np.array(halves, dtype=np.uint16).view(np.float16)
    values = np.where(np.isfinite(values), values, np.float16(0.5))[:, np.newaxis]
    kept = np.array([row for row in rows if row < len(values)], dtype=np.int64)
    products = half_products(values, np.array([0.75], np.float32), kept)
    assert products.tolist() == (values[kept, 0].astype(np.float32) * np.float32(0.75)).tolist()


def test_products_of_float16_rows_are_those_of_float32():
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((103, 77)).astype(np.float16)
    direction = generator.standard_normal(77, dtype=np.float32)
    kept = np.arange(103)[::-1].copy()
    np.testing.assert_allclose(
        half_products(rows, direction, kept), (rows.astype(np.float64) @ direction)[kept], rtol=0, atol=1e-4
    )


def test_lengths_of_float16_rows_are_those_of_float32_and_infinite_where_there_is_none():
    rows = np.random.default_rng(0).standard_normal((9, 77)).astype(np.float16)
    rows[3] *= np.float16(1e-4)  # below where float16 is normal
    rows[4], rows[5, 7], rows[6, 8], rows[7, 9] = 0, np.inf, -np.inf, np.nan
    for first, infinite in ((0, [5, 6, 7]), (8, [6, 7])):
        lengths = half_norms(rows, first)
        assert np.flatnonzero(np.isinf(lengths)).tolist() == infinite
        finite = np.isfinite(lengths)
        expected = np.linalg.norm(rows[finite, first:].astype(np.float64), axis=1)
        np.testing.assert_allclose(lengths[finite], expected, rtol=1e-6)
