"""The grid against a loop over all boxes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skyreid.simulation.rendering.kernels.bins import cell_of, sort_into_bins


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1 << 20), count=st.integers(0, 40), spread=st.sampled_from([1.0, 30.0, 500.0]))
def test_a_point_finds_every_box_that_it_lies_in(seed, count, spread):
    rng = np.random.default_rng(seed)
    low = rng.uniform(-spread, spread, (count, 2))
    boxes = np.concatenate([low, low + rng.uniform(0, 0.3 * spread, (count, 2))], axis=1)
    boxes[rng.random(count) < 0.2, 2] = -np.inf
    bins = sort_into_bins(boxes)
    for x, y in rng.uniform(-1.2 * spread, 1.5 * spread, (50, 2)):
        begin, end = cell_of(bins.grid, bins.first, x, y)
        found = bins.boxes[begin:end].tolist()
        inside = (boxes[:, 0] <= x) & (x <= boxes[:, 2]) & (boxes[:, 1] <= y) & (y <= boxes[:, 3])
        assert found == sorted(found)
        assert set(np.flatnonzero(inside)) <= set(found)
        assert not np.isinf(boxes[found]).any()
