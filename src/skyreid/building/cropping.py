"""Tracked boxes and a video to crops of people on disk, one folder for each tracklet."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from skyreid.building.decode import DecodeLimits, frames
from skyreid.building.face_mask import FaceMask
from skyreid.building.tracked_boxes import Box, TrackedBoxes
from skyreid.errors import SourceError
from skyreid.progress import Progress

MIN_SIDE = 5
"""Pixels. The smallest people in G2A-VReID are 5 wide (paper section 3.3)."""
MAX_PAUSE_S = 2.0
"""Who is not seen for longer starts a new tracklet."""
MIN_FRAMES = 2
"""Fewer make no video."""
JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class Crop:
    """One person in one frame."""

    index: int
    """Of the frame, from 0."""
    time_s: float
    box: Box

    @property
    def file_name(self) -> str:
        """In the folder of the tracklet."""
        return f"{self.index:06d}.jpg"


@dataclass(frozen=True, slots=True)
class CutTracklet:
    """The crops of one person, in a folder of their own."""

    track: int
    folder: Path
    crops: list[Crop]


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What was cut from one video."""

    tracklets: tuple[CutTracklet, ...]
    """In order of their first crop."""
    frames_read: int
    """Sampled frames."""
    dropped_boxes: Mapping[str, int]
    dropped_tracklets: Mapping[str, int]
    faces_masked: int
    """In kept and dropped tracklets."""


def cut(
    video: Path,
    tracked: TrackedBoxes,
    folder: Path,
    *,
    interval_s: float,
    mask_faces: bool,
    duration_s: float | None,
    limits: DecodeLimits,
    progress: Progress,
) -> Cut:
    """Write the crop of every tracked person at every sampled frame below `folder`, as JPEG.

    A box is widened to whole pixels; that is the crop, and its box. Left out, by reason: boxes
    that are `too-small`, tracklets that are `too-short` (their crops stay in `folder`).

    Raises:
        VideoError: the video cannot be decoded.
        SourceError: there are boxes beyond the end of the video.
    """
    mask = FaceMask() if mask_faces else None
    begun: list[CutTracklet] = []
    going_on: dict[int, tuple[CutTracklet, float]] = {}  # by track, with the time of its last crop
    dropped: Counter[str] = Counter()
    frames_read = faces = last = step = 0
    for frame in frames(video, interval_s=interval_s, limits=limits):
        frames_read += 1
        last, step = frame.index, max(step, frame.index - last)
        people = {track: _widened(box) for track, box in sorted(tracked.frames.get(frame.index, {}).items())}
        if mask is not None:  # all of them before the first crop: people overlap
            faces += sum(mask.cover(frame.pixels, box) for box in people.values())
        for track, box in people.items():
            left, top, right, bottom = map(int, box)
            if min(right - left, bottom - top) < MIN_SIDE:
                dropped["too-small"] += 1
                continue
            tracklet, seen_s = going_on.get(track, (None, 0.0))
            if tracklet is None or frame.time_s - seen_s > MAX_PAUSE_S:
                tracklet = CutTracklet(track, folder / f"{len(begun):06d}", [])
                tracklet.folder.mkdir(parents=True)
                begun.append(tracklet)
            going_on[track] = tracklet, frame.time_s
            crop = Crop(frame.index, frame.time_s, box)
            picture = Image.fromarray(frame.pixels[top:bottom, left:right])
            picture.save(tracklet.folder / crop.file_name, quality=JPEG_QUALITY)
            tracklet.crops.append(crop)
        progress("cut crops", round(frame.time_s), round(duration_s or frame.time_s), video.name)
    if max(tracked.frames, default=0) > last + step:
        raise SourceError(
            f"{video}: there are boxes in frame {max(tracked.frames)} from 0, but the video ends near frame {last}; "
            "are these the annotations of this video?"
        )
    kept = tuple(tracklet for tracklet in begun if len(tracklet.crops) >= MIN_FRAMES)
    return Cut(
        tracklets=kept,
        frames_read=frames_read,
        dropped_boxes=dropped,
        dropped_tracklets={"too-short": len(begun) - len(kept)},
        faces_masked=faces,
    )


def _widened(box: Box) -> Box:
    """To whole pixels."""
    return float(math.floor(box[0])), float(math.floor(box[1])), float(math.ceil(box[2])), float(math.ceil(box[3]))
