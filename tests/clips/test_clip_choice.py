"""The names of the ways to take clips, and what each promises."""

import random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.clips.clip_choice import TEST_CLIPS, TRAINING_CLIPS, TrainingChoice
from skyreid.feeding import TestChoice

ONE_CLIP = ("one-clip", "begin-stride", "begin-chunk")


def test_every_name_that_a_configuration_may_have_has_its_way():
    assert get_args(TrainingChoice) == tuple(TRAINING_CLIPS)
    assert get_args(TestChoice) == tuple(TEST_CLIPS)


@pytest.mark.parametrize("choice", TRAINING_CLIPS)
@given(length=st.integers(1, 100), clip_length=st.integers(1, 16), seed=st.integers(0, 99))
def test_a_training_clip_is_as_long_as_asked_and_is_drawn_again_from_the_same_seed(choice, length, clip_length, seed):
    clip, again = (TRAINING_CLIPS[choice](length, clip_length, random.Random(seed)) for _ in range(2))
    assert clip == again
    assert len(clip) == clip_length
    assert all(0 <= frame < length for frame in clip)


@pytest.mark.parametrize("choice", TEST_CLIPS)
@given(length=st.integers(1, 100), clip_length=st.integers(1, 16))
def test_test_clips_are_one_a_tracklet_or_hold_every_frame(choice, length, clip_length):
    clips = TEST_CLIPS[choice](length, clip_length)
    assert all(len(clip) == clip_length for clip in clips)
    if choice in ONE_CLIP:
        assert len(clips) == 1
    else:
        assert {frame for clip in clips for frame in clip} == set(range(length))


@pytest.mark.parametrize(("choice", "stride"), [("stride-4", 4), ("stride-8", 8)])
def test_a_stride_is_what_its_name_says(choice, stride):
    first, second = TRAINING_CLIPS[choice](100, 2, random.Random(0))
    assert second - first == stride


def test_two_ways_to_train_draw_different_clips():
    clips = [tuple(draw(90, 8, random.Random(0))) for draw in TRAINING_CLIPS.values()]
    assert len(set(clips)) == len(clips)
