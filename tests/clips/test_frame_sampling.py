"""Frame sampling against the released program's draws, and what a reader may rely on."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.clips.frame_sampling import all_frames, restricted_begin, restricted_random

STORED = np.load(Path(__file__).parents[1] / "reference" / "sampling" / "temporal.npz")


@pytest.mark.parametrize("clip_length", [4, 8])
def test_test_clip_matches_the_release_at_every_length(clip_length):
    stored = STORED[f"begin_crop_size{clip_length}"]
    for length in range(1, 201):
        assert restricted_begin(length, clip_length) == stored[length].tolist(), length


def test_training_clip_matches_the_release_draw_for_draw():
    for seed, stored in zip(STORED["restricted_crop_seeds"], STORED["restricted_crop_size8"], strict=True):
        rng = random.Random(int(seed))
        for length in range(1, 201):
            assert restricted_random(length, 8, rng) == stored[length].tolist(), (seed, length)


def test_every_slot_reaches_the_frames_that_the_release_reaches():
    rng = random.Random(0)
    for length in (1, 7, 8, 9, 23, 64, 200):
        draws = np.array([restricted_random(length, 8, rng) for _ in range(3000)])
        assert draws.min(axis=0).tolist() == STORED["restricted_slot_min"][length].tolist()
        assert draws.max(axis=0).tolist() == STORED["restricted_slot_max"][length].tolist()


@pytest.mark.parametrize("length", [8, 16, 20, 24])
def test_all_frames_clips_match_the_release(length):
    assert all_frames(length, 8) == STORED[f"clips_{length}"].tolist()


def test_all_frames_padding_matches_the_release():
    for length in range(1, 51):
        filled = sorted(frame for clip in all_frames(length, 8) for frame in clip)
        assert filled == STORED["loop_padding"][length][: STORED["loop_padding_len"][length]].tolist()


@given(length=st.integers(1, 300), clip_length=st.integers(1, 32), seed=st.integers(0, 99))
def test_every_clip_has_its_length_and_keeps_time_order(length, clip_length, seed):
    clips = [
        restricted_begin(length, clip_length),
        restricted_random(length, clip_length, random.Random(seed)),
        *all_frames(length, clip_length),
    ]
    for clip in clips:
        assert len(clip) == clip_length
        assert clip == sorted(clip)
        assert 0 <= clip[0] <= clip[-1] < length


@given(length=st.integers(1, 300), clip_length=st.integers(1, 32))
def test_all_frames_leaves_no_frame_out(length, clip_length):
    assert {frame for clip in all_frames(length, clip_length) for frame in clip} == set(range(length))
