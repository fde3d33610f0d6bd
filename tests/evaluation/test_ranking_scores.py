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
    AG_VPREID,
    CROSS_CAMERA,
    CROSS_PLATFORM,
    GROUND_TO_AERIAL,
    MARS,
    PROTOCOLS,
    EvaluationProtocol,
)
from skyreid.errors import ProtocolError, TableError
from skyreid.evaluation.ranking_scores import CMC_RANKS, evaluate
from skyreid.retrieval.cosine import COSINE
from skyreid.retrieval.embedding_table import EmbeddingTable
from tests.evaluation.crowds import crowd, table

REFERENCE = Path(__file__).parents[1] / "reference" / "metrics"
SAME_CAMERA_COUNTS = EvaluationProtocol(name="same-camera-counts", junk_same_camera=False)


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
    """Rows of ±1 in 16 dimensions: their cosines are exact in any arithmetic, and often equal. Ids in no order."""
    rows = draw(st.integers(1, most))
    column = lambda low, high: draw(st.lists(st.integers(low, high), min_size=rows, max_size=rows))  # noqa: E731
    return [
        (tuple(1 if (word >> bit) & 1 else -1 for bit in range(16)), pid, camid, platform, tracklet_id)
        for word, pid, camid, platform, tracklet_id in zip(
            column(0, 2**16 - 1),
            column(-1, 4),
            column(0, 2),
            column(0, 1),
            draw(st.permutations(range(rows))),
            strict=True,
        )
    ]


def places_in_a_slow_loop(query, gallery, protocol) -> list[list[int] | None]:
    """METHOD section 9 in whole numbers: for each row the places of its good entries; None = it does not ask."""
    searched = [(1, *row) for row in gallery]
    if protocol.gallery_includes_queries:
        searched += [(0, *row) for row in query]
    found = []
    for vector, pid, camid, platform, _ in query:
        if protocol.query_platform is not None and platform != protocol.query_platform.number:
            found.append(None)
            continue
        ranked = []
        for side, other, other_pid, other_camid, other_platform, tracklet_id in searched:
            same_camera = other_camid == camid and not (protocol.crosses_platforms and other_platform != platform)
            if other_pid == -1 or (other_pid == pid and same_camera and protocol.junk_same_camera):
                continue
            if protocol.gallery_platform is not None and other_platform != protocol.gallery_platform.number:
                continue
            if protocol.other_platform_only and other_platform == platform:
                continue
            distance = -sum(a * b for a, b in zip(vector, other, strict=True))
            ranked.append((distance, side, tracklet_id, other_pid == pid))
        found.append([place for place, (*_, is_match) in enumerate(sorted(ranked)) if is_match])
    return found


def mean(values) -> float:
    return float(sum(values) / len(values))


@given(
    query=people(12),
    gallery=people(60),
    protocol=st.sampled_from([*PROTOCOLS.values(), SAME_CAMERA_COUNTS]),
    block_size=st.sampled_from([1, 50, 4_000_000]),
)
def test_scores_equal_a_slow_loop(query, gallery, protocol, block_size):
    found = places_in_a_slow_loop(query, gallery, protocol)
    matched = [places for places in found if places]
    tables = [table(*zip(*side, strict=True)) for side in (query, gallery)]
    if not matched:
        with pytest.raises(ProtocolError, match=f"^{protocol.name}: "):
            evaluate(*tables, protocol, block_size=block_size)
        return
    scores = evaluate(*tables, protocol, block_size=block_size)
    precisions = [[Fraction(i + 1, place + 1) for i, place in enumerate(places)] for places in matched]
    expected = np.full(len(query), np.nan)
    expected[[bool(places) for places in found]] = [mean(values) for values in precisions]
    np.testing.assert_allclose(scores.average_precisions, expected, rtol=0, atol=1e-12)
    assert scores.mAP == pytest.approx(mean(list(map(Fraction, map(mean, precisions)))), rel=0, abs=1e-12)
    assert scores.mAP_at(3) == pytest.approx(
        mean(
            [
                sum((p for p, place in zip(values, places, strict=True) if place < 3), Fraction(0))
                / min(len(places), 3)
                for values, places in zip(precisions, matched, strict=True)
            ]
        ),
        rel=0,
        abs=1e-12,
    )
    assert scores.mINP == pytest.approx(mean([Fraction(len(some), some[-1] + 1) for some in matched]), rel=0, abs=1e-12)
    assert scores.cmc.tolist() == [
        mean([Fraction(places[0] < k) for places in matched]) for k in range(1, CMC_RANKS + 1)
    ]
    assert scores.first_places.tolist() == [places[0] if places else -1 for places in found]
    num_queries = sum(places is not None for places in found)
    assert (scores.queries, scores.queries_without_match) == (num_queries, num_queries - len(matched))


@pytest.mark.parametrize("block_size", [1, 700, 12_345, 100_000])
@pytest.mark.parametrize("protocol", [CROSS_CAMERA, CROSS_PLATFORM, MARS], ids=lambda protocol: protocol.name)
def test_the_block_size_changes_no_score(protocol, block_size):
    generator = np.random.default_rng(0)
    query, gallery = crowd(generator, 150), crowd(generator, 333)
    whole = evaluate(query, gallery, protocol)
    blocked = evaluate(query, gallery, protocol, block_size=block_size)
    assert np.array_equal(blocked.average_precisions, whole.average_precisions, equal_nan=True)
    assert np.array_equal(blocked.cmc, whole.cmc)


def test_equally_similar_entries_are_ordered_by_tracklet_id():
    query = table([[1, 0]], [7], camids=[0])
    same = [[1, 0]] * 4
    last = evaluate(query, table(same, [7, 1, 2, 3], camids=[1] * 4, ids=["d", "a", "b", "c"]), CROSS_CAMERA)
    first = evaluate(query, table(same, [1, 2, 3, 7], camids=[1] * 4, ids=["b", "c", "d", "a"]), CROSS_CAMERA)
    assert (last.mAP, first.mAP) == (0.25, 1.0)


@pytest.mark.parametrize("protocol", [CROSS_CAMERA, CROSS_PLATFORM, MARS], ids=lambda protocol: protocol.name)
def test_the_order_of_a_table_changes_no_score(protocol):
    generator = np.random.default_rng(1)
    query, gallery = crowd(generator, 40), crowd(generator, 200)
    gallery.embeddings[:] = gallery.embeddings[generator.integers(0, 20, 200)]
    order = generator.permutation(200)
    names = ("embeddings", "pids", "camids", "platforms", "tracklet_ids")
    mixed = EmbeddingTable(**{name: getattr(gallery, name)[order] for name in names})
    assert np.array_equal(
        evaluate(query, gallery, protocol).match_ranks.ranks, evaluate(query, mixed, protocol).match_ranks.ranks
    )


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
        "mINP": 0.5,
        "cmc": {"1": 0.0, "5": 1.0, "10": 1.0, "20": 1.0},
        "queries": 2,
        "queries_without_match": 1,
    }


def test_scores_are_written_for_people():
    query = table([[1, 0], [1, 0]], [7, 9], camids=[0, 0])
    gallery = table([[1, 0.1], [1, 0]], [7, 3], camids=[1, 1])
    assert evaluate(query, gallery, CROSS_CAMERA).lines() == [
        "cross-camera: mAP 50.0%   mINP 50.0%   rank-1 0.0%   rank-5 100.0%   rank-10 100.0%   rank-20 100.0%   "
        "(2 queries, 1 of them without a match)"
    ]


def test_a_protocol_with_a_cut_reports_its_map_too():
    query = table([[1, 0]], [7], platforms=[0])
    gallery = table([[1, 0]] * 30 + [[0, 1]], [7] * 30 + [8], platforms=[1] * 31)
    scores = evaluate(query, gallery, AG_VPREID)
    assert scores.to_json()["mAP@20"] == 1
    assert scores.lines()[0].startswith("ag-vpreid: mAP 100.0%   mAP@20 100.0%   mINP 100.0%   rank-1 100.0%")


def test_a_ranker_puts_the_gallery_in_order():
    class Backwards:
        name = "backwards"

        def rows(self, query, gallery):
            rows = COSINE.rows(query, gallery)
            return lambda start, stop: -rows(start, stop)

    query = table([[1, 0]], [7], camids=[0])
    gallery = table([[1, 0.1], [1, 0.2], [1, 0.3]], [7, 8, 9], camids=[1] * 3)
    assert evaluate(query, gallery, CROSS_CAMERA).mAP == 1
    assert evaluate(query, gallery, CROSS_CAMERA, ranker=Backwards()).mAP == pytest.approx(1 / 3)


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


def test_tables_of_different_embedding_sizes_are_refused():
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


def test_a_cut_before_the_first_place_is_refused():
    with pytest.raises(ProtocolError, match=r"^mine: mAP_cut must be at least 1, or None for no cut; got 0$"):
        EvaluationProtocol(name="mine", mAP_cut=0)


def test_a_rank_that_is_none_is_refused():
    """Counted from behind, rank 0 would be the end of the curve."""
    generator = np.random.default_rng(0)
    scores = evaluate(crowd(generator, 20), crowd(generator, 60), CROSS_CAMERA)
    for k in (0, CMC_RANKS + 1):
        with pytest.raises(ProtocolError, match=f"^the CMC is known from rank 1 to 50; got rank {k}$"):
            scores.rank(k)
    with pytest.raises(ProtocolError, match=r"^mAP@K needs a K of at least 1; got 0$"):
        scores.mAP_at(0)
