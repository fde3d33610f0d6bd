import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from skyreid.datasets.protocol import AG_VPREID, CROSS_CAMERA, CROSS_PLATFORM, GROUND_TO_AERIAL
from skyreid.errors import ProtocolError
from skyreid.evaluation.ranking_scores import evaluate
from skyreid.evaluation.results.protocol_card import ProtocolCard
from skyreid.evaluation.results.result_file import (
    SCORE_NAMES,
    EvaluationResult,
    ResultError,
    make_result,
    read_result,
    write_result,
)
from skyreid.evaluation.results.slices import SliceScore
from skyreid.evaluation.results.uncertainty import Estimate, IntervalConfig, mean_interval
from skyreid.retrieval.embedding_table import EmbeddingTable
from tests.evaluation.results.result_examples import example_result

SLICE = SliceScore(column="altitude", label="20 to 40", queries=2, mAP=0.75, mAP_low=0.5, mAP_high=1.0, rank_1=0.5)


def crowd(size, seed=0) -> EmbeddingTable:
    generator = np.random.default_rng(seed)
    return EmbeddingTable(
        embeddings=generator.standard_normal((size, 8)).astype(np.float32),
        pids=generator.integers(0, 12, size),
        camids=generator.integers(0, 3, size),
        platforms=generator.integers(0, 2, size),
        tracklet_ids=np.array([f"t{row}" for row in range(size)]),
    )


QUERY, GALLERY = crowd(60), crowd(90, seed=1)


def made(protocol=GROUND_TO_AERIAL, **changes) -> EvaluationResult:
    return make_result(QUERY, evaluate(QUERY, GALLERY, protocol), ProtocolCard.of(protocol), **changes)


def content_of(result) -> dict:
    """What can be compared of a result."""
    columns = {name: values.tolist() for name, values in vars(result.per_query).items()}
    return {**vars(result), "per_query": columns, "scores": dict(result.scores)}


@pytest.mark.parametrize("protocol", [CROSS_CAMERA, GROUND_TO_AERIAL, AG_VPREID], ids=lambda protocol: protocol.name)
def test_a_result_has_the_scores_of_the_evaluation(protocol):
    scores = evaluate(QUERY, GALLERY, protocol)
    result = made(protocol)
    values = {name: score.value for name, score in result.scores.items()}
    expected = {"mAP": scores.mAP, "mINP": scores.mINP, **{f"rank-{k}": scores.rank(k) for k in (1, 5, 10, 20)}}
    if protocol is AG_VPREID:
        expected["mAP@20"] = scores.mAP_at(20)
    assert values == pytest.approx(expected, abs=1e-12)
    assert (result.queries, result.queries_without_match) == (scores.queries, scores.queries_without_match)
    assert all(score.low <= score.value <= score.high for score in result.scores.values())


def test_every_query_with_a_match_keeps_its_own_score():
    scores = evaluate(QUERY, GALLERY, GROUND_TO_AERIAL)
    result = made()
    rows = [QUERY.tracklet_ids.tolist().index(tracklet_id) for tracklet_id in result.per_query.tracklet_ids]
    assert rows == np.flatnonzero(np.isfinite(scores.average_precisions)).tolist()
    assert np.array_equal(result.per_query.pids, QUERY.pids[rows])
    assert np.array_equal(result.per_query.average_precisions, scores.average_precisions[rows])
    assert np.array_equal(result.per_query.first_places, scores.first_places[rows])


def test_intervals_are_over_people_from_the_seed_that_the_file_names():
    result = made(interval=IntervalConfig(seed=7))
    of_mean = mean_interval(
        result.per_query.average_precisions, rng=np.random.default_rng(7), pids=result.per_query.pids
    )
    assert (result.scores["mAP"].low, result.scores["mAP"].high) == pytest.approx(of_mean, abs=1e-12)
    assert made(interval=IntervalConfig(seed=7)).scores == result.scores != made().scores


def test_a_card_of_another_protocol_is_refused():
    message = (
        "the card must be of the protocol that was evaluated, ground-to-aerial; it says dataset not stated, split not "
    )
    with pytest.raises(ProtocolError, match=f"^{message}"):
        make_result(QUERY, evaluate(QUERY, GALLERY, GROUND_TO_AERIAL), ProtocolCard.of(CROSS_PLATFORM))


def test_scores_of_another_table_are_refused():
    message = "the scores are of a table of 60 queries; this one has 90"
    with pytest.raises(ProtocolError, match=f"^{message}$"):
        make_result(GALLERY, evaluate(QUERY, GALLERY, CROSS_CAMERA), ProtocolCard.of(CROSS_CAMERA))


@pytest.mark.parametrize(
    "result",
    [
        example_result(scores={"mAP@20": 0.5}),
        example_result(ids=[3, 1, 2], model=None, split=None),
        replace(example_result(), slices=(SLICE, SLICE), interval=IntervalConfig(resampled="queries", level=0.9)),
    ],
)
def test_a_result_survives_its_file(tmp_path, result):
    write_result(tmp_path / "result.json", result)
    assert content_of(read_result(tmp_path / "result.json")) == content_of(result)
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_the_same_result_gives_the_same_file(tmp_path):
    for name in ("a.json", "b.json"):
        write_result(tmp_path / name, made())
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_file_cut_anywhere_is_refused(tmp_path):
    path = tmp_path / "result.json"
    write_result(path, example_result())
    whole = path.read_bytes().rstrip()
    for length in range(0, len(whole), 41):
        path.write_bytes(whole[:length])
        with pytest.raises(ResultError, match=r"result\.json must be a result file"):
            read_result(path)


def change(tmp_path, changes, *, hash_too=True):
    """A file in which keys (dotted) have other values; with `hash_too` it names the hash of what it holds now."""
    path = tmp_path / "result.json"
    write_result(path, replace(example_result(), slices=(SLICE,)))
    content = json.loads(path.read_text())
    for dotted, value in changes.items():
        *outer, last = dotted.split(".")
        place = content
        for key in outer:
            place = place[key]
        if value is ABSENT:
            del place[last]
        else:
            place[last] = value
    if hash_too:
        del content["sha256"]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        content["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(content))
    return path


def test_a_result_of_before_precisions_were_stated_is_read(tmp_path):
    assert read_result(change(tmp_path, {"card.precision": ABSENT})).card.precision is None


ABSENT = object()
IDS = "per_query.tracklet_ids"


@pytest.mark.parametrize("key", ["card.sampling", "scores.mAP.value", "queries", "per_query.pids", "slices"])
def test_an_edited_file_is_refused(tmp_path, key):
    path = change(tmp_path, {key: "all-frames"}, hash_too=False)
    with pytest.raises(
        ResultError, match=r"result\.json was edited: its content does not have the sha256 that it names$"
    ):
        read_result(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "another result"}, " must be a result file of skyreid, of the format 'skyreid result'"),
        ({"version": 2}, " is of version 2, this skyreid reads 1; evaluate again"),
        ({"card": ABSENT, "slices": ABSENT}, ": a result lacks card, slices"),
        ({"note": ""}, ": a result has no note"),
        ({"card.split": ABSENT}, ": card: ProtocolCard lacks split"),
        ({"card.colour": 1}, ": card: ProtocolCard has no field colour"),
        ({"card.query_platform": "sea"}, ": card.query_platform: must be one of any, ground, aerial; got 'sea'"),
        ({"scores.mINP": ABSENT}, f": scores must hold {', '.join(SCORE_NAMES)}; missing: mINP"),
        ({"scores.mAP.low": "0"}, ": scores.mAP.low: expected float; got '0'"),
        (
            {"scores.mAP.high": 1.5},
            ": scores: mAP and its interval must lie in 0-1 and in order; got "
            f"{Estimate(value=1.75 / 3, low=1.75 / 6, high=1.5)}",
        ),
        ({"interval.level": 2.0}, ": interval: level must lie between 0 and 1; got 2.0"),
        ({"queries": -1}, ": queries must be a count; got -1"),
        ({"queries": True}, ": queries must be a count; got True"),
        ({"queries": 9}, ": per_query must hold the queries with a match, 9 - 2; got 3"),
        ({"scores": []}, ": scores must be an object and slices a list"),
        ({"slices": [1]}, ": slices: expected a SliceScore; got 1"),
        (
            {"per_query.pids": ABSENT},
            ": per_query must have the columns tracklet_ids, pids, average_precisions, first_places",
        ),
        ({"per_query.pids": [1, 2]}, ": per_query: columns must be of one length; got [2, 3]"),
        ({"per_query.pids": 3}, ": per_query: pids must be a list; got 3"),
        ({IDS: ["a", "b", "a"]}, ": per_query: a tracklet id stands twice"),
        ({IDS: ["a", "b", 3]}, ": per_query: tracklet_ids must hold str or int values"),
        ({"per_query.average_precisions": [1, 0.5, 0.25]}, ": per_query: average_precisions must hold float values"),
        ({"per_query.average_precisions": [1.5, 0.5, 0.25]}, ": per_query: average precisions must lie in 0-1"),
        ({"per_query.first_places": [0, -1, 3]}, ": per_query: places count from 0, of queries with a match only"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_file_that_does_not_add_up_is_refused(tmp_path, changes, message):
    path = change(tmp_path, changes)
    with pytest.raises(ResultError, match=f"^{re.escape(str(path) + message)}$"):
        read_result(path)


@pytest.mark.parametrize(
    ("number", "rule"),
    [
        *((number, f"numbers must be finite; got {number}$") for number in ("NaN", "Infinity", "-Infinity", "1e400")),
        ("1" * 400, "whole numbers have at most 64 bits; got 1"),
    ],
)
def test_numbers_that_are_none_are_refused(tmp_path, number, rule):
    path = change(tmp_path, {})
    path.write_text(path.read_text().replace("0.75", number))
    with pytest.raises(ResultError, match=f"cannot be read: {rule}"):
        read_result(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "7", "\udcff"])
def test_what_is_no_result_at_all_is_refused(tmp_path, text):
    path = tmp_path / "result.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ResultError, match=r"result\.json must be a result file"):
        read_result(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ResultError, match=r"none\.json must be a result file .*; nothing lies there"):
        read_result(tmp_path / "none.json")


def test_a_folder_of_results_says_that_one_of_its_files_is_wanted(tmp_path):
    for name in "abcd":
        write_result(tmp_path / f"{name}.json", example_result())
    with pytest.raises(ResultError, match=r"a folder; did you mean .*a\.json, .*b\.json, .*c\.json and 1 more\?$"):
        read_result(tmp_path)
