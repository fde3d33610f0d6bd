"""Which frames of a tracklet make a clip. All of them keep time order.

Source: paper section 5.2 (sparse temporal sampling); METHOD sections 7 and 9.
Deviation: the release shuffles the frames of a clip, in training and in testing. The model does not
see their order (paper Eq. 15; a test holds it), so we keep them sorted.
"""

import random
from itertools import cycle, islice


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
