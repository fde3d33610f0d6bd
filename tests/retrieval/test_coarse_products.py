"""What 8 bits leave out, float16 leaves out too."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skyreid.retrieval.coarse_products import coarse_rows, product_bounds

LAST_BITS = 1e-4
"""Of sums of some hundred numbers in float32."""


@settings(max_examples=40)
@given(seed=st.integers(0, 999), embed=st.sampled_from([1, 6, 129]), peak=st.sampled_from([0.0, 1.0, 30.0]))
def test_every_product_of_float16_lies_between_its_bounds(seed, embed, peak):
    random = np.random.default_rng(seed)
    exact = random.standard_normal((23, embed))
    exact[:, 0] += peak  # one large number makes the steps of all others coarse
    exact[3] = 0.0
    halves = (exact / np.linalg.norm(exact, axis=1, keepdims=True).clip(1e-9)).astype(np.float16)
    direction = random.standard_normal(embed).astype(np.float32)
    rows = random.permutation(23)[: random.integers(1, 24)]
    least, most = product_bounds(*coarse_rows(halves), direction, rows)
    products = halves[rows].astype(np.float64) @ direction
    room = LAST_BITS * np.abs(direction).sum()
    assert (least - room <= products).all() and (products <= most + room).all()
    steps = np.abs(halves[rows].astype(np.float64)).max(axis=1) / 127
    np.testing.assert_allclose(most - least, steps * np.abs(direction).sum(), rtol=1e-3, atol=1e-6)


def test_a_row_of_one_number_is_told_without_loss():
    halves = np.zeros((4, 8), dtype=np.float16)
    halves[:, 2] = 1.0, -1.0, 0.5, 0.0
    coarse, steps = coarse_rows(halves)
    assert coarse[:, 2].tolist() == [127, -127, 127, 0] and np.allclose(coarse * steps[:, None], halves, atol=1e-7)
