"""Cutting tracks where people meet, since one moving blob cannot tell who is who.

When two people meet, one track ends inside the box of the other; when they part, a track begins inside
the box that the blob had before. Between the two the box holds more than one person, and afterwards
nobody knows which of them it follows.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float64

from skyreid.building.tracking import CONFIRMED_AFTER, Track

COVERED = 0.5
"""Share of a box inside another one from which on the two are one blob."""
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
                if partner.steps[0] <= last and _is_inside(_box(track, last, last), after):
                    meetings[other].append(last + 1)
                    doubts[one].append(last + 1)
                before = _box(partner, first - CONFIRMED_AFTER, first - 1)
                if partner.steps[-1] >= first and _is_inside(_box(track, first, first), before):
                    partings[other].append(first)
                    doubts[one].append(first)
    kept: list[Track] = []
    left_out = 0
    for track, met, parted, doubted in zip(tracks, meetings, partings, doubts, strict=True):
        borders = sorted({int(track.steps[0]), int(track.steps[-1]) + 1, *met, *parted, *doubted})
        gained = np.cumsum([met.count(border) - parted.count(border) for border in borders])
        alone = gained == min(0, gained.min())  # who parts without having come was there from the start
        for start, end, is_alone in zip(borders, borders[1:], alone, strict=False):
            inside = (track.steps >= start) & (track.steps < end)
            if not is_alone:
                left_out += int(inside.sum())
            elif inside.any():
                kept.append(Track(steps=track.steps[inside], boxes=track.boxes[inside]))
    return kept, left_out


def _runs(track: Track) -> list[tuple[int, int]]:
    """First and last step of each stretch without a missing step."""
    pauses = np.flatnonzero(np.diff(track.steps) > 1)
    firsts = track.steps[[0, *(pauses + 1)]]
    lasts = track.steps[[*pauses, len(track) - 1]]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _box(track: Track, first: int, last: int) -> Float64[np.ndarray, "4"] | None:
    """The box at the earliest of these steps that has one."""
    place = int(np.searchsorted(track.steps, first))
    if place == len(track) or track.steps[place] > last:
        return None
    return track.boxes[place]


def _is_inside(inner: Float64[np.ndarray, "4"] | None, outer: Float64[np.ndarray, "4"] | None) -> bool:
    if inner is None or outer is None:
        return False
    size = inner[2:] - inner[:2]
    shared = np.minimum(inner[2:], outer[2:]) - np.maximum(inner[:2], outer[:2])
    is_covered = (shared > 0).all() and shared.prod() >= COVERED * size.prod()
    return bool(is_covered and size[1] >= COMPARABLE * (outer[3] - outer[1]))
