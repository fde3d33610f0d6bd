"""A folder of tracklets to a table on disk that knows its pictures."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from skyreid.clips.frame_bank import FrameBank
from skyreid.config_json import to_json
from skyreid.datasets.manifest import write_manifest
from skyreid.distributed import Workers
from skyreid.errors import ManifestError, MissingFrameError, TableError
from skyreid.extraction.embed_folder import embed
from skyreid.extraction.embed_tracklets import embed_tracklets
from skyreid.feeding import OPENAI_CLIP, Feeding
from skyreid.retrieval.embedding_table import load_table, require_comparable
from skyreid.tracklet import Frame, Platform, Tracklet
from tests.tiny_model import IMAGE_SIZE

FED = Feeding(clip_length=4, sampling="all-frames", image_size=IMAGE_SIZE, needs_platform=True)


def test_the_table_on_disk_is_what_was_embedded_and_names_its_manifest(
    footage, tracklets, save_checkpoint, model, tmp_path, monkeypatch
):
    write_manifest(footage / "manifest.jsonl", tracklets)
    checkpoint, out = save_checkpoint(feeding=to_json(FED)), tmp_path / "table.npz"
    monkeypatch.chdir(footage.parent)
    returned = embed(footage.relative_to(footage.parent), checkpoint, out)
    table = load_table(out)
    workers = Workers(device="cpu", precision="float32")
    expected = embed_tracklets(model.encoder, tracklets, FrameBank(IMAGE_SIZE, capacity_bytes=0), workers, FED)
    np.testing.assert_allclose(table.embeddings, expected.embeddings, rtol=1e-5, atol=1e-5)
    for name in ("pids", "camids", "platforms", "tracklet_ids"):
        assert getattr(table, name).tolist() == getattr(expected, name).tolist()
    assert np.array_equal(returned.embeddings, table.embeddings)
    assert table.manifest == str(footage / "manifest.jsonl")  # absolute, wherever the command was given


def test_the_checkpoint_says_how_it_is_fed_and_who_overrides_it_is_recorded(
    footage, tracklets, save_checkpoint, tmp_path
):
    """Kind A3: one model, one feeding, one embedding; another feeding is not taken for the same."""
    write_manifest(footage / "manifest.jsonl", tracklets)
    checkpoint = save_checkpoint(feeding=to_json(FED))
    as_told = embed(footage, checkpoint, tmp_path / "told.npz")
    longer = embed(footage, checkpoint, tmp_path / "longer.npz", clip_length=8, sampling="one-clip")
    assert as_told.feeding == load_table(tmp_path / "told.npz").feeding == FED
    assert load_table(tmp_path / "longer.npz").feeding == replace(FED, clip_length=8, sampling="one-clip")
    assert as_told.model == longer.model
    assert not np.allclose(as_told.embeddings, longer.embeddings, rtol=1e-3)
    with pytest.raises(TableError, match="got clip length 4 and 8; sampling all-frames and one-clip"):
        require_comparable(as_told, longer)


def test_pixels_are_normalised_as_the_checkpoint_says(footage, tracklets, save_checkpoint, tmp_path):
    write_manifest(footage / "manifest.jsonl", tracklets)
    other = replace(FED, normalization=OPENAI_CLIP)
    imagenet = embed(footage, save_checkpoint(feeding=to_json(FED)), tmp_path / "imagenet.npz")
    openai = embed(footage, save_checkpoint(feeding=to_json(other)), tmp_path / "openai.npz")
    assert not np.allclose(imagenet.embeddings, openai.embeddings, rtol=1e-3)


def test_a_folder_without_a_manifest_is_refused(save_checkpoint, tmp_path):
    with pytest.raises(ManifestError, match="must be a manifest; it cannot be read"):
        embed(tmp_path, save_checkpoint(), tmp_path / "table.npz")


def test_a_missing_frame_leaves_no_table(save_checkpoint, tmp_path):
    Image.new("RGB", (8, 16)).save(tmp_path / "there.png")
    frames = (Frame(str(tmp_path / "there.png")), Frame(str(tmp_path / "gone.png")))
    lost = Tracklet(tracklet_id="t", frames=frames, pid=1, camid=0, platform=Platform.GROUND)
    write_manifest(tmp_path / "manifest.jsonl", [lost])
    with pytest.raises(MissingFrameError, match=r"gone\.png: is missing"):
        embed(tmp_path, save_checkpoint(), tmp_path / "table.npz")
    assert not (tmp_path / "table.npz").exists()


def test_a_folder_that_is_embedded_twice_gives_the_same_file(save_checkpoint, footage, tracklets, tmp_path):
    write_manifest(footage / "manifest.jsonl", tracklets)
    checkpoint = save_checkpoint()
    for name in ("first.npz", "second.npz"):
        embed(footage, checkpoint, tmp_path / name)
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()
