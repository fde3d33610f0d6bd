"""The ways to take clips from a tracklet, by the names that configurations use."""

import random
from collections.abc import Callable
from functools import partial
from typing import Literal

from skyreid.clips.frame_sampling import (
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

TrainingChoice = Literal["restricted", "chunk", "window", "consecutive", "stride-4", "stride-8"]

TRAINING_CLIPS: dict[TrainingChoice, Callable[[int, int, random.Random], list[int]]] = {
    "restricted": restricted_random,
    "chunk": random_chunk,
    "window": random_window,
    "consecutive": random_consecutive,
    "stride-4": partial(random_stride, stride=4),
    "stride-8": partial(random_stride, stride=8),
}
"""From a tracklet's length and the clip's to the drawn positions of one clip."""

TEST_CLIPS: dict[TestChoice, Callable[[int, int], list[list[int]]]] = {
    "one-clip": lambda length, clip_length: [restricted_begin(length, clip_length)],
    "begin-stride": lambda length, clip_length: [begin_stride(length, clip_length)],
    "begin-chunk": lambda length, clip_length: [begin_chunk(length, clip_length)],
    "all-frames": all_frames,
    "all-consecutive": all_consecutive,
}
"""From a tracklet's length and the clip's to the positions of all its clips."""
