"""A checkpoint folder as a user has it: loaded, and asked for embeddings of clips of any size."""

import logging
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

import skyreid
from skyreid.baselines import BaselineModel, build_baseline
from skyreid.clips.clip_loader import normalize
from skyreid.clips.given_clips import TAKEN
from skyreid.errors import CheckpointError, SettingError
from skyreid.extraction.embed_tracklets import ExtractionConfig, embed_tracklets
from skyreid.extraction.loading import ClipEmbedder, load
from skyreid.files.config_json import to_json
from skyreid.models.tower_pair import TowerPair
from skyreid.processes.distributed import Processes
from skyreid.tracklet import Platform
from tests.tiny_model import IMAGE_SIZE, NO_ADAPTERS, tiny_config, tiny_model


def clips(count=3, frames=4, size=IMAGE_SIZE, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, frames, 3, *size), dtype=np.uint8)


@pytest.fixture(scope="module")
def embedder(model):
    return embedder_of(model.encoder)


def embedder_of(encoder, clip_length=4):
    return ClipEmbedder(encoder, ExtractionConfig(clip_length=clip_length).feeding_of(encoder))


def test_a_checkpoint_embeds_as_the_model_that_was_saved(save_checkpoint, model):
    loaded = skyreid.load(save_checkpoint())
    expected = model.encoder.embed(normalize(torch.from_numpy(clips())), torch.tensor([0, 1, 1]))
    found = loaded.embed(clips(), ["ground", "aerial", "aerial"])
    assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert found.shape == (3, loaded.embed_dim)


def test_a_pretrained_pair_embeds_too(save_checkpoint):
    pair = TowerPair(tiny_config(adapters=NO_ADAPTERS, prompt_depth=0), vocabulary=50)
    folder = save_checkpoint(weights=pair.state_dict(), kind="clip-pair", model=to_json(pair.config))
    expected = pair.encoder.embed(normalize(torch.from_numpy(clips())), torch.zeros(3, dtype=torch.long))
    assert_close(load(str(folder)).embed(clips()), expected.detach(), rtol=1e-5, atol=1e-5)


def test_a_method_of_the_comparison_embeds_too_and_remembers_its_clips(save_checkpoint, caplog):
    config = BaselineModel(method="ap3d", num_classes=3, frames=2, image_size=(32, 32))
    method = build_baseline(config).eval()
    folder = save_checkpoint(weights=method.state_dict(), kind="baseline", model=to_json(config))
    with torch.inference_mode():
        expected = method.embed(normalize(torch.from_numpy(clips(size=(32, 32)))), torch.zeros(3, dtype=torch.long))
    loaded = load(folder)
    assert_close(loaded.embed(clips(size=(32, 32))), expected, rtol=1e-5, atol=1e-5)
    assert (loaded.feeding.clip_length, loaded.embed_dim) == (2, 2048)
    assert not any("platform unknown" in message for message in caplog.messages)  # it is not told the platform


def test_a_method_that_is_told_the_platform_says_when_nobody_knows_it(caplog):
    encoder = embedder_of(build_baseline(BaselineModel(method="pit", num_classes=3, frames=2, image_size=(48, 32))))
    with caplog.at_level(logging.WARNING):
        encoder.embed(clips(count=1, frames=1, size=(48, 32)))
    assert caplog.messages == ["platform unknown for 1 clips: the mean over the platforms is used"]


def test_a_method_that_is_not_there_is_refused_by_name(save_checkpoint):
    model = {"method": "ap4d", "num_classes": 3, "frames": 2, "preset": "release", "image_size": [32, 32]}
    with pytest.raises(SettingError, match=r"^no method is called 'ap4d' \(did you mean 'ap3d'\?\); there are ap3d, "):
        load(save_checkpoint(kind="baseline", model=model))


def test_embedding_asks_for_no_gradient(embedder):
    assert not embedder.embed(clips(), [Platform.GROUND] * 3).requires_grad


def test_a_clip_embeds_the_same_in_any_batch(embedder):
    platforms = ["ground", "aerial", "ground"]
    together = embedder.embed(clips(), platforms)
    for clip in range(3):
        alone = embedder.embed(clips()[clip : clip + 1], platforms[clip : clip + 1])
        assert_close(alone[0], together[clip], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(40, 20), (12, 9), (24, 30)])
def test_frames_of_another_size_are_resized_as_pillow_s_bicubic_does(embedder, size):
    frames, (height, width) = clips(size=size), IMAGE_SIZE
    sized = np.zeros((3, 4, 3, height, width), dtype=np.uint8)
    for clip in range(3):
        for frame in range(4):
            image = Image.fromarray(np.ascontiguousarray(frames[clip, frame].transpose(1, 2, 0)))
            resized = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
            sized[clip, frame] = resized.transpose(2, 0, 1)
    assert torch.equal(embedder.embed(frames), embedder.embed(sized))


def test_numpy_and_torch_frames_embed_alike(embedder):
    assert torch.equal(embedder.embed(clips()), embedder.embed(torch.from_numpy(clips())))


def test_an_image_from_pillow_and_a_mirrored_view_can_be_embedded(embedder):
    image = Image.fromarray(np.ascontiguousarray(clips(size=(40, 20))[0, 0].transpose(1, 2, 0)))
    from_pillow = np.asarray(image).transpose(2, 0, 1)[None, None]  # numpy may not write into Pillow's memory
    assert_close(embedder.embed(from_pillow), embedder.embed(from_pillow.copy()), rtol=0, atol=0)
    mirrored = clips()[..., ::-1]
    assert_close(embedder.embed(mirrored), embedder.embed(mirrored.copy()), rtol=0, atol=0)


def test_frames_of_another_type_are_refused_with_what_is_taken(save_checkpoint):
    """Kind C2, in a process of its own: here the annotations are checked, which a user's program does not do."""
    normalised = "give the pictures as they were read, before any normalisation"
    platforms = "platforms is 'ground' or 'aerial' for all, or a list with one for each of 2 clips; "
    refusals = {
        "floats": "pixels are uint8, 0 to 255; got float32 from 0 to 1 ((frames * 255).round().astype('uint8'))",
        "floats * 255": "pixels are uint8, 0 to 255; got float32 from 0 to 255 (frames.round().astype('uint8'))",
        "floats - 0.5": f"pixels are uint8, 0 to 255; got float32 from -0.5 to 0.5 ({normalised})",
        "clips.astype(int) * 3": f"pixels are uint8, 0 to 255; got int64 from 0 to 765 ({normalised})",
        "clips > 3": "pixels are uint8, 0 to 255; got bool",
        "torch.from_numpy(clips).half()": "pixels are uint8, 0 to 255; got float16 from 0 to 255 "
        "(frames.round().astype('uint8'))",
        "None": f"{TAKEN}; got None",
        "iter([clips])": f"{TAKEN}; got an object of the type list_iterator",
        "[clips[0], None]": f"{TAKEN}; got None in a list",
        "[[clips[0][0], 3]]": f"{TAKEN}; got 3 of the type int for a crop",
        "clips, 3": f"{platforms}got 3 of the type int",
        "clips, [0, 1]": "a platform is 'ground' or 'aerial'; got 0",
    }
    program = """
import sys, numpy as np, skyreid, torch
encoder = skyreid.load(sys.argv[1])
clips = np.zeros((2, 4, 3, 24, 16), np.uint8)
clips[..., 0] = 255
floats = (clips / 255).astype(np.float32)
for arguments in sys.stdin.read().splitlines():
    try:
        print(eval(f"encoder.embed({arguments})"))
    except skyreid.SkyreidError as error:
        print(error)
"""
    finished = subprocess.run(
        [sys.executable, "-c", program, save_checkpoint()],
        input="\n".join(refusals),
        capture_output=True,
        text=True,
        check=True,
    )
    assert dict(zip(refusals, finished.stdout.splitlines(), strict=True)) == refusals


def test_clips_of_different_lengths_are_refused_with_the_way_out(embedder):
    message = (
        "clips of one call have one length; got 2 to 4 frames (embed_tracklets takes the model's clips out of "
        "tracklets of any length)"
    )
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        embedder.embed([clips()[0], clips()[1][:2]])


def test_a_list_of_crops_is_one_clip(embedder):
    crops = [Image.fromarray(frame.transpose(1, 2, 0)) for frame in clips(size=(40, 20))[0]]
    expected = embedder.embed(clips(size=(40, 20))[:1], ["aerial"])
    assert torch.equal(embedder.embed(crops, "aerial"), expected)
    assert torch.equal(embedder.embed([crops], ["aerial"]), expected)


def test_one_platform_stands_for_all(embedder):
    assert torch.equal(embedder.embed(clips(), "aerial"), embedder.embed(clips(), ["aerial"] * 3))


@pytest.mark.parametrize("sampling", ["one-clip", "all-frames"])
def test_tracklets_of_any_length_embed_as_the_command_line_embeds_them(model, footage, tracklets, sampling):
    config = ExtractionConfig(clip_length=4, sampling=sampling)
    feeding = config.feeding_of(model.encoder)
    expected = embed_tracklets(model.encoder, tracklets, Processes(), feeding).embeddings
    embedder = ClipEmbedder(model.encoder, feeding)
    paths = [[frame.path for frame in tracklet.frames] for tracklet in tracklets]
    found = embedder.embed_tracklets(paths, [tracklet.platform for tracklet in tracklets])
    assert_close(found, torch.from_numpy(expected), rtol=1e-5, atol=1e-5)


def test_many_clips_are_embedded_a_few_at_a_time(embedder):
    many = clips(count=35, frames=1)
    assert_close(embedder.embed(many)[34:], embedder.embed(many[34:]), rtol=1e-5, atol=1e-5)


def test_an_embedder_shows_itself_in_one_line(embedder):
    assert repr(embedder) == (
        "ClipEmbedder(VideoEncoder, clips of 4 frames (one-clip), 24 x 16 RGB, told the platform, 160 numbers)"
    )


def test_a_device_that_is_not_here_is_refused(save_checkpoint):
    with pytest.raises(SettingError, match=r"^device is 'cpu', or one that PyTorch finds here; got 'gpu': "):
        load(save_checkpoint(), device="gpu")


def test_a_platform_is_named_by_a_word_or_by_the_enum(embedder):
    by_word = embedder.embed(clips(), ["ground", "aerial", "ground"])
    by_enum = embedder.embed(clips(), [Platform.GROUND, Platform.AERIAL, Platform.GROUND])
    assert torch.equal(by_word, by_enum)
    assert not torch.allclose(by_word, embedder.embed(clips(), ["aerial", "ground", "aerial"]), atol=1e-3)


def test_where_nobody_knows_the_platform_the_mean_prompt_is_used_and_said(embedder, model, caplog):
    both = tiny_model().encoder
    with torch.no_grad():
        both.platform_prompt.prompts.copy_(both.platform_prompt.prompts.mean(0, keepdim=True).expand(2, -1, -1, -1))
    with caplog.at_level(logging.WARNING):
        unknown = embedder.embed(clips())
    assert caplog.messages == ["platform unknown for 3 clips: the mean over the platforms is used"]
    assert_close(unknown, embedder_of(both).embed(clips(), ["ground"] * 3), rtol=1e-5, atol=1e-5)


def test_a_model_without_a_platform_prompt_does_not_ask_for_the_platform(caplog):
    without = embedder_of(tiny_model(tiny_config(prompt_depth=0)).encoder)
    with caplog.at_level(logging.WARNING):
        assert torch.equal(without.embed(clips()), without.embed(clips(), ["aerial"] * 3))
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("platforms", "message"),
    [
        (
            ["ground"],
            "platforms is 'ground' or 'aerial' for all, or a list with one for each of 3 clips; got ['ground'] of the "
            "type list",
        ),
        ("air", "a platform is 'ground' or 'aerial'; got 'air'"),
        (["ground", "drone", "aerial"], "a platform is 'ground' or 'aerial'; got 'drone'"),
    ],
)
def test_platforms_that_do_not_fit_the_clips_are_refused(embedder, platforms, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        embedder.embed(clips(), platforms)


FEEDING = {
    "clip_length": 3,
    "sampling": "begin-chunk",
    "image_size": list(IMAGE_SIZE),
    "normalization": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
    "colour_order": "RGB",
    "needs_platform": True,
}


def test_a_checkpoint_is_fed_as_it_says(save_checkpoint, model, caplog):
    """Kind A3: the checkpoint states it, and whoever embeds reads it there."""
    loaded = load(save_checkpoint(feeding=FEEDING))
    assert to_json(loaded.feeding) == FEEDING
    pixels = (torch.from_numpy(clips()).float() / 255 - 0.5) / 0.25
    expected = model.encoder.embed(pixels, torch.tensor([0, 1, 1]))
    assert_close(loaded.embed(clips(), ["ground", "aerial", "aerial"]), expected, rtol=1e-5, atol=1e-5)
    assert caplog.messages == []


def test_of_an_older_checkpoint_it_is_said_what_is_assumed(save_checkpoint, caplog):
    loaded = load(save_checkpoint())
    assert (loaded.feeding.clip_length, loaded.feeding.sampling) == (8, "one-clip")
    (message,) = caplog.messages
    assert "does not say how it wants to be fed" in message
    assert "assumed: clips of 8 frames (one-clip), 24 x 16 RGB, told the platform" in message


def test_an_older_checkpoint_of_a_training_is_fed_as_the_training_tested_it(save_checkpoint, caplog):
    tested = {"clip_length": 4, "sampling": "all-frames", "batch_size": 16, "threads": 2}
    loaded = load(save_checkpoint(training={"extraction": tested}))
    assert (loaded.feeding.clip_length, loaded.feeding.sampling) == (4, "all-frames")
    assert "taken from the settings of its training: clips of 4 frames (all-frames)" in caplog.messages[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": [64, 32]}, "contradicts its model: image size (64, 32) and (24, 16)"),
        ({"needs_platform": False}, "contradicts its model: needs platform False and True"),
        ({"colour_order": "BGR"}, "contradicts its model: colour order BGR and RGB"),
        ({"clip_length": 0}, "feeding: a clip has at least one frame; got clip_length=0"),
        ({"sampling": "two-clips"}, "feeding.sampling: must be one of one-clip, "),
        ({"normalization": {"mean": [0.5] * 3, "std": [0.0] * 3}}, "needs finite numbers and a positive std; got mean"),
    ],
)
def test_a_feeding_that_cannot_be_is_refused(save_checkpoint, change, message):
    with pytest.raises(CheckpointError, match=re.escape(message)):
        load(save_checkpoint(feeding={**FEEDING, **change}))


def test_a_missing_and_an_unexpected_key_are_listed(save_checkpoint, model):
    weights = {**model.state_dict(), "encoder.extra": torch.zeros(1)}
    del weights["encoder.tower.class_token"]
    folder = save_checkpoint(weights=weights)
    message = f"{folder}: weights do not fit the model: missing tower.class_token; unexpected extra"
    with pytest.raises(CheckpointError, match=f"^{re.escape(message)}$"):
        load(folder)


@pytest.mark.parametrize("kind", ["resnet", None, ["vsla-clip"]])
def test_a_checkpoint_of_another_kind_is_refused(save_checkpoint, kind):
    folder = save_checkpoint(kind=kind)
    message = f"{folder}: kind must be one of vsla-clip, clip-pair, baseline; got {kind!r}"
    with pytest.raises(CheckpointError, match=f"^{re.escape(message)}$"):
        load(folder)


def test_a_model_configuration_that_cannot_be_is_refused_by_name(save_checkpoint, model):
    config = to_json(model.config)
    config["image"]["width"] = 100
    folder = save_checkpoint(model=config)
    message = f"{folder}: model.image: image tower width must be a multiple of 64; got 100"
    with pytest.raises(CheckpointError, match=f"^{re.escape(message)}$"):
        load(folder)


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"must be a checkpoint folder .*; it is an empty folder"):
        load(tmp_path)
