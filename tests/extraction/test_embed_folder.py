"""A folder of tracklets to a table on disk that knows its pictures."""

import numpy as np
import pytest
from PIL import Image

from skyreid.clips.frame_bank import FrameBank
from skyreid.datasets.manifest import write_manifest
from skyreid.distributed import Workers
from skyreid.errors import ManifestError, MissingFrameError
from skyreid.extraction.embed_folder import embed_folder
from skyreid.extraction.embed_tracklets import ExtractionConfig, embed_tracklets
from skyreid.retrieval.embedding_table import load_table
from skyreid.tracklet import Frame, Platform, Tracklet
from tests.tiny_model import IMAGE_SIZE

CONFIG = ExtractionConfig(clip_length=4, sampling="all-frames")


def test_the_table_on_disk_is_what_was_embedded_and_names_its_manifest(
    footage, tracklets, save_checkpoint, model, tmp_path, monkeypatch
):
    write_manifest(footage / "manifest.jsonl", tracklets)
    checkpoint, out = save_checkpoint(), tmp_path / "table.npz"
    monkeypatch.chdir(footage.parent)
    returned = embed_folder(footage.relative_to(footage.parent), checkpoint, out, CONFIG)
    table = load_table(out)
    workers = Workers(device="cpu", precision="float32")
    expected = embed_tracklets(model.encoder, tracklets, FrameBank(IMAGE_SIZE, capacity_bytes=0), workers, CONFIG)
    np.testing.assert_allclose(table.embeddings, expected.embeddings, rtol=1e-5, atol=1e-5)
    for name in ("pids", "camids", "platforms", "tracklet_ids"):
        assert getattr(table, name).tolist() == getattr(expected, name).tolist()
    assert np.array_equal(returned.embeddings, table.embeddings)
    assert table.manifest == str(footage / "manifest.jsonl")  # absolute, wherever the command was given


def test_a_folder_without_a_manifest_is_refused(save_checkpoint, tmp_path):
    with pytest.raises(ManifestError, match="must be a manifest; it cannot be read"):
        embed_folder(tmp_path, save_checkpoint(), tmp_path / "table.npz", CONFIG)


def test_a_missing_frame_leaves_no_table(save_checkpoint, tmp_path):
    Image.new("RGB", (8, 16)).save(tmp_path / "there.png")
    frames = (Frame(str(tmp_path / "there.png")), Frame(str(tmp_path / "gone.png")))
    lost = Tracklet(tracklet_id="t", frames=frames, pid=1, camid=0, platform=Platform.GROUND)
    write_manifest(tmp_path / "manifest.jsonl", [lost])
    with pytest.raises(MissingFrameError, match=r"gone\.png is missing"):
        embed_folder(tmp_path, save_checkpoint(), tmp_path / "table.npz", CONFIG)
    assert not (tmp_path / "table.npz").exists()


def test_a_folder_that_is_embedded_twice_gives_the_same_file(save_checkpoint, footage, tracklets, tmp_path):
    write_manifest(footage / "manifest.jsonl", tracklets)
    checkpoint = save_checkpoint()
    for name in ("first.npz", "second.npz"):
        embed_folder(footage, checkpoint, tmp_path / name, CONFIG)
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()
