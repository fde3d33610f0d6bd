from skyreid.datasets.protocol import GROUND_TO_AERIAL
from skyreid.evaluation.example_choice import ChosenExample, ExampleKind, choose_examples
from skyreid.evaluation.ranking_scores import evaluate
from skyreid.tracklet import Platform
from tests.pages.report.small_world import AERIAL, GROUND, table


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
