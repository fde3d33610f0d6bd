import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skyreid.evaluation.pair_counts import CELLS, STEPS, cells_of, numbers_of, orders_of, starts_of, steps_of

NUMBERS = st.floats(width=32, allow_nan=False)


@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_the_order_of_numbers_is_theirs_and_names_them(drawn):
    numbers = np.array(drawn, dtype=np.float32)
    orders = orders_of(numbers)
    assert np.array_equal(numbers_of(orders), numbers)
    smaller = numbers[:, np.newaxis] < numbers
    assert np.array_equal(orders[:, np.newaxis] < orders, smaller)


@given(NUMBERS)
def test_a_number_stands_among_the_steps_of_its_cell(number):
    (cell,) = cells_of(np.array([number], dtype=np.float32))
    assert 0 <= cell < CELLS
    steps = steps_of(int(cell))
    assert np.float32(number) in steps
    assert steps.size == STEPS
    assert starts_of(np.array([cell]))[0] == steps[0]


def test_a_cell_is_narrow():
    steps = steps_of(int(cells_of(np.array([0.5], dtype=np.float32))[0]))
    assert 0 < steps[-1] / steps[0] - 1 < 0.002
