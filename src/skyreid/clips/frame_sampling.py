"""Which frames of a tracklet make a clip, for the paper's method and for those it is compared with.

`TRAINING_CLIPS` and `TEST_CLIPS` give the ways by the names that configurations use.

All of them keep time order; only where a tracklet is shorter than a clip some begin it anew.

Source: paper section 5.2 (sparse temporal sampling); METHOD sections 7 and 9. BASELINES section 2: strides
are of AP3D, TCLNet and BiCnet-TKS, chunks of STMN, PiT, GRL and TF-CLIP, windows of PSTA, consecutive frames of MGH.
Deviation: the release shuffles the frames of a clip, in training and in testing. The model does not
see their order (paper Eq. 15; a test holds it), so we keep them sorted.
"""

import random
from collections.abc import Callable
from functools import partial
from itertools import cycle, islice
from typing import Literal

from skyreid.feeding import TestChoice

_STRIDES = (8, 4, 2, 1)


def restricted_random(length: int, clip_length: int, rng: random.Random) -> list[int]:
    """Draw one frame from each of `clip_length` equal blocks; the last block takes the remainder.

    A shorter tracklet is filled up with its last frame.
    """
    length_padded = max(length, clip_length)
    block = length_padded // clip_length
    last = clip_length - 1
    drawn = [slot * block + rng.randint(0, block - 1) for slot in range(last)]
    drawn.append(last * block + rng.randint(0, length_padded - last * block - 1))
    return [min(frame, length - 1) for frame in drawn]


def restricted_begin(length: int, clip_length: int) -> list[int]:
    """Take the first frame of each of `clip_length` equal blocks: the deterministic test clip."""
    block = max(length, clip_length) // clip_length
    return [min(slot * block, length - 1) for slot in range(clip_length)]


def all_frames(length: int, clip_length: int) -> list[list[int]]:
    """Deal every frame of a tracklet out into clips, each of which spans the whole tracklet.

    The number of frames is filled up to a multiple of `clip_length` by repeating frames from the
    tail; clip j takes frames j, j + n, j + 2n, … of the sorted list, n the number of clips.
    """
    missing = -length % clip_length
    filled = sorted([*range(length), *islice(cycle(range(length - 1, -1, -1)), missing)])
    clips = len(filled) // clip_length
    return [filled[start::clips] for start in range(clips)]


def random_stride(length: int, clip_length: int, rng: random.Random, *, stride: int) -> list[int]:
    """Take every `stride`-th frame from a drawn start; of a tracklet too short for that, frames drawn one by one."""
    if length >= clip_length * stride:
        start = rng.randint(0, length - 1 - (clip_length - 1) * stride)
        return [start + slot * stride for slot in range(clip_length)]
    if length >= clip_length:
        return sorted(rng.sample(range(length), clip_length))
    return sorted(rng.choices(range(length), k=clip_length))


def begin_stride(length: int, clip_length: int) -> list[int]:
    """Take every 8th frame from the first, or every 4th, 2nd or next as the length allows: a test clip.

    A shorter tracklet begins anew.
    """
    stride = next((stride for stride in _STRIDES if (clip_length - 1) * stride < length), 1)
    return [slot * stride % length for slot in range(clip_length)]


def random_chunk(length: int, clip_length: int, rng: random.Random) -> list[int]:
    """Draw one frame from each of `clip_length` equal blocks after the tracklet is filled up with its last frame."""
    block = -(-length // clip_length)
    return [min(slot * block + rng.randint(0, block - 1), length - 1) for slot in range(clip_length)]


def begin_chunk(length: int, clip_length: int) -> list[int]:
    """Take the first frame of each block of `random_chunk`: a test clip."""
    block = -(-length // clip_length)
    return [min(slot * block, length - 1) for slot in range(clip_length)]


def random_window(length: int, clip_length: int, rng: random.Random) -> list[int]:
    """Draw one frame from each of `clip_length` adjoining windows of 8 frames, or of 4, 2 or 1 as the length allows.

    The windows begin at a drawn frame. A shorter tracklet begins anew.
    """
    window = next((window for window in _STRIDES if clip_length * window <= length), 1)
    start = rng.randint(0, max(length - clip_length * window, 0))
    return [(start + slot * window + rng.randint(0, window - 1)) % length for slot in range(clip_length)]


def random_consecutive(length: int, clip_length: int, rng: random.Random) -> list[int]:
    """Take frames that follow each other, from a drawn start. A shorter tracklet begins anew."""
    start = rng.randint(0, max(length - clip_length, 0))
    return [(start + slot) % length for slot in range(clip_length)]


def all_consecutive(length: int, clip_length: int) -> list[list[int]]:
    """Cut every frame of a tracklet into clips of frames that follow each other; the last is filled from the start."""
    return [[(start + slot) % length for slot in range(clip_length)] for start in range(0, length, clip_length)]


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
