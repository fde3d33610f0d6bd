import re

import numpy as np
import pytest

from skyreid.datasets.protocol import AERIAL_TO_AERIAL, CROSS_CAMERA, CROSS_PLATFORM, GROUND_TO_GROUND, MARS, PROTOCOLS
from skyreid.errors import TableError
from skyreid.evaluation.comparisons import comparisons
from tests.evaluation.crowds import crowd, table

GENERATOR = np.random.default_rng(0)
QUERY, GALLERY = crowd(GENERATOR, 40), crowd(GENERATOR, 90)


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=lambda protocol: protocol.name)
def test_good_entries_and_junk_are_those_of_a_plain_loop(protocol):
    for comparison in comparisons(QUERY, GALLERY, protocol):
        found = comparison.same_person(3, 9)
        for position, query in enumerate(range(3, 9)):
            is_same = comparison.gallery.pids == comparison.query.pids[query]
            is_junk = is_same & (comparison.gallery.camids == comparison.query.camids[query]) & comparison.has_junk
            good = found.good[found.good_offsets[position] : found.good_offsets[position + 1]]
            junk = found.junk[found.junk_offsets[position] : found.junk_offsets[position + 1]]
            assert sorted(good) == np.flatnonzero(is_same & ~is_junk).tolist()
            assert sorted(junk) == np.flatnonzero(is_junk).tolist()


def test_every_query_that_asks_is_in_one_group_with_its_own_values():
    groups = comparisons(QUERY, GALLERY, CROSS_PLATFORM)
    assert sorted(np.concatenate([group.query_rows for group in groups])) == list(range(len(QUERY)))
    for group in groups:
        assert np.array_equal(group.query.unit_embeddings, QUERY.unit_embeddings[group.query_rows])
        assert np.array_equal(group.query.pids, QUERY.pids[group.query_rows])
        assert not set(group.query.platforms) & set(group.gallery.platforms)
        assert not group.has_junk


def test_junk_of_the_gallery_is_in_no_group():
    (whole,) = comparisons(QUERY, GALLERY, CROSS_CAMERA)
    assert np.array_equal(whole.gallery.unit_embeddings, GALLERY.unit_embeddings[GALLERY.pids != -1])


@pytest.mark.parametrize(("protocol", "platform"), [(GROUND_TO_GROUND, 0), (AERIAL_TO_AERIAL, 1)])
def test_within_one_platform_the_own_camera_is_junk(protocol, platform):
    (group,) = comparisons(QUERY, GALLERY, protocol)
    assert set(group.query.platforms) == set(group.gallery.platforms) == {platform}
    assert group.has_junk


def test_tie_ranks_rise_with_the_ids():
    (group,) = comparisons(table([[1, 0]], [7]), table([[1, 0]] * 3, [1, 2, 3], ids=["b", "c", "a"]), CROSS_CAMERA)
    assert np.argsort(group.gallery.tie_ranks).tolist() == [2, 0, 1]


def test_queries_that_join_the_gallery_stand_in_front_of_it():
    (group,) = comparisons(QUERY, GALLERY, MARS)
    is_ranked = QUERY.pids != -1
    num_queries = is_ranked.sum()
    assert np.array_equal(group.gallery.unit_embeddings[:num_queries], QUERY.unit_embeddings[is_ranked])
    assert group.gallery.tie_ranks[:num_queries].max() < group.gallery.tie_ranks[num_queries:].min()


def test_tables_of_two_models_are_refused_and_a_table_of_an_unknown_one_is_not():
    one, other = (table([[1, 0]], [7], camids=[camid], model=str(camid) * 64) for camid in (1, 2))
    message = (
        f"embeddings of two tables must come from one model; got the sha256 {'1' * 64} and {'2' * 64} "
        "(extract both with the same weights)"
    )
    with pytest.raises(TableError, match=f"^{re.escape(message)}$"):
        comparisons(one, other, CROSS_CAMERA)
    assert len(comparisons(one, table([[1, 0]], [7]), CROSS_CAMERA)) == 1
