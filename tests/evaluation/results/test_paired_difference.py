import json
import re

import numpy as np
import pytest

from skyreid.errors import ProtocolError
from skyreid.evaluation.results.paired_difference import compare
from skyreid.evaluation.results.result_file import EvaluationResult
from tests.evaluation.results.result_examples import example_result

A = example_result(precisions=[0.5, 1.0, 0.25, 0.5, 0.1, 0.2, 1.0], seed=0)
B = example_result(precisions=[0.5, 0.5, 1.0, 1.0, 1.0, 0.25, 0.2], seed=1, model_sha256="b" * 64)


def test_the_difference_is_that_of_the_scores_with_who_changed_most():
    found = compare(A, B)
    assert (found.queries, found.better, found.worse) == (7, 4, 2)
    assert found.mAP.test.difference.value == pytest.approx(found.mAP.b - found.mAP.a) == pytest.approx(0.9 / 7)
    assert found.rank_1.test.difference.value == pytest.approx(found.rank_1.b - found.rank_1.a) == pytest.approx(1 / 7)
    assert [(query.tracklet_id, query.pid) for query in found.most_changed] == [
        ("q4", 5),
        ("q6", 7),
        ("q2", 3),
        ("q1", 2),
        ("q3", 4),
    ]
    assert found.mAP.test.difference.low < 0 < found.mAP.test.difference.high
    assert found.mAP.test.p_value > 0.2


def test_the_order_of_the_queries_does_not_matter():
    order = [3, 0, 6, 2, 5, 1, 4]
    precisions = [0.5, 0.5, 1.0, 1.0, 1.0, 0.25, 0.2]
    shuffled = example_result(
        precisions=np.array(precisions)[order],
        pids=np.array(order) + 1,
        ids=[f"q{row}" for row in order],
        seed=1,
        model_sha256="b" * 64,
    )
    assert compare(A, shuffled).mAP.test == compare(A, B).mAP.test
    assert compare(A, shuffled).most_changed == compare(A, B).most_changed


def test_a_result_equals_itself():
    found = compare(A, A)
    assert (found.better, found.worse, found.most_changed, found.mAP.test.p_value) == (0, 0, (), 1.0)


def test_a_person_reads_cards_scores_and_queries():
    lines = compare(A, B).lines()
    assert lines[:2] == [
        "A: vsla-clip, seed 0, weights aaaaaaaaaaaa, commit cccccccccccc",
        "B: vsla-clip, seed 1, weights bbbbbbbbbbbb, commit cccccccccccc",
    ]
    assert lines[2] == f"both: {A.card.in_words()} Ranking: cosine."
    assert re.fullmatch(
        r"mAP: 50\.7% -> 63\.6%, B - A \+12\.86 points, 95% interval -\d+\.\d\d to \+\d+\.\d\d, p = 0\.\d+", lines[3]
    )
    assert lines[5:7] == [
        "average precision of 7 queries: 4 better with B, 2 worse, 1 equal",
        "  q4 (pid 5): 10.0% -> 100.0%",
    ]


def test_what_neither_states_and_what_is_simulated_is_said():
    a = example_result(split=None, simulated=True)
    text = "\n".join(compare(a, a).lines())
    assert "\nstated by neither, so not compared: split\n" in text
    assert "SIMULATED DATA" in text


def test_a_program_reads_the_same():
    content = json.loads(json.dumps(compare(A, B).to_json()))
    assert content["mAP"]["test"]["difference"]["value"] == pytest.approx(0.9 / 7)
    assert content["most_changed"][0] == {
        "tracklet_id": "q4",
        "pid": 5,
        "average_precision_a": 0.1,
        "average_precision_b": 1.0,
    }


def test_ids_may_be_numbers():
    numbered = example_result(ids=[7, 8, 9])
    other = example_result(ids=[7, 8, 9], precisions=[1.0, 1.0, 0.25])
    assert [query.tracklet_id for query in compare(numbered, other).most_changed] == [8]


@pytest.mark.parametrize(
    ("b", "message"),
    [
        (
            example_result(sampling="all-frames", ranker="k-reciprocal"),
            "A and B cannot be compared, because of: sampling, ranker\nsampling: one-clip and all-frames\n"
            "ranker: cosine and k-reciprocal\n"
            "compare files of one name, DIRECTION.SAMPLING.RANKER.json, of two evaluations of the same data",
        ),
        (
            example_result(ids=["q0", "q1", "other"]),
            "both results must be of the same queries; 1 stand in A only ['q2'], 1 in B only ['other']",
        ),
        (
            example_result(ids=[0, 1, 2]),
            "both results must be of the same queries; 3 stand in A only ['q0', 'q1', 'q2'], 3 in B only [0, 1, 2]",
        ),
        (
            example_result(pids=[1, 9, 3]),
            "both results must be of the same people; query q1 has the pid 2 in A and 9 in B",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(b: EvaluationResult, message):
    with pytest.raises(ProtocolError, match=f"^{re.escape(message)}$"):
        compare(example_result(), b)
