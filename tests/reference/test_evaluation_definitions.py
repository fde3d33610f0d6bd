import numpy as np
import pytest

from skyreid.datasets.protocol import CROSS_CAMERA
from skyreid.evaluation.ranking_scores import CMC_RANKS, evaluate
from skyreid.retrieval.cosine import cosine_similarities
from skyreid.retrieval.embedding_table import EmbeddingTable
from tests.reference.evaluation_definitions import fast_reid_minp, torchreid_cmc_and_map


def people(generator: np.random.Generator, size: int, num_people: int) -> EmbeddingTable:
    return EmbeddingTable(
        embeddings=generator.standard_normal((size, 24), dtype=np.float32),
        pids=generator.integers(1, num_people + 1, size),
        camids=generator.integers(0, 3, size),
        platforms=np.zeros(size, dtype=np.int64),
        tracklet_ids=np.arange(size),
    )


@pytest.mark.parametrize("num_gallery", [20, 400])  # shorter and longer than the CMC
@pytest.mark.parametrize("num_people", [5, 300])  # every query has a match; some have none
def test_scores_are_those_of_torchreid_and_fast_reid(num_gallery, num_people):
    generator = np.random.default_rng(num_gallery + num_people)
    query, gallery = people(generator, 50, num_people), people(generator, num_gallery, num_people)
    distances = 1 - cosine_similarities(query.unit_embeddings, gallery.unit_embeddings).astype(np.float64)
    assert all(len(set(row)) == num_gallery for row in distances.tolist())  # no ties
    labels = query.pids, gallery.pids, query.camids, gallery.camids
    cmc, mean_precision = torchreid_cmc_and_map(distances, *labels, CMC_RANKS)
    scores = evaluate(query, gallery, CROSS_CAMERA)
    assert (scores.queries_without_match > 0) == (num_people == 300)
    assert scores.mAP == pytest.approx(mean_precision, rel=0, abs=1e-12)
    np.testing.assert_allclose(scores.cmc[: len(cmc)], cmc, rtol=0, atol=1e-12)
    assert scores.mINP == pytest.approx(fast_reid_minp(distances, *labels), rel=0, abs=1e-12)
