"""A folder of tracklets to a table on disk that knows its pictures."""

import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from skyreid.datasets.data_hash import pictures_sha256, with_hashes
from skyreid.datasets.manifest import write_manifest
from skyreid.errors import ChangedFrameError, DatasetError, MissingFrameError, SettingError, TableError
from skyreid.extraction.embed_folder import embed
from skyreid.extraction.embed_tracklets import embed_tracklets
from skyreid.feeding import OPENAI_CLIP, Feeding
from skyreid.files.config_json import to_json
from skyreid.processes.distributed import Processes
from skyreid.retrieval.embedding_table import load_table, require_comparable
from skyreid.tracklet import Frame, Platform, Tracklet
from tests.datasets.miniature_trees import write_g2a
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
    processes = Processes(device="cpu", precision="float32")
    expected = embed_tracklets(model.encoder, tracklets, processes, FED)
    np.testing.assert_allclose(table.embeddings, expected.embeddings, rtol=1e-5, atol=1e-5)
    for name in ("pids", "camids", "platforms", "tracklet_ids"):
        assert getattr(table, name).tolist() == getattr(expected, name).tolist()
    assert np.array_equal(returned.embeddings, table.embeddings)
    assert table.manifest == str(footage / "manifest.jsonl")  # absolute, wherever the command was given


def test_a_table_is_written_in_float16_where_asked_for(footage, tracklets, save_checkpoint, tmp_path):
    write_manifest(footage / "manifest.jsonl", tracklets)
    checkpoint = save_checkpoint(feeding=to_json(FED))
    whole = embed(footage, checkpoint)
    half = embed(footage, checkpoint, tmp_path / "half.npz", table_precision="float16")
    assert load_table(tmp_path / "half.npz").embeddings.dtype == half.embeddings.dtype == np.float16
    np.testing.assert_allclose(half.unit_embeddings, whole.unit_embeddings, rtol=0, atol=5e-4)


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


def write_crops(folder, *names, seed=0):
    """Pictures of noise, as somebody's detector leaves them."""
    rng = np.random.default_rng(seed)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (30, 14, 3), dtype=np.uint8)).save(folder / name)
    return folder


def test_a_folder_of_crops_is_embedded_one_subfolder_a_tracklet(save_checkpoint, model, tmp_path):
    """Kind C1: no manifest, names as they come, frames in the order of their numbers."""
    folder = write_crops(tmp_path / "crops", "12/10.jpg", "12/9.jpg", "7 b/f-1.PNG", "7 b/f-02.png", "7 b/f-3.webp")
    (folder / ".DS_Store").write_bytes(b"left by a file manager")
    table = embed(str(folder), str(save_checkpoint(feeding=to_json(FED))), platform="aerial")
    assert table.tracklet_ids.tolist() == ["7 b", "12"]
    assert (table.pids.tolist(), table.platforms.tolist(), table.manifest) == ([1, 2], [1, 1], None)
    frames = tuple(Frame(str(folder / "12" / name)) for name in ("9.jpg", "10.jpg"))
    tracklet = Tracklet(tracklet_id="12", frames=frames, pid=2, camid=0, platform=Platform.AERIAL)
    processes = Processes(device="cpu", precision="float32")
    expected = embed_tracklets(model.encoder, [tracklet], processes, FED)
    np.testing.assert_allclose(table.embeddings[1], expected.embeddings[0], rtol=1e-5, atol=1e-5)


def test_a_model_that_is_told_the_platform_asks_for_it(save_checkpoint, tmp_path):
    folder = write_crops(tmp_path / "crops", "a/1.png")
    with pytest.raises(SettingError, match="name it by --platform ground or --platform aerial"):
        embed(folder, save_checkpoint(feeding=to_json(FED)))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "must be a folder of crops (one subfolder a tracklet) or a folder that skyreid built"),
        (
            ("bbox_train/0001/0001C1T0001F001.jpg",),
            "a benchmark: 'skyreid evaluate CHECKPOINT --data NAME --root FOLDER'",
        ),
        (("a/1.png", "2.png"), "1 pictures lie beside the subfolders, such as 2.png"),
        (("a/1.png", "b/c/2.png"), "1 subfolders hold no picture, such as b"),
    ],
)
def test_a_folder_of_another_layout_is_refused_with_what_it_lacks(save_checkpoint, tmp_path, names, message):
    (tmp_path / "crops").mkdir()
    with pytest.raises(DatasetError, match=re.escape(message)):
        embed(write_crops(tmp_path / "crops", *names), save_checkpoint(), tmp_path / "table.npz")


def test_a_benchmark_is_embedded_part_by_part(save_checkpoint, tmp_path):
    """Kind C1: a G2A folder without a manifest of ours."""
    write_g2a(tmp_path / "g2a")
    checkpoint = save_checkpoint(feeding=to_json(FED))
    parts = ("query", "gallery", "test", "train")
    query, gallery, both, train = (embed(tmp_path / "g2a", checkpoint, data="g2a-vreid", part=part) for part in parts)
    assert (query.pids.tolist(), gallery.pids.tolist(), train.pids.tolist()) == ([2, 5], [2, 5], [1, 1])
    assert both.tracklet_ids.tolist() == [*query.tracklet_ids, *gallery.tracklet_ids]
    assert query.pictures is not None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"part": "query"}, "split and part are of a benchmark, which --data names; got split=0, part='query'"),
        ({"data": "mars", "camera": "left"}, "the cameras of a folder stand in the manifest of 'skyreid build'"),
        ({"data": "mars", "platform": "aerial"}, "tell the platforms themselves; got platform='aerial'"),
        ({"platform": "drone"}, "a platform is 'ground' or 'aerial'; got 'drone'"),
    ],
)
def test_options_that_would_not_be_read_are_refused(save_checkpoint, tmp_path, settings, message):
    with pytest.raises(SettingError, match=re.escape(message)):
        embed(tmp_path, save_checkpoint(), **settings)


def test_a_missing_frame_leaves_no_table(save_checkpoint, tmp_path):
    Image.new("RGB", (8, 16)).save(tmp_path / "there.png")
    frames = (Frame(str(tmp_path / "there.png")), Frame(str(tmp_path / "gone.png")))
    lost = Tracklet(tracklet_id="t", frames=frames, pid=1, camid=0, platform=Platform.GROUND)
    write_manifest(tmp_path / "manifest.jsonl", [lost])
    with pytest.raises(MissingFrameError, match=r"gone\.png: is missing"):
        embed(tmp_path, save_checkpoint(), tmp_path / "table.npz")
    assert not (tmp_path / "table.npz").exists()


def test_a_repainted_crop_is_named_although_no_clip_has_it(save_checkpoint, tmp_path):
    """Kind A4: the table speaks for all crops of a tracklet; a clip of 4 frames has every fifth of 20."""
    crops = sorted(write_crops(tmp_path / "crops", *(f"{number:02d}.png" for number in range(20))).iterdir())
    tracklet = Tracklet(
        tracklet_id="t", frames=tuple(Frame(str(path)) for path in crops), pid=1, camid=0, platform=Platform.GROUND
    )
    write_manifest(tmp_path / "manifest.jsonl", with_hashes([tracklet]))
    table = embed(tmp_path, save_checkpoint(), tmp_path / "table.npz", clip_length=4, sampling="one-clip")
    assert table.pictures.tolist() == [pictures_sha256(with_hashes([tracklet])[0]).encode()]
    crops[7].write_bytes(crops[6].read_bytes())
    with pytest.raises(ChangedFrameError, match=r"07\.png was changed"):
        embed(tmp_path, save_checkpoint(), tmp_path / "table.npz", clip_length=4, sampling="one-clip")


def test_a_folder_that_is_embedded_twice_gives_the_same_file(save_checkpoint, footage, tracklets, tmp_path):
    write_manifest(footage / "manifest.jsonl", tracklets)
    checkpoint = save_checkpoint()
    for name in ("first.npz", "second.npz"):
        embed(footage, checkpoint, tmp_path / name)
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()


def test_a_table_in_many_files_is_the_one_in_a_single_file(save_checkpoint, footage, tracklets, tmp_path):
    write_manifest(footage / "manifest.jsonl", tracklets)
    checkpoint = save_checkpoint()
    embed(footage, checkpoint, tmp_path / "table.npz")
    embed(footage, checkpoint, tmp_path / "table", shard_rows=2)
    assert sorted(path.name[:5] for path in (tmp_path / "table").iterdir()) == ["00000", "00001", "00002", "shard"]
    one, many = load_table(tmp_path / "table.npz"), load_table(tmp_path / "table")
    for name, array in one.arrays().items():
        assert array.tolist() == many.arrays()[name].tolist()
    assert (many.manifest, many.model, many.feeding) == (one.manifest, one.model, one.feeding)


@pytest.mark.parametrize(
    ("out", "shard_rows", "message"),
    [
        ("table", 0, "a shard must hold at least 1 tracklet; got 0"),
        ("", None, "is a folder: name a file such as table.npz, or say by --shard-rows"),
        (None, 5, "shard_rows is of a table that is written; name it by out; got shard_rows=5"),
        ("", 5, "must be a folder of its own for a table in many files; it holds "),
    ],
)
def test_many_files_that_cannot_be_written_are_refused_before_anything_is_embedded(
    footage, tracklets, tmp_path, out, shard_rows, message
):
    write_manifest(footage / "manifest.jsonl", tracklets)
    (tmp_path / "somebodys.txt").touch()
    with pytest.raises(SettingError, match=message):
        embed(footage, tmp_path / "none", None if out is None else tmp_path / out, shard_rows=shard_rows)
