import json
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.datasets.protocol import (
    AERIAL_TO_GROUND,
    CROSS_CAMERA,
    CROSS_PLATFORM,
    GROUND_TO_AERIAL,
    MARS,
    PROTOCOLS,
    EvaluationProtocol,
)
from skyreid.errors import ProtocolError, TableError
from skyreid.evaluation.ranking_scores import CMC_RANKS, evaluate
from skyreid.retrieval.embedding_table import EmbeddingTable

REFERENCE = Path(__file__).parents[1] / "reference" / "metrics"
SAME_CAMERA_COUNTS = EvaluationProtocol(name="same-camera-counts", junk_same_camera=False)


def table(embeddings, pids, camids=None, platforms=None) -> EmbeddingTable:
    pids = np.array(pids)
    return EmbeddingTable(
        embeddings=np.array(embeddings, dtype=np.float32),
        pids=pids,
        camids=np.zeros_like(pids) if camids is None else np.array(camids),
        platforms=np.zeros_like(pids) if platforms is None else np.array(platforms),
        tracklet_ids=np.arange(len(pids)),
    )


def stored_tables(stored) -> tuple[EmbeddingTable, EmbeddingTable]:
    return (
        table(stored["qf"], stored["q_pids"], stored["q_camids"]),
        table(stored["gf"], stored["g_pids"], stored["g_camids"]),
    )


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("small_*.npz")), ids=lambda path: path.stem)
def test_scores_equal_the_released_program_with_a_stable_sort(path):
    stored = np.load(path)
    scores = evaluate(*stored_tables(stored), MARS if stored["mars"] else CROSS_CAMERA)
    assert scores.mAP == pytest.approx(float(stored["mAP_stable_sort"]), rel=0, abs=1e-12)
    assert np.array_equal(scores.cmc, stored["cmc_stable_sort"])
    assert scores.queries == len(stored["qf"])
    assert scores.queries_without_match == np.isnan(stored["per_query_ap"]).sum()


@pytest.mark.parametrize("name", ["multicam", "nogt", "mars", "twocam"])
def test_without_ties_every_score_equals_the_released_program_as_it_is(name):
    stored = np.load(REFERENCE / f"small_{name}.npz")
    assert stored["n_exact_ties"] == 0
    scores = evaluate(*stored_tables(stored), MARS if stored["mars"] else CROSS_CAMERA)
    np.testing.assert_allclose(scores.average_precisions, stored["per_query_ap"], rtol=0, atol=1e-12)
    assert scores.mAP == pytest.approx(float(stored["mAP"]), rel=0, abs=1e-12)
    assert np.array_equal(scores.cmc, stored["cmc"])
    assert [scores.rank(k) for k in (1, 5, 10, 20)] == stored["cmc_1_5_10_20"].tolist()


@st.composite
def people(draw, most):
    """Rows of ±1 in 16 dimensions: their cosines are exact in any arithmetic, and often equal."""
    rows = draw(st.integers(1, most))
    column = lambda low, high: draw(st.lists(st.integers(low, high), min_size=rows, max_size=rows))  # noqa: E731
    return [
        (tuple(1 if (word >> bit) & 1 else -1 for bit in range(16)), pid, camid, platform)
        for word, pid, camid, platform in zip(
            column(0, 2**16 - 1), column(-1, 4), column(0, 2), column(0, 1), strict=True
        )
    ]


def slow_loop(query, gallery, protocol) -> tuple[list[Fraction | None], list[Fraction], int]:
    """METHOD section 9 in whole numbers and fractions: APs, CMC, number of queries."""
    searched = [*query, *gallery] if protocol.gallery_includes_queries else gallery
    precisions, first_places, num_queries = [], [], 0
    for vector, pid, camid, platform in query:
        precisions.append(None)
        if protocol.query_platform is not None and platform != protocol.query_platform.number:
            continue
        num_queries += 1
        ranked = []
        for position, (other, other_pid, other_camid, other_platform) in enumerate(searched):
            same_camera = other_camid == camid and not (protocol.crosses_platforms and other_platform != platform)
            if other_pid == -1 or (other_pid == pid and same_camera and protocol.junk_same_camera):
                continue
            if protocol.gallery_platform is not None and other_platform != protocol.gallery_platform.number:
                continue
            if protocol.other_platform_only and other_platform == platform:
                continue
            ranked.append((-sum(a * b for a, b in zip(vector, other, strict=True)), position, other_pid == pid))
        places = [place for place, (_, _, is_match) in enumerate(sorted(ranked)) if is_match]
        if places:
            precisions[-1] = sum(Fraction(i + 1, place + 1) for i, place in enumerate(places)) / len(places)
            first_places.append(places[0])
    cmc = [
        Fraction(sum(place < k for place in first_places), max(1, len(first_places))) for k in range(1, CMC_RANKS + 1)
    ]
    return precisions, cmc, num_queries


@given(
    query=people(12),
    gallery=people(60),
    protocol=st.sampled_from([*PROTOCOLS.values(), SAME_CAMERA_COUNTS]),
    block_size=st.sampled_from([1, 50, 4_000_000]),
)
def test_scores_equal_a_slow_loop(query, gallery, protocol, block_size):
    precisions, cmc, num_queries = slow_loop(query, gallery, protocol)
    matched = [precision for precision in precisions if precision is not None]
    tables = [table(*zip(*side, strict=True)) for side in (query, gallery)]
    if not matched:
        with pytest.raises(ProtocolError, match=f"^{protocol.name}: "):
            evaluate(*tables, protocol, block_size=block_size)
        return
    scores = evaluate(*tables, protocol, block_size=block_size)
    expected = [np.nan if precision is None else float(precision) for precision in precisions]
    np.testing.assert_allclose(scores.average_precisions, expected, rtol=0, atol=1e-12)
    assert scores.mAP == pytest.approx(float(sum(matched) / len(matched)), rel=0, abs=1e-12)
    assert scores.cmc.tolist() == [float(share) for share in cmc]
    assert (scores.queries, scores.queries_without_match) == (num_queries, num_queries - len(matched))


@pytest.mark.parametrize("block_size", [1, 700, 12_345, 100_000])
@pytest.mark.parametrize("protocol", [CROSS_CAMERA, CROSS_PLATFORM, MARS], ids=lambda protocol: protocol.name)
def test_the_block_size_changes_no_score(protocol, block_size):
    generator = np.random.default_rng(0)

    def crowd(size):
        return table(
            generator.standard_normal((size, 48)),
            generator.integers(-1, 15, size),
            generator.integers(0, 3, size),
            generator.integers(0, 2, size),
        )

    query, gallery = crowd(150), crowd(333)
    whole = evaluate(query, gallery, protocol)
    blocked = evaluate(query, gallery, protocol, block_size=block_size)
    assert np.array_equal(blocked.average_precisions, whole.average_precisions, equal_nan=True)
    assert np.array_equal(blocked.cmc, whole.cmc)


def test_equally_similar_entries_keep_the_order_of_the_gallery():
    query = table([[1, 0]], [7], camids=[0])
    same = [[1, 0]] * 4
    behind = evaluate(query, table(same, [1, 2, 3, 7], camids=[1] * 4), CROSS_CAMERA)
    in_front = evaluate(query, table(same, [7, 1, 2, 3], camids=[1] * 4), CROSS_CAMERA)
    assert (behind.mAP, in_front.mAP) == (0.25, 1.0)


def test_junk_is_not_ranked_and_distractors_are():
    query = table([[1, 0]], [7], camids=[0])
    junk_first = table([[1, 0], [1, 0.1], [1, 0.2]], [-1, 7, 7], camids=[1, 0, 1])
    assert evaluate(query, junk_first, CROSS_CAMERA).rank(1) == 1
    distractor_first = table([[1, 0], [1, 0.2]], [0, 7], camids=[1, 1])
    assert evaluate(query, distractor_first, CROSS_CAMERA).rank(1) == 0


def test_across_platforms_a_person_is_a_match_though_both_count_their_cameras_from_zero():
    query = table([[1, 0]], [7], camids=[0], platforms=[0])
    gallery = table([[1, 0]], [7], camids=[0], platforms=[1])
    for protocol in (CROSS_PLATFORM, GROUND_TO_AERIAL):
        assert evaluate(query, gallery, protocol).mAP == 1
    with pytest.raises(ProtocolError):
        evaluate(query, gallery, CROSS_CAMERA)  # one camid is one camera there


def test_cross_platform_asks_in_both_directions_at_once():
    generator = np.random.default_rng(1)
    query, gallery = (
        table(
            generator.standard_normal((size, 8)),
            np.arange(size) % 5,
            np.arange(size) % 7,
            generator.integers(0, 2, size),
        )
        for size in (20, 70)
    )
    both = evaluate(query, gallery, CROSS_PLATFORM)
    up, down = evaluate(query, gallery, GROUND_TO_AERIAL), evaluate(query, gallery, AERIAL_TO_GROUND)
    assert both.queries == up.queries + down.queries == 20
    assert np.array_equal(
        both.average_precisions, np.where(query.platforms == 0, up.average_precisions, down.average_precisions)
    )


def test_the_queries_join_the_gallery_only_where_the_protocol_says_so():
    query = table([[1, 0], [1, 0.1]], [7, 7], camids=[0, 1])
    gallery = table([[0, 1]], [3])
    assert evaluate(query, gallery, MARS).mAP == 1
    with pytest.raises(ProtocolError):
        evaluate(query, gallery, CROSS_CAMERA)


def test_the_cmc_goes_on_flat_behind_a_small_gallery():
    query = table([[1, 0], [0, 1]], [7, 3], camids=[0, 0])
    scores = evaluate(query, table([[1, 0.2], [1, 0]], [7, 3], camids=[1, 1]), CROSS_CAMERA)
    assert scores.cmc.tolist() == [0.0] + [1.0] * (CMC_RANKS - 1)


def test_scores_are_written_for_programs():
    query = table([[1, 0], [1, 0]], [7, 9], camids=[0, 0])
    scores = evaluate(query, table([[1, 0.1], [1, 0]], [7, 3], camids=[1, 1]), CROSS_CAMERA)
    assert json.loads(json.dumps(scores.to_json())) == {
        "protocol": "cross-camera",
        "mAP": 0.5,
        "cmc": {"1": 0.0, "5": 1.0, "10": 1.0, "20": 1.0},
        "queries": 2,
        "queries_without_match": 1,
    }


def test_scores_are_written_for_people():
    query = table([[1, 0], [1, 0]], [7, 9], camids=[0, 0])
    gallery = table([[1, 0.1], [1, 0]], [7, 3], camids=[1, 1])
    assert evaluate(query, gallery, CROSS_CAMERA).lines() == [
        "cross-camera: mAP 50.0%   rank-1 0.0%   rank-5 100.0%   rank-10 100.0%   rank-20 100.0%   "
        "(2 queries, 1 of them without a match)"
    ]


def test_every_protocol_is_listed_under_its_own_name():
    assert all(name == protocol.name for name, protocol in PROTOCOLS.items())


ON_GROUND = table([[1, 0], [0, 1]], [7, 8])
IN_THE_AIR = table([[1, 0], [0, 1]], [5, -1], platforms=[1, 1])


@pytest.mark.parametrize(
    ("query", "gallery", "protocol", "message"),
    [
        (ON_GROUND, IN_THE_AIR, AERIAL_TO_GROUND,
         "aerial-to-ground: no aerial tracklet to ask; the query table has 2 ground, 0 aerial"),
        (ON_GROUND, ON_GROUND, GROUND_TO_AERIAL,
         "ground-to-aerial: no aerial tracklet to search; the gallery table has 2 ground, 0 aerial, of them 0 junk"),
        (ON_GROUND, IN_THE_AIR.select(np.array([False, True])), CROSS_CAMERA,
         "cross-camera: no tracklet to search; the gallery table has 0 ground, 1 aerial, of them 1 junk"),
        (ON_GROUND, IN_THE_AIR, CROSS_PLATFORM,
         "cross-platform: at least one query must have a match in the gallery; none of 2 has: "
         "the query table has 2 ground, 0 aerial, the gallery table 0 ground, 2 aerial"),
        (ON_GROUND, ON_GROUND, CROSS_CAMERA,
         "cross-camera: at least one query must have a match in the gallery; none of 2 has: "
         "the query table has 2 ground, 0 aerial, the gallery table 2 ground, 0 aerial"),
    ],
)  # fmt: skip
def test_an_evaluation_that_cannot_mean_anything_is_refused(query, gallery, protocol, message):
    with pytest.raises(ProtocolError, match=f"^{re.escape(message)}$"):
        evaluate(query, gallery, protocol)


def test_tables_of_different_models_are_refused():
    message = "embeddings of two tables must have one size; got 2 and 3 (extract both with the same model)"
    with pytest.raises(TableError, match=f"^{re.escape(message)}$"):
        evaluate(ON_GROUND, table([[1, 0, 0]], [7]), CROSS_CAMERA)


def test_a_protocol_in_which_every_query_finds_itself_is_refused():
    message = (
        "mine: a gallery that includes the queries needs junk_same_camera=True; "
        "without it every query finds itself first"
    )
    with pytest.raises(ProtocolError, match=f"^{re.escape(message)}$"):
        EvaluationProtocol(name="mine", gallery_includes_queries=True, junk_same_camera=False)
