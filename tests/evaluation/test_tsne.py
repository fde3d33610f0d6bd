import numpy as np
import pytest

from skyreid.evaluation.tsne import main_directions, tsne


def groups(rng, *, count, size, dim=20, spread=0.05):
    return np.repeat(rng.normal(size=(count, dim)), size, axis=0) + spread * rng.normal(size=(count * size, dim))


def test_groups_that_lie_apart_in_many_dimensions_lie_apart_on_the_plane():
    rows = groups(np.random.default_rng(0), count=6, size=20)
    points = tsne(main_directions(rows, 10))
    distances = np.linalg.norm(points[:, np.newaxis] - points, axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1) // 20
    np.testing.assert_array_equal(nearest, np.arange(120) // 20)


def test_the_same_rows_give_the_same_points():
    rows = main_directions(groups(np.random.default_rng(1), count=4, size=10), 10)
    np.testing.assert_array_equal(tsne(rows), tsne(rows.copy()))


def test_main_directions_keep_all_distances_when_all_are_kept():
    rows = np.random.default_rng(2).normal(size=(12, 5))
    found = main_directions(rows, 5)
    for first in range(12):
        np.testing.assert_allclose(
            np.linalg.norm(found - found[first], axis=1), np.linalg.norm(rows - rows[first], axis=1)
        )
    assert np.all(np.diff(found.var(axis=0)) < 0)


def test_main_directions_do_not_depend_on_the_sign_that_the_library_chose():
    rows = np.random.default_rng(3).normal(size=(12, 5))
    mirrored = main_directions(-rows, 2)
    np.testing.assert_allclose(main_directions(rows, 2), -mirrored)


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9])
def test_a_handful_of_rows_gets_finite_points(count):
    rows = np.random.default_rng(4).normal(size=(count, 3))
    points = tsne(main_directions(rows, 50))
    assert points.shape == (count, 2)
    assert np.isfinite(points).all()


def test_rows_that_are_all_equal_get_finite_points():
    assert np.isfinite(tsne(main_directions(np.ones((20, 3)), 50))).all()
