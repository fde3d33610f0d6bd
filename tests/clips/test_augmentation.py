"""Spatial transforms against the released program's, and the paper's variant."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from skyreid.clips.augmentation import PAPER, RELEASE, AugmentationConfig, augment
from skyreid.clips.clip_batch import Clip, ClipBatch
from skyreid.clips.frame_bank import resize
from skyreid.clips.normalization import normalize

STORED = np.load(Path(__file__).parents[1] / "reference" / "sampling" / "spatial.npz")
IMAGES = [STORED[f"img{i}"] for i in range(3)]


@pytest.mark.parametrize("i", range(3))
def test_resize_matches_the_release_byte_for_byte(i):
    assert np.array_equal(resize(IMAGES[i], (256, 128)), STORED[f"resized_u8_{i}"])


@pytest.mark.parametrize("i", range(3))
def test_the_test_transform_matches_the_release(i):
    frames = torch.tensor(resize(IMAGES[i], (256, 128))).permute(2, 0, 1)[None, None]
    assert_close(
        normalize(frames)[0, 0, :, ::8, ::8], torch.from_numpy(STORED[f"test{i}"]), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("seed", range(8))
def test_the_training_transform_matches_the_release_draw_for_draw(seed):
    frames = np.stack([resize(image, (64, 32)) for image in IMAGES])
    frames, erasures = augment(frames, RELEASE, random.Random(seed))
    batch = ClipBatch.collate([Clip(frames=frames, erasures=erasures, platform=0, label=0)])
    assert_close(
        batch.pixels(RELEASE.erase_fill)[0],
        torch.from_numpy(STORED[f"train_seed{seed}"]),
        rtol=1e-6,
        atol=1e-6,
    )


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_our_erase_probability_is_what_it_says_and_the_release_s_is_inverted(probability):
    config = AugmentationConfig(erase_probability=probability)
    frames = np.zeros((1, 64, 32, 3), dtype=np.uint8)
    rate = np.mean([augment(frames, config, random.Random(seed))[1][0, 2] > 0 for seed in range(2000)])
    assert abs(rate - probability) < 0.04
    assert abs(rate - (1 - STORED[f"erase_rate_for_probability_{probability}"])) < 0.05


def test_the_paper_s_variant_draws_once_for_the_whole_clip():
    frame = np.random.default_rng(0).integers(0, 256, (1, 64, 32, 3), dtype=np.uint8)
    frames = np.repeat(frame, 5, axis=0)
    erased = 0
    for seed in range(20):
        changed, erasures = augment(frames, PAPER, random.Random(seed))
        assert (changed == changed[:1]).all()
        assert (erasures == erasures[:1]).all()
        erased += int(erasures[0, 2] > 0)
    assert 0 < erased < 20


def test_pad_and_crop_moves_the_frame_and_keeps_its_size():
    frames = np.full((2, 64, 32, 3), 255, dtype=np.uint8)
    config = AugmentationConfig(pad=10, erase_probability=0.0)
    borders = {
        tuple((augment(frames, config, random.Random(seed))[0] == 0).sum(axis=(1, 2, 3)))
        for seed in range(20)
    }
    assert len(borders) > 5
    assert augment(frames, config, random.Random(0))[0].shape == frames.shape


def test_erasing_touches_only_its_rectangle():
    frames = np.zeros((1, 16, 8, 3), dtype=np.uint8)
    clip = Clip(frames=frames, erasures=np.array([[2, 1, 3, 4]]), platform=0, label=0)
    pixels = ClipBatch.collate([clip]).pixels((9.0, 8.0, 7.0))[0, 0]
    untouched = normalize(torch.zeros(1, 1, 3, 16, 8, dtype=torch.uint8))[0, 0]
    assert_close(pixels[:, 2:5, 1:5], torch.tensor([9.0, 8.0, 7.0]).view(3, 1, 1).expand(3, 3, 4))
    pixels[:, 2:5, 1:5] = untouched[:, 2:5, 1:5]
    assert_close(pixels, untouched)
