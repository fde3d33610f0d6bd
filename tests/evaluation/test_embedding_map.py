import numpy as np
import pytest

from skyreid.evaluation.embedding_map import main_directions, map_embeddings, tsne
from skyreid.retrieval.embedding_table import EmbeddingTable


def crowd(people, *, each=2, dim=8):
    """Person p is the less alike on both platforms the greater p is."""
    rng = np.random.default_rng(0)
    pids = np.repeat(np.arange(1, people + 1), each)
    platforms = np.tile(np.arange(each) % 2, people)
    faces = np.repeat(rng.normal(size=(people, dim)), each, axis=0)
    aside = rng.normal(size=(people * each, dim)) * (platforms * pids / people)[:, np.newaxis]
    return EmbeddingTable(
        embeddings=(faces + 0.1 * aside).astype(np.float32),
        pids=pids,
        camids=platforms,
        platforms=platforms,
        tracklet_ids=np.array([f"t{row:05d}" for row in range(people * each)]),
    )


def test_every_tracklet_of_a_small_table_is_a_point_with_what_is_known_of_it():
    table = crowd(20)
    first_places = np.arange(40) % 3 - 1
    found = map_embeddings(table, first_places)
    np.testing.assert_array_equal(found.tracklet_ids, table.tracklet_ids)
    np.testing.assert_array_equal(found.is_query, first_places >= 0)
    np.testing.assert_array_equal(found.is_failure, first_places == 1)
    assert found.points.shape == (40, 2)
    assert np.isfinite(found.points).all()
    assert found.num_tracklets == 40
    assert found.method == "t-SNE of 8 principal components"


def test_of_a_large_table_whole_people_are_kept():
    table = crowd(50, each=4)
    found = map_embeddings(table, np.zeros(200, dtype=np.int64), max_points=30)
    assert found.num_tracklets == 200
    pids, counts = np.unique(found.pids, return_counts=True)
    assert set(counts) == {4}
    assert 5 <= len(pids) <= 7
    assert (pids[0], pids[-1]) == (1, 50)
    assert np.ptp(np.diff(pids)) <= 2


def test_a_person_of_more_tracklets_than_points_is_cut():
    found = map_embeddings(crowd(1, each=40), np.zeros(40, dtype=np.int64), max_points=10)
    assert len(found.points) == 10


def test_a_dozen_people_are_shown_from_the_most_alike_to_the_least():
    table = crowd(30)
    unit = table.unit_embeddings
    likeness = {pid: float(unit[2 * pid - 2] @ unit[2 * pid - 1]) for pid in range(1, 31)}
    shown = map_embeddings(table, np.zeros(60, dtype=np.int64)).shown_pids
    assert len(shown) == 12
    assert shown[0] == max(likeness, key=likeness.__getitem__)
    assert shown[-1] == min(likeness, key=likeness.__getitem__)
    assert [likeness[pid] for pid in shown] == sorted((likeness[pid] for pid in shown), reverse=True)


def test_only_people_seen_from_both_platforms_are_shown():
    table = crowd(10)
    table = table.select((table.pids != 3) | (table.platforms == 0))
    assert 3 not in map_embeddings(table, np.zeros(19, dtype=np.int64)).shown_pids


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
