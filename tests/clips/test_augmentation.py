"""The paper's and the release's augmentation, of a batch and clip by clip; the release's own draws: tests/reference."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from skyreid.clips.augmentation import PAPER, RELEASE, AugmentationConfig, change_frames, draw_changes
from skyreid.clips.clip_loader import Clip, ClipBatch, normalize
from skyreid.clips.frame_reading import resize
from skyreid.errors import SettingError

STORED = np.load(Path(__file__).parents[1] / "reference" / "sampling" / "spatial.npz")
MGH = AugmentationConfig(frames_apart=True, enlarge=1.125)
EVERYTHING = AugmentationConfig(frames_apart=True, pad=3, enlarge=1.25)


def augment(frames, config, rng):
    """Draw and change one clip of [frame, height, width, channel]."""
    changes = draw_changes(len(frames), frames.shape[1:3], config, rng)
    changed = frames.copy()
    change_frames(changed, changes, config)
    return changed, np.array([change.erasure for change in changes])


def augment_slowly(frames, config, rng):
    """The same, one draw and what it does after the other, as a reader of the paper would write it."""
    if config.frames_apart and len(frames) > 1:
        parts = [augment_slowly(frame[None], config, rng) for frame in frames]
        return np.concatenate([part for part, _ in parts]), np.concatenate([erased for _, erased in parts])
    height, width = frames.shape[1:3]
    if rng.random() < config.flip_probability:
        frames = frames[:, :, ::-1]
    is_erased = rng.random() > 1 - config.erase_probability
    down, across, rectangles = rng.random(), rng.random(), []
    while is_erased and len(rectangles) < (len(frames) if config.erase_every_frame_anew else 1):
        area = rng.uniform(*config.erase_area) * height * width
        aspect = rng.uniform(*config.erase_aspect)
        tall, wide = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if tall < height and wide < width:
            rectangles.append((round(down * (height - tall)), round(across * (width - wide)), tall, wide))
    rectangles = rectangles or [(0, 0, 0, 0)]
    rectangles = rectangles * (len(frames) // len(rectangles))
    if config.pad:
        top, left = rng.randint(0, 2 * config.pad), rng.randint(0, 2 * config.pad)
        border = (config.pad, config.pad)
        frames = np.pad(frames, ((0, 0), border, border, (0, 0)))[:, top : top + height, left : left + width]
    if config.enlarge > 1 and rng.random() < 0.5:
        tall, wide = round(height * config.enlarge), round(width * config.enlarge)
        frames = np.stack([resize(np.ascontiguousarray(frame), (tall, wide)) for frame in frames])
        top, left = rng.randint(0, tall - height), rng.randint(0, wide - width)
        frames = frames[:, top : top + height, left : left + width]
    return frames, np.array(rectangles)


@pytest.mark.parametrize("config", [RELEASE, PAPER, MGH, EVERYTHING], ids=["release", "paper", "MGH", "everything"])
def test_a_batch_is_changed_as_its_clips_are_one_by_one(config):
    clips = np.random.default_rng(0).integers(0, 256, (24, 4, 64, 32, 3), dtype=np.uint8)
    rngs = [random.Random(f"clip/{number}") for number in range(len(clips))]
    changes = [change for rng in rngs for change in draw_changes(4, (64, 32), config, rng)]
    batch = clips.reshape(-1, 64, 32, 3).copy()
    change_frames(batch, changes, config)
    for number, clip in enumerate(clips):
        rng = random.Random(f"clip/{number}")
        frames, erasures = augment_slowly(clip, config, rng)
        own = slice(4 * number, 4 * number + 4)
        assert (batch[own] == frames).all()
        assert [change.erasure for change in changes[own]] == [tuple(erasure) for erasure in erasures]
        assert rng.getstate() == rngs[number].getstate()
    assert len({change.is_flipped for change in changes}) == 2


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
    borders = {tuple((augment(frames, config, random.Random(seed))[0] == 0).sum(axis=(1, 2, 3))) for seed in range(20)}
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


def test_frames_apart_draw_one_after_the_other_what_each_would_draw_alone():
    config = AugmentationConfig(frames_apart=True, pad=3, enlarge=1.25)
    frames = np.random.default_rng(0).integers(0, 256, (6, 32, 16, 3), dtype=np.uint8)
    together, erasures = augment(frames, config, random.Random(3))
    rng = random.Random(3)
    alone = [augment(frame[None], config, rng) for frame in frames]
    assert (together == np.concatenate([changed for changed, _ in alone])).all()
    assert (erasures == np.concatenate([erased for _, erased in alone])).all()


def test_frames_apart_are_not_changed_alike():
    frames = np.repeat(np.random.default_rng(0).integers(0, 256, (1, 32, 16, 3), dtype=np.uint8), 12, axis=0)
    changed, erasures = augment(frames, AugmentationConfig(frames_apart=True), random.Random(0))
    flipped = [(frame == frames[0, :, ::-1]).all() for frame in changed]
    assert 0 < sum(flipped) < 12
    assert 0 < sum(height > 0 for _, _, height, _ in erasures) < 12


def test_enlarged_frames_are_every_second_time_a_crop_of_a_larger_picture():
    config = AugmentationConfig(flip_probability=0.0, erase_probability=0.0, enlarge=1.125)
    frame = np.random.default_rng(0).integers(0, 256, (64, 32, 3), dtype=np.uint8)
    larger = np.asarray(Image.fromarray(frame).resize((36, 72), Image.Resampling.BICUBIC))
    crops = {larger[top : top + 64, left : left + 32].tobytes(): (top, left) for top in range(9) for left in range(5)}
    drawn = [augment(frame[None], config, random.Random(seed))[0][0] for seed in range(400)]
    untouched = [found for found in drawn if (found == frame).all()]
    assert 160 < len(untouched) < 240
    places = [crops[found.tobytes()] for found in drawn if not (found == frame).all()]
    assert [set(sides) for sides in zip(*places, strict=True)] == [set(range(9)), set(range(5))]


def test_what_a_setting_leaves_off_draws_nothing():
    """Else the clips of the release would be other ones."""

    class Counted(random.Random):
        draws = 0

        def random(self):
            self.draws += 1
            return super().random()

    frames = np.zeros((4, 64, 32, 3), dtype=np.uint8)
    rng = Counted(0)
    augment(frames, AugmentationConfig(erase_probability=0.0), rng)
    assert rng.draws == 4  # flip, erase, two positions


def test_frames_are_not_made_smaller():
    with pytest.raises(SettingError, match=r"^augmentation: frames are enlarged by 1 or more; got enlarge=0\.9$"):
        AugmentationConfig(enlarge=0.9)
