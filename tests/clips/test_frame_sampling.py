"""What a reader of a clip may rely on; the release's own draws: tests/reference."""

import random

from hypothesis import given
from hypothesis import strategies as st

from skyreid.clips.frame_sampling import all_frames, restricted_begin, restricted_random


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
