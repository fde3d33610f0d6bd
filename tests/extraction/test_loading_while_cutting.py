"""`build` with a model: people are embedded as they were before their faces were covered, and nothing of it is kept."""

import json

import numpy as np
import pytest

from skyreid.building.build import build
from skyreid.building.sources import parse_source
from skyreid.errors import SourceError
from skyreid.extraction.embed_folder import embed
from skyreid.extraction.loading import CuttingEmbedder
from skyreid.retrieval.embedding_table import load_table
from tests.building.films import smooth, write_film


@pytest.fixture
def source(tmp_path):
    """Somebody of 340 pixels, whose head is covered in every crop."""
    film = write_film(tmp_path / "gate.mov", smooth(31, height=400, width=200))
    (tmp_path / "gate.txt").write_text("\n".join(f"{index},7,41,21,110,340,1,1,1" for index in range(1, 32)))
    return parse_source(f"{film},platform=ground,camera=gate,annotations={tmp_path / 'gate.txt'}")


def test_the_table_is_of_people_before_their_faces_were_covered(tmp_path, source, save_checkpoint):
    """Kind A: masks cost no score when people are embedded while they are cut."""
    checkpoint = save_checkpoint()
    masked = build([source], tmp_path / "masked", embedder=CuttingEmbedder(checkpoint))
    plain = build([source], tmp_path / "plain", masking=None, embedder=CuttingEmbedder(checkpoint))
    assert masked.sources[0].faces_by_fallback + masked.sources[0].faces_followed == 7
    seen, unmasked = (load_table(tmp_path / name / "embeddings.npz") for name in ("masked", "plain"))
    of_crops, of_plain = (embed(tmp_path / name, checkpoint, tmp_path / f"{name}.npz") for name in ("masked", "plain"))
    np.testing.assert_array_equal(seen.embeddings, unmasked.embeddings)
    np.testing.assert_allclose(seen.embeddings, of_plain.embeddings, atol=0.05 * np.abs(of_plain.embeddings).max())
    change = np.abs(of_crops.embeddings - of_plain.embeddings).max()
    assert change > 2 * np.abs(seen.embeddings - of_plain.embeddings).max()  # JPEG alone
    assert (seen.seen_unmasked, unmasked.seen_unmasked, of_crops.seen_unmasked) == (True, False, False)
    assert (seen.model, seen.feeding) == (of_crops.model, of_crops.feeding)
    assert seen.pictures is not None
    assert of_crops.pictures is not None
    assert seen.pictures.tolist() == of_crops.pictures.tolist()  # the crops on disk are the masked ones
    assert json.loads((tmp_path / "masked/manifest.jsonl").read_text().splitlines()[0])
    assert "before that, in memory only" in (tmp_path / "masked/dataset-card.md").read_text()
    assert plain.manifest_sha256 != masked.manifest_sha256


def test_a_build_that_is_asked_again_keeps_the_embeddings_and_one_with_another_model_makes_its_own(
    tmp_path, source, save_checkpoint
):
    checkpoint = save_checkpoint()
    build([source], tmp_path / "out", embedder=CuttingEmbedder(checkpoint))
    before = (tmp_path / "out/embeddings.npz").read_bytes()
    (record,) = (tmp_path / "out/sources").iterdir()
    written = record.stat().st_mtime_ns
    build([source], tmp_path / "out", embedder=CuttingEmbedder(checkpoint))
    assert (tmp_path / "out/embeddings.npz").read_bytes() == before
    assert record.stat().st_mtime_ns == written
    with pytest.raises(SourceError, match="the model that people are embedded with"):
        build([source], tmp_path / "out")
    build([source], tmp_path / "out", replace=True)
    assert not (tmp_path / "out/embeddings.npz").exists()
