"""Cutting tracks where people meet, since one moving blob cannot tell who is who.

When two people meet, one track ends inside the box of the other; when they part, a track begins inside
the box that the blob had before. Between the two the box holds more than one person, and afterwards
nobody knows which of them it follows.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float64

from skyreid.building.motion.tracking import CONFIRMED_AFTER, Track

BoxArray: TypeAlias = Float64[np.ndarray, "4"]

COVERED = 0.5
"""Share of a box inside another one from which on the two are one blob."""
SAME_BLOB = 0.7
"""Area over that of the blob just before a parting: below it, the others had not yet joined."""
COMPARABLE = 0.5
"""Height of the one over the other; what is smaller is a bag, a shadow or a fragment."""


def apart(tracks: Sequence[Track]) -> tuple[list[Track], int]:
    """Cut at every meeting and parting, and leave out the boxes of two or more; their number comes second."""
    meetings, partings, doubts = ([[] for _ in tracks] for _ in range(3))
    for one, track in enumerate(tracks):
        for first, last in _runs(track):
            for other, partner in enumerate(tracks):
                if other == one:
                    continue
                after = _box(partner, last + 1, last + CONFIRMED_AFTER)
                if _were_one(_box(track, last, last), _box(partner, last, last), after):
                    meetings[other].append(last + 1)
                    doubts[one].append(last + 1)
                before = _box(partner, first - CONFIRMED_AFTER, first - 1)
                if _were_one(_box(track, first, first), _box(partner, first, first), before):
                    partings[other].append(first)
                    doubts[one].append(first)
    kept: list[Track] = []
    left_out = 0
    for track, met, parted, doubted in zip(tracks, meetings, partings, doubts, strict=True):
        shared = _shared(track, sorted(met), sorted(parted))
        left_out += int(shared.sum())
        borders = np.flatnonzero(np.diff(shared)) + 1
        borders = {*borders.tolist(), *np.searchsorted(track.steps, [*met, *parted, *doubted]).tolist()}
        for piece in np.split(np.arange(len(track)), sorted(borders)):
            if len(piece) and not shared[piece[0]]:
                kept.append(track.at(piece))
    return kept, left_out


def _shared(track: Track, met: list[int], parted: list[int]) -> Bool[np.ndarray, " box"]:
    """Which boxes hold several people: from each meeting to a parting, and before a parting without one."""
    shared = np.zeros(len(track), bool)
    open_meetings: list[int] = []
    for step in sorted({*met, *parted}):
        open_meetings += [step] * met.count(step)
        for _ in range(parted.count(step)):
            until = int(np.searchsorted(track.steps, step))
            since = int(np.searchsorted(track.steps, open_meetings.pop())) if open_meetings else _grown(track, until)
            shared[since:until] = True
    for step in open_meetings:
        shared[int(np.searchsorted(track.steps, step)) :] = True
    return shared


def _grown(track: Track, until: int) -> int:
    """Since when the box has been as large as it was just before `until`."""
    areas = (track.boxes[:until, 2:] - track.boxes[:until, :2]).prod(axis=1)
    smaller = np.flatnonzero(areas < SAME_BLOB * areas[-1])
    return int(smaller[-1]) + 1 if len(smaller) else 0


def _runs(track: Track) -> list[tuple[int, int]]:
    """First and last step of each stretch without a missing step."""
    pauses = np.flatnonzero(np.diff(track.steps) > 1)
    firsts = track.steps[[0, *(pauses + 1)]]
    lasts = track.steps[[*pauses, len(track) - 1]]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _box(track: Track, first: int, last: int) -> BoxArray | None:
    """The box at the earliest of these steps that has one."""
    place = int(np.searchsorted(track.steps, first))
    if place == len(track) or track.steps[place] > last:
        return None
    return track.boxes[place]


def _were_one(one: BoxArray | None, other: BoxArray | None, blob: BoxArray | None) -> bool:
    """Are these two people, and was the first of them in this box too at another time?"""
    if one is None or other is None or blob is None:
        return False
    heights = one[3] - one[1], other[3] - other[1]
    shared = np.minimum(one[2:], blob[2:]) - np.maximum(one[:2], blob[:2])
    is_covered = (shared > 0).all() and shared.prod() >= COVERED * (one[2:] - one[:2]).prod()
    return bool(is_covered and min(heights) >= COMPARABLE * max(heights))
