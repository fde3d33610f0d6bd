"""Which tracks over the ground are people who walk, seen from a moving camera.

What stands up from the ground moves over it when the camera moves: roofs, lamp posts, trees, parked cars. But it
does so slowly, less than half of its own size a second at the speeds at which drones film people, and to and fro
when the drone sways; a walker covers one to two own sizes a second, ahead.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from skyreid.building.motion.crossings import apart
from skyreid.building.motion.registration import Homography, between, carry
from skyreid.building.motion.track_cleaning import whole_boxes
from skyreid.building.motion.tracking import Track, in_order

MIN_LIFE_S = 1.0
WINDOW_S = 1.5
"""Over which somebody must get ahead."""
MIN_SPEED = 0.5
"""Own sizes a second, the size being the square root of the box's area: a person from 45 degrees is about 1 m."""
MIN_STRAIGHTNESS = 0.7
"""Of the way over a window: from its start to its end, over its whole length."""
PERSON_BAND = (0.6, 1.6)
"""Size over that of the usual track of the video."""
POSE_BAND = (0.65, 1.5)
"""Size of a box over what its track usually has; more are two people, less is a part of one."""


def walkers(
    tracks: Sequence[Track], camera: Sequence[Homography | None], *, width: int, height: int, interval_s: float
) -> tuple[list[Track], Counter[str]]:
    """Keep what is one whole person who walks; the number of boxes left out, by reason, comes second.

    Reasons: short-lived, standing (or moving with the camera only), merged, odd-size, cut-at-border. Tracks are
    cut where people meet.

    Args:
        tracks: of everything that moves.
        camera: the motion of the ground from the step before to each step.
        width: of the pictures that the boxes are in.
        height: of the same.
        interval_s: from step to step.
    """
    dropped: Counter[str] = Counter()

    def keep(kept: Sequence[Track], reason: str, among: Sequence[Track]) -> list[Track]:
        dropped[reason] += sum(map(len, among)) - sum(map(len, kept))
        return list(kept)

    shortest = max(2, round(MIN_LIFE_S / interval_s))
    people = keep([track for track in tracks if len(track) >= shortest], "short-lived", tracks)
    people = keep([track for track in people if _walks(track, camera, interval_s)], "standing", people)
    people, dropped["merged"] = apart(people)
    people = keep(_of_usual_size(people), "odd-size", people)
    people = keep([track for track in people if len(track) >= shortest], "short-lived", people)
    # Asked again after the cuts: of a person and a post in one track, only the person walks.
    people = keep([track for track in people if _walks(track, camera, interval_s)], "standing", people)
    people = in_order(people)
    return keep([whole_boxes(track, width, height) for track in people], "cut-at-border", people), dropped


def _walks(track: Track, camera: Sequence[Homography | None], interval_s: float) -> bool:
    """Does it get ahead over the ground, in most windows?"""
    reach = min(round(WINDOW_S / interval_s), int(track.steps[-1] - track.steps[0]))
    size = float(np.median(_sizes(track)))
    speeds, straightness = [], []
    for first in range(len(track)):
        last = int(np.searchsorted(track.steps, track.steps[first] + reach))
        if last == len(track):
            break
        way = _on_ground_of(track, camera, first, last)
        ahead = np.linalg.norm(way[-1] - way[0])
        speeds.append(ahead / ((track.steps[last] - track.steps[first]) * interval_s))
        straightness.append(ahead / max(np.linalg.norm(np.diff(way, axis=0), axis=1).sum(), 1e-9))
    return bool(np.median(speeds) >= MIN_SPEED * size and np.median(straightness) >= MIN_STRAIGHTNESS)


def _on_ground_of(
    track: Track, camera: Sequence[Homography | None], first: int, last: int
) -> Float64[np.ndarray, "place 2"]:
    """The way from box `first` to box `last`, in pixels of the last one's picture."""
    end = int(track.steps[last])
    centres = (track.boxes[:, :2] + track.boxes[:, 2:]) / 2
    way = [carry(centres[box : box + 1], between(camera, int(track.steps[box]), end)) for box in range(first, last + 1)]
    return np.concatenate(way)


def _of_usual_size(tracks: Sequence[Track]) -> list[Track]:
    """Leave out tracks and boxes that are too large or too small; where a box is too large, the track is cut."""
    if not tracks:
        return []
    usual = float(np.median(np.concatenate([_sizes(track) for track in tracks])))
    kept: list[Track] = []
    for track in tracks:
        own = float(np.median(_sizes(track)))
        if not PERSON_BAND[0] * usual <= own <= PERSON_BAND[1] * usual:
            continue
        large, small = _sizes(track) > POSE_BAND[1] * own, _sizes(track) < POSE_BAND[0] * own
        borders = np.flatnonzero(np.diff(large)) + 1
        pieces = [piece[~(large | small)[piece]] for piece in np.split(np.arange(len(track)), borders)]
        kept += [track.at(piece) for piece in pieces if len(piece)]
    return kept


def _sizes(track: Track) -> Float64[np.ndarray, " box"]:
    return np.sqrt((track.boxes[:, 2:] - track.boxes[:, :2]).prod(axis=1))
