"""What is counted without sorting is what sorting gives, wherever the wanted values lie."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyreid.evaluation.row_counting import count_beyond

CLUSTERS = {
    "apart": lambda generator, size: generator.uniform(-1, 1, size),
    "with one far away": lambda generator, size: np.append(generator.normal(0, 1e-6, size - 1), 1.0),
    "all equal": lambda generator, size: np.full(size, 0.25),
    "a few values": lambda generator, size: generator.choice([-0.5, 0.25, 0.2500001, 0.75], size),
    "next to each other": lambda generator, size: np.float32(0.25) + np.arange(size) * np.float32(2**-25),
}


@settings(max_examples=20)
@given(
    seed=st.integers(0, 9999),
    lie=st.sampled_from(sorted(CLUSTERS)),
    num_wanted=st.sampled_from([1, 5, 30, 200, 700]),
    num_values=st.sampled_from([40, 300, 9_000]),
)
def test_as_many_exceed_and_equal_each_wanted_value_as_a_comparison_with_all_says(seed, lie, num_wanted, num_values):
    generator = np.random.default_rng(seed)
    wanted = np.sort(CLUSTERS[lie](generator, num_wanted).astype(np.float32))
    row = generator.uniform(-1, 1, num_values).astype(np.float32)
    row[::3] = generator.choice(wanted, row[::3].size) + generator.choice([0, 0, 2**-24, -1e-6], row[::3].size).astype(
        np.float32
    )
    row[::11] = -np.inf  # what was taken out
    closer, equal = np.zeros(num_wanted, dtype=np.int64), np.zeros(num_wanted, dtype=np.int64)
    count_beyond(row, wanted, closer, equal)
    assert np.array_equal(closer, (row > wanted[:, np.newaxis]).sum(axis=1))
    assert np.array_equal(equal, (row == wanted[:, np.newaxis]).sum(axis=1))


@pytest.mark.parametrize("num_values", [0, 1])
def test_of_no_values_none_are_counted(num_values):
    closer, equal = np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
    count_beyond(np.full(num_values, 0.5, dtype=np.float32), np.array([0.1, 0.5, 0.9], dtype=np.float32), closer, equal)
    assert (closer.tolist(), equal.tolist()) == ([num_values, 0, 0], [0, num_values, 0])
