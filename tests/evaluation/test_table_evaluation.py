"""Two tables as a user has them: by path or in memory, the protocol and the ranker by name (kind C2)."""

from dataclasses import replace

import numpy as np
import pytest

import skyreid
from skyreid.datasets.protocol import CROSS_CAMERA
from skyreid.errors import ProtocolError, SettingError
from skyreid.evaluation import ranking_scores
from skyreid.evaluation.results.result_file import read_result
from skyreid.retrieval.embedding_table import save_table
from skyreid.retrieval.query_expansion import QueryExpansion
from tests.evaluation.pair_loops import crowd


@pytest.fixture(scope="module")
def tables():
    generator = np.random.default_rng(7)
    return crowd(generator, 20, 6), crowd(generator, 40, 6, first_id=20)


@pytest.fixture
def paths(tables, tmp_path):
    for name, table in zip(("query", "gallery"), tables, strict=True):
        save_table(tmp_path / f"{name}.npz", table)
    return str(tmp_path / "query.npz"), tmp_path / "gallery.npz"


def test_tables_by_path_and_a_protocol_by_name_score_as_what_they_name(tables, paths):
    expected = ranking_scores.evaluate(*tables, CROSS_CAMERA)
    for found in (skyreid.evaluate(*paths, "cross-camera"), skyreid.evaluate(*tables, CROSS_CAMERA)):
        assert (found.mAP, found.mINP, found.rank(1)) == (expected.mAP, expected.mINP, expected.rank(1))
        assert found.cmc.tolist() == expected.cmc.tolist()
        assert found.scores.match_ranks.first.tolist() == expected.match_ranks.first.tolist()


@pytest.mark.parametrize("ranker", ["query-expansion", QueryExpansion()])
def test_a_ranker_goes_by_its_name(tables, ranker):
    found = skyreid.evaluate(*tables, "cross-camera", ranker=ranker)
    assert found.mAP == ranking_scores.evaluate(*tables, CROSS_CAMERA, ranker=QueryExpansion()).mAP
    assert found.result.card.ranker == QueryExpansion().name


def test_a_ranker_that_is_not_there_is_refused_with_those_that_are(tables):
    message = (
        r"^no ranker is called 'k_reciprocl' \(did you mean 'k-reciprocal'\?\); known: cosine, k-reciprocal, query"
    )
    with pytest.raises(SettingError, match=message):
        skyreid.evaluate(*tables, "cross-camera", ranker="k_reciprocl")


def test_a_protocol_that_is_not_there_is_refused_before_anything_is_read():
    with pytest.raises(ProtocolError, match=r"did you mean 'cross-camera'\?"):
        skyreid.evaluate(*[crowd(np.random.default_rng(0), 8, 2)] * 2, "cross_camera")


def test_a_score_says_in_which_precision_its_embeddings_were_computed(tables):
    query, gallery = tables
    for precisions, said in (((None, None), None), (("bfloat16", "bfloat16"), "bfloat16")):
        asked, searched = (replace(one, precision=its) for one, its in zip(tables, precisions, strict=True))
        assert skyreid.evaluate(asked, searched, "cross-camera").result.card.precision == said
    mixed = skyreid.evaluate(
        replace(query, precision="float32"), replace(gallery, precision="bfloat16"), "cross-camera"
    )
    assert mixed.result.card.precision == "bfloat16 and float32"


def test_two_evaluations_and_their_files_compare_alike(tables, tmp_path):
    noise = np.random.default_rng(8)
    other = [replace(one, embeddings=noise.standard_normal(one.embeddings.shape).astype(np.float32)) for one in tables]
    a = skyreid.evaluate(*tables, "cross-camera", model="ours")
    b = skyreid.evaluate(*other, "cross-camera", out=str(tmp_path / "b.json"))
    a.save(str(tmp_path / "a.json"))
    assert read_result(tmp_path / "a.json").card == a.result.card
    in_memory = skyreid.compare(a, b.result)
    assert in_memory == skyreid.compare(str(tmp_path / "a.json"), tmp_path / "b.json")
    assert (in_memory.mAP.a, in_memory.mAP.b) == (pytest.approx(a.mAP), pytest.approx(b.mAP))


def test_what_is_large_shows_itself_in_one_line(tables):
    found = skyreid.evaluate(*tables, "cross-camera")
    score = f"mAP {found.mAP:.1%}, rank-1 {found.rank(1):.1%}, 20 queries)"
    assert repr(found) == f"TableEvaluation(cross-camera, cosine: {score}"
    assert repr(found.result) == f"EvaluationResult(cross-camera, cosine: {score}"
    assert repr(skyreid.compare(found, found)) == (
        f"PairedDifference(mAP {found.mAP:.1%} -> {found.mAP:.1%}, B - A +0.00 points (+0.00 to +0.00), p = 1)"
    )
    assert repr(found.scores) == f"Scores(cross-camera: {score}"
    more = skyreid.evaluate(*tables, "cross-camera", pairs=True)
    for large in (more.pairs, skyreid.calibrate(*tables, "cross-camera", false_positive_rate=0.1)):
        assert len(repr(large)) < 300 and "\n" not in repr(large)
    assert repr(tables[0]).count("\n") == 0 and repr(tables[0]).startswith("EmbeddingTable(20 tracklets of ")
