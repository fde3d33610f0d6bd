"""Tracked boxes and a video to crops of people on disk, one folder for each tracklet."""

import io
import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from skyreid.building.decode import DecodeLimits, FilmEnd, VideoFrame, frames
from skyreid.building.face_mask import FaceMask
from skyreid.building.quality import QualityFilter
from skyreid.building.sharpness import sharpness
from skyreid.building.tracked_boxes import Box, TrackedBoxes
from skyreid.content_hash import bytes_sha256
from skyreid.errors import SourceError
from skyreid.progress import Progress

MAX_PAUSE_S, MAX_PAUSE_STEPS = 2.0, 2.5
"""Who is not seen for longer than both starts a new tracklet: seconds, and steps from one sampled frame to the next,
so that at any rate one of them may be missed."""
JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class Crop:
    """One person in one frame."""

    index: int
    """Of the frame, from 0."""
    time_s: float
    box: Box
    masked: tuple[Box, ...]
    """What was painted over in the frame and shows in the crop, in pixels of the frame."""
    sha256: str
    """Of the file, as it was written."""

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
    end: FilmEnd
    dropped_crops: Mapping[str, int]
    """Boxes in sampled frames of which no crop is left, by reason."""
    dropped_tracklets: Mapping[str, int]
    dropped_tracks: Mapping[str, int]
    """Tracks of which no tracklet is left, by the reason that most of their boxes were dropped for, or
    `not-sampled`."""
    faces_detected: int
    """In all sampled frames."""
    faces_by_fallback: int
    """Regions that were painted over although no face was detected there."""


def cut(
    video: Path,
    tracked: TrackedBoxes,
    folder: Path,
    *,
    interval_s: float,
    quality: QualityFilter,
    mask: FaceMask | None,
    frame_rate: float,
    duration_s: float | None,
    limits: DecodeLimits,
    progress: Progress,
) -> Cut:
    """Write the crop of every tracked person at every sampled frame below `folder`, as JPEG.

    A box is widened to whole pixels; that is the crop, and its box. Every box of a sampled frame either has a
    crop in a tracklet or is counted as dropped: for the reasons of `quality`, `blurred`, or `too-short` with
    its tracklet, whose crops stay in `folder`. Faces are painted over by `mask` before anything is written.

    Raises:
        VideoError: the video cannot be decoded.
        SourceError: there are boxes beyond the end of the video.
    """
    begun: list[CutTracklet] = []
    going_on: dict[int, tuple[CutTracklet, float]] = {}  # by track, with the time of its last crop
    dropped: defaultdict[int, Counter[str]] = defaultdict(Counter)  # by track
    frames_read = detected = fallback = 0
    max_pause_s = max(MAX_PAUSE_S, MAX_PAUSE_STEPS * max(interval_s, 1 / frame_rate))
    ends: list[FilmEnd] = []
    for frame in frames(video, interval_s=interval_s, limits=limits, at_end=ends.append):
        frames_read += 1
        people = {track: _widened(box) for track, box in sorted(tracked.frames.get(frame.index, {}).items())}
        unfit = _unfit(frame, people, quality)
        masked: list[Box] = []
        if mask is not None:  # all of them before the first crop: people overlap
            for box in people.values():
                faces = mask.cover(frame.pixels, box)
                detected += faces.detected
                fallback += faces.fallback
                masked += faces.regions
        for track, box in people.items():
            if track in unfit:
                dropped[track][unfit[track]] += 1
                continue
            tracklet, seen_s = going_on.get(track, (None, 0.0))
            if tracklet is None or frame.time_s - seen_s > max_pause_s:
                tracklet = CutTracklet(track, folder / f"{len(begun):06d}", [])
                tracklet.folder.mkdir(parents=True)
                begun.append(tracklet)
            going_on[track] = tracklet, frame.time_s
            left, top, right, bottom = map(int, box)
            jpeg = _as_jpeg(frame.pixels[top:bottom, left:right])
            showing = tuple(region for region in masked if _meet(region, box))
            crop = Crop(frame.index, frame.time_s, box, showing, bytes_sha256(jpeg))
            (tracklet.folder / crop.file_name).write_bytes(jpeg)
            tracklet.crops.append(crop)
        progress("cut crops", round(frame.time_s), round(duration_s or frame.time_s), video.name)
    (end,) = ends
    boxed = max((index for index, people in tracked.frames.items() if people), default=0)
    if boxed >= end.num_frames:
        raise SourceError(
            f"{video}: has {end.num_frames} frames, 0 to {end.num_frames - 1}, and there are boxes in frame {boxed}; "
            "are these the annotations of this video, and counted from 0?"
        )
    kept = tuple(tracklet for tracklet in begun if len(tracklet.crops) >= quality.config.min_crops)
    for tracklet in begun:
        if tracklet not in kept:
            dropped[tracklet.track]["too-short"] += len(tracklet.crops)
    return Cut(
        tracklets=kept,
        frames_read=frames_read,
        end=end,
        dropped_crops=sum(dropped.values(), Counter[str]()),
        dropped_tracklets={"too-short": len(begun) - len(kept)},
        dropped_tracks=_dropped_tracks(tracked, kept, dropped),
        faces_detected=detected,
        faces_by_fallback=fallback,
    )


def _as_jpeg(pixels: UInt8[np.ndarray, "height width 3"]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _unfit(frame: VideoFrame, people: Mapping[int, Box], quality: QualityFilter) -> dict[int, str]:
    """Judge boxes and pixels; before faces are masked, since a grey patch has sharp edges."""
    unfit = quality.reasons(frame.index, people)
    if not quality.is_annotated:
        for track, box in people.items():
            left, top, right, bottom = map(int, box)
            if track not in unfit and sharpness(frame.pixels[top:bottom, left:right]) < quality.config.min_sharpness:
                unfit[track] = "blurred"
    return unfit


def _dropped_tracks(
    tracked: TrackedBoxes, kept: tuple[CutTracklet, ...], dropped: Mapping[int, Counter[str]]
) -> dict[str, int]:
    everybody = {track for people in tracked.frames.values() for track in people}
    lost = sorted(everybody - {tracklet.track for tracklet in kept})
    return dict(Counter(dropped[track].most_common(1)[0][0] if track in dropped else "not-sampled" for track in lost))


def _meet(first: Box, second: Box) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def _widened(box: Box) -> Box:
    """To whole pixels."""
    return float(math.floor(box[0])), float(math.floor(box[1])), float(math.ceil(box[2])), float(math.ceil(box[3]))
