import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyreid.datasets.protocol import CROSS_CAMERA, CROSS_PLATFORM, GROUND_TO_AERIAL, MARS
from skyreid.evaluation.ranking_examples import ChosenExample, ExampleKind, choose_examples, top_ranks
from skyreid.evaluation.ranking_scores import evaluate
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.tracklet import JUNK_PID, Platform
from tests.pages.report.small_world import AERIAL, GROUND, table


def random_table(rng, count, name):
    return EmbeddingTable(
        # Few directions, so that many entries tie.
        embeddings=rng.integers(-1, 2, size=(count, 2)).astype(np.float32) + np.float32(0.5),
        pids=rng.integers(JUNK_PID, 4, size=count),
        camids=rng.integers(0, 2, size=count),
        platforms=rng.integers(0, 2, size=count),
        tracklet_ids=rng.permutation([f"{name}{number}" for number in range(count)]),
    )


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), protocol=st.sampled_from([CROSS_CAMERA, CROSS_PLATFORM, MARS]))
def test_the_ranking_that_is_shown_is_the_ranking_that_is_scored(seed, protocol):
    rng = np.random.default_rng(seed)
    query, gallery = random_table(rng, 6, "q"), random_table(rng, 20, "g")
    try:
        scores = evaluate(query, gallery, protocol)
    except ValueError:  # nobody has a match
        return
    rows = [row for row in range(6) if scores.first_places[row] >= 0]
    for top in top_ranks(query, gallery, protocol, rows, top_k=100):
        places = np.flatnonzero(top.is_match)
        np.testing.assert_array_equal(
            places, scores.match_ranks.ranks[slice(*scores.match_ranks.offsets[top.query_row : top.query_row + 2])]
        )
        assert np.all(np.diff(top.similarities) <= 0)
        assert top.first_match_id == top.tracklet_ids[places[0]]
        assert top.first_match_similarity == top.similarities[places[0]]


def test_the_first_match_is_known_however_far_down_it_stands(world):
    [top] = top_ranks(world.ground, world.aerial, GROUND_TO_AERIAL, [2], top_k=2)
    assert top.tracklet_ids.tolist() == ["aerial-4", "aerial-2"]
    assert top.is_match.tolist() == [False, False]
    assert top.first_match_id == "aerial-3"
    assert top.first_match_similarity == pytest.approx(np.cos(np.deg2rad(30)))


def test_rankings_come_in_the_order_of_the_rows_that_were_asked_for(world):
    tops = top_ranks(world.ground, world.aerial, GROUND_TO_AERIAL, [3, 0], top_k=1)
    assert [top.query_row for top in tops] == [3, 0]


def test_a_person_that_is_not_in_the_gallery_has_no_first_match(world):
    [top] = top_ranks(world.ground, world.aerial.select(world.aerial.pids != 1), GROUND_TO_AERIAL, [0], top_k=1)
    assert top.first_match_id is None
    assert np.isnan(top.first_match_similarity)


def test_a_row_that_does_not_ask_is_refused(world):
    with pytest.raises(
        ValueError, match=r"^ground-to-aerial: row 5 of the query table does not ask; it has no ranking$"
    ):
        top_ranks(world.everybody, world.aerial, GROUND_TO_AERIAL, [0, 5], top_k=1)


def chosen(ground, aerial, each):
    query, gallery = table(Platform.GROUND, ground), table(Platform.AERIAL, aerial)
    examples = choose_examples(query, gallery, evaluate(query, gallery, GROUND_TO_AERIAL), each=each)
    return {
        kind: [int(query.pids[example.row]) for example in examples if example.kind is kind] for kind in ExampleKind
    }


def test_the_near_miss_is_the_one_that_somebody_else_resembles_most():
    # 2 is second behind 1 by 4 degrees, 3 is third behind 4 by 11.
    assert chosen(GROUND, AERIAL, 1) == {ExampleKind.BEST: [1], ExampleKind.NEAR_MISS: [2], ExampleKind.WORST: [3]}


def test_no_query_is_shown_twice_and_none_under_a_name_that_it_does_not_deserve():
    assert chosen(GROUND, AERIAL, 5) == {ExampleKind.BEST: [1, 4], ExampleKind.NEAR_MISS: [2, 3], ExampleKind.WORST: []}


def test_a_query_without_a_match_is_never_an_example():
    assert chosen({**GROUND, 5: 1.0}, AERIAL, 5) == chosen(GROUND, AERIAL, 5)


def test_the_worst_is_the_farthest_down():
    aerial = {1: 10.0, 2: 12.0, 3: 14.0, 4: 16.0, 5: 18.0}
    assert chosen({1: 0.0, 4: 1.0, 5: 2.0}, aerial, 1)[ExampleKind.WORST] == [5]


def test_examples_come_in_the_order_of_their_kinds():
    query, gallery = table(Platform.GROUND, GROUND), table(Platform.AERIAL, AERIAL)
    assert choose_examples(query, gallery, evaluate(query, gallery, GROUND_TO_AERIAL), each=1) == (
        ChosenExample(row=0, kind=ExampleKind.BEST),
        ChosenExample(row=1, kind=ExampleKind.NEAR_MISS),
        ChosenExample(row=2, kind=ExampleKind.WORST),
    )
