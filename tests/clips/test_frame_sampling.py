"""What a reader of a clip may rely on; draws and clips of the originals: tests/reference."""

import random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.clips.frame_sampling import (
    TEST_CLIPS,
    TRAINING_CLIPS,
    TrainingChoice,
    all_consecutive,
    all_frames,
    begin_chunk,
    begin_stride,
    random_chunk,
    random_consecutive,
    random_stride,
    random_window,
    restricted_begin,
    restricted_random,
)
from skyreid.feeding import TestChoice

TRACKLETS = {"length": st.integers(1, 300), "clip_length": st.integers(1, 32), "seed": st.integers(0, 99)}


@given(**TRACKLETS)
def test_every_clip_has_its_length_and_keeps_time_order(length, clip_length, seed):
    clips = [
        restricted_begin(length, clip_length),
        restricted_random(length, clip_length, random.Random(seed)),
        *all_frames(length, clip_length),
        random_stride(length, clip_length, random.Random(seed), stride=8),
        begin_chunk(length, clip_length),
        random_chunk(length, clip_length, random.Random(seed)),
    ]
    for clip in clips:
        assert len(clip) == clip_length
        assert clip == sorted(clip)
        assert 0 <= clip[0] <= clip[-1] < length


@given(**TRACKLETS)
def test_a_clip_longer_than_its_tracklet_begins_anew(length, clip_length, seed):
    clips = [
        begin_stride(length, clip_length),
        random_window(length, clip_length, random.Random(seed)),
        random_consecutive(length, clip_length, random.Random(seed)),
    ]
    for clip in clips:
        assert len(clip) == clip_length
        if length < clip_length:
            assert clip == [frame % length for frame in range(clip_length)]
        else:
            assert clip == sorted(set(clip))
            assert 0 <= clip[0] <= clip[-1] < length


@given(length=st.integers(1, 300), clip_length=st.integers(1, 32))
def test_clips_of_all_frames_leave_none_out(length, clip_length):
    for clips in (all_frames(length, clip_length), all_consecutive(length, clip_length)):
        assert {frame for clip in clips for frame in clip} == set(range(length))
        assert all(len(clip) == clip_length for clip in clips)


@given(**TRACKLETS, stride=st.integers(1, 9))
def test_a_strided_clip_keeps_its_stride_or_takes_distinct_frames(length, clip_length, seed, stride):
    clip = random_stride(length, clip_length, random.Random(seed), stride=stride)
    if length >= clip_length * stride:
        assert clip == list(range(clip[0], clip[0] + clip_length * stride, stride))
    elif length >= clip_length:
        assert len(set(clip)) == clip_length


def test_a_test_clip_takes_the_longest_stride_that_the_tracklet_allows():
    assert begin_stride(25, 4) == [0, 8, 16, 24]
    assert begin_stride(24, 4) == [0, 4, 8, 12]
    assert begin_stride(4, 4) == [0, 1, 2, 3]


@given(**TRACKLETS)
def test_each_window_gives_one_frame_and_the_windows_are_as_long_as_the_tracklet_allows(length, clip_length, seed):
    if length >= clip_length:
        window = max(size for size in (8, 4, 2, 1) if clip_length * size <= length)
        clip = random_window(length, clip_length, random.Random(seed))
        places = [frame - slot * window for slot, frame in enumerate(clip)]
        assert max(places) - min(places) < window


def test_windows_begin_anywhere_and_any_of_their_frames_is_drawn():
    rng = random.Random(0)
    drawn = [random_window(70, 8, rng) for _ in range(2000)]
    assert {clip[0] for clip in drawn} == set(range(14))
    assert {clip[7] for clip in drawn} == set(range(56, 70))


@given(length=st.integers(9, 100), seed=st.integers(0, 99))
def test_consecutive_frames_follow_each_other(length, seed):
    clip = random_consecutive(length, 8, random.Random(seed))
    assert clip == list(range(clip[0], clip[0] + 8))


def test_the_last_of_all_consecutive_clips_is_filled_from_the_start():
    assert all_consecutive(6, 4) == [[0, 1, 2, 3], [4, 5, 0, 1]]
    assert all_consecutive(2, 4) == [[0, 1, 0, 1]]


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
