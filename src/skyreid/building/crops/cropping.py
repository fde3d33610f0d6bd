"""Tracked boxes and a video to crops of people on disk, one folder for each tracklet."""

import io
import math
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from skyreid.building.crops.face_mask import FOLLOW_S, FaceMask, Look
from skyreid.building.crops.quality import QualityFilter, sharpness
from skyreid.building.tracked_boxes import Box, TrackedBoxes
from skyreid.building.video.decode import DecodeLimits, FilmEnd, VideoFrame, frames
from skyreid.errors import SourceError
from skyreid.feeding import Feeding
from skyreid.files.regular_file import bytes_sha256
from skyreid.processes.progress import Progress, seconds_heard
from skyreid.tracklet import Platform

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
    seen: list[UInt8[np.ndarray, "height width 3"]] = field(default_factory=list)
    """What an embedder keeps of each crop, not masked; in memory only, and no longer than the person is in view."""
    embedding: list[float] = field(default_factory=list)
    """Of what was seen; empty without an embedder."""


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
    faces_followed: int
    """Found by their skin, or a moment before or after."""
    faces_by_fallback: int
    """Heads that were painted over although no face was found."""
    faces_expected: int
    """Frames in which the detector should have found a face, since it did in those before and after."""
    faces_missed: int
    """Of them, those in which it did not."""


@runtime_checkable
class TrackletEmbedder(Protocol):
    """Embeds whole tracklets from pictures in memory; see `extraction.loading`."""

    @property
    def model(self) -> str:
        """The sha256 of its weights."""
        ...

    @property
    def feeding(self) -> Feeding:
        """How they are fed."""
        ...

    @property
    def precision(self) -> str:
        """In which numbers they compute."""
        ...

    def kept(self, crop: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "tall wide 3"]:
        """Give what is kept of a crop until its tracklet ends: the crop at the size that the model sees."""
        ...

    def embed(self, crops: Sequence[UInt8[np.ndarray, "height width 3"]], platform: Platform) -> list[float]:
        """Embed all crops of one person, in time order."""
        ...


def cut(
    video: Path,
    tracked: TrackedBoxes,
    folder: Path,
    *,
    interval_s: float,
    quality: QualityFilter,
    mask: FaceMask | None,
    frame_rate: float,
    embedder: TrackletEmbedder | None,
    platform: Platform,
    duration_s: float | None,
    limits: DecodeLimits,
    progress: Progress,
) -> Cut:
    """Write the crop of every tracked person at every sampled frame below `folder`, as JPEG.

    A box is widened to whole pixels; that is the crop, and its box. Every box of a sampled frame either has a
    crop in a tracklet or is counted as dropped: for the reasons of `quality`, `blurred`, or `too-short` with
    its tracklet, whose crops stay in `folder`. Faces are painted over by `mask` before anything is written;
    `embedder` sees people before that.

    Raises:
        VideoError: the video cannot be decoded.
        SourceError: there are boxes beyond the end of the video.
    """

    def embed(tracklet: CutTracklet) -> None:
        if embedder is not None and len(tracklet.crops) >= quality.config.min_crops:
            tracklet.embedding.extend(embedder.embed(tracklet.seen, platform))
        tracklet.seen.clear()

    begun: list[CutTracklet] = []
    going_on: dict[int, tuple[CutTracklet, float]] = {}  # by track, with the time of its last crop
    dropped: defaultdict[int, Counter[str]] = defaultdict(Counter)  # by track
    frames_read = 0
    faces: Counter[str] = Counter()
    max_pause_s = max(MAX_PAUSE_S, MAX_PAUSE_STEPS * max(interval_s, 1 / frame_rate))
    ends: list[FilmEnd] = []
    film = seconds_heard(
        frames(video, interval_s=interval_s, limits=limits, at_end=ends.append),
        progress,
        "cut crops",
        duration_s=duration_s,
        name=video.name,
    )
    samples = _samples(film, tracked, quality, mask, embedder, is_aerial=platform is Platform.AERIAL)
    for sample in _covered(samples, mask, faces):
        frames_read += 1
        for track, (tracklet, seen_s) in list(going_on.items()):
            if sample.time_s - seen_s > max_pause_s:
                embed(tracklet)
                del going_on[track]
        for track, box in sample.people.items():
            if track in sample.unfit:
                dropped[track][sample.unfit[track]] += 1
                continue
            tracklet, _ = going_on.get(track, (None, 0.0))
            if tracklet is None:
                tracklet = CutTracklet(track, folder / f"{len(begun):06d}", [])
                tracklet.folder.mkdir(parents=True)
                begun.append(tracklet)
            going_on[track] = tracklet, sample.time_s
            jpeg = _as_jpeg(sample.crops[track])
            showing = tuple(region for region in sample.covered if _meet(region, box))
            crop = Crop(sample.index, sample.time_s, box, showing, bytes_sha256(jpeg))
            (tracklet.folder / crop.file_name).write_bytes(jpeg)
            tracklet.crops.append(crop)
            tracklet.seen.extend(sample.seen.get(track, ()))
    for tracklet, _ in going_on.values():
        embed(tracklet)
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
        faces_detected=faces["detected"],
        faces_followed=faces["followed"],
        faces_by_fallback=faces["fallback"],
        faces_expected=faces["expected"],
        faces_missed=faces["missed"],
    )


@dataclass(slots=True)
class _Sample:
    """A sampled frame: the people in it, cut out and not yet masked, in memory only."""

    index: int
    time_s: float
    people: Mapping[int, Box]
    """By track."""
    unfit: Mapping[int, str]
    """Of them, whose crop is dropped, and why."""
    crops: Mapping[int, UInt8[np.ndarray, "height width 3"]]
    """Of the others."""
    seen: Mapping[int, tuple[UInt8[np.ndarray, "tall wide 3"]]]
    """What an embedder keeps of them; empty without one."""
    looks: Mapping[int, Look]
    """At all of them."""
    covered: list[Box] = field(default_factory=list)
    """What was painted over."""


def _samples(
    film: Iterator[VideoFrame],
    tracked: TrackedBoxes,
    quality: QualityFilter,
    mask: FaceMask | None,
    embedder: TrackletEmbedder | None,
    *,
    is_aerial: bool,
) -> Iterator[_Sample]:
    for frame in film:
        people = {track: _widened(box) for track, box in sorted(tracked.frames.get(frame.index, {}).items())}
        unfit = _unfit(frame, people, quality)
        looks: dict[int, Look] = {}
        if mask is not None:
            for track, box in people.items():
                whole_size = quality.whole_size(frame.index, track)
                looks[track] = mask.look(frame.pixels, box, whole_size=whole_size, is_aerial=is_aerial)
        crops = {track: _pixels_in(frame, box).copy() for track, box in people.items() if track not in unfit}
        # Copies: the crops will be painted over.
        seen = {} if embedder is None else {track: (embedder.kept(crop.copy()),) for track, crop in crops.items()}
        yield _Sample(frame.index, frame.time_s, people, unfit, crops, seen, looks)


def _covered(samples: Iterator[_Sample], mask: FaceMask | None, faces: Counter[str]) -> Iterator[_Sample]:
    """Cover the faces of each sample once the samples of the next FOLLOW_S are known; `faces` counts them."""
    if mask is None:
        yield from samples
        return
    looks: defaultdict[int, deque[tuple[float, Look]]] = defaultdict(deque)  # by track, within FOLLOW_S of `waiting`
    waiting: deque[_Sample] = deque()

    def cover(sample: _Sample) -> _Sample:
        for track in sample.people:
            seen = looks[track]
            while sample.time_s - seen[0][0] > FOLLOW_S:
                seen.popleft()
            now = next(number for number, (time_s, _) in enumerate(seen) if time_s == sample.time_s)
            masked = mask.covers(seen, now)
            for name in ("detected", "followed", "fallback", "expected", "missed"):
                faces[name] += getattr(masked, name)
            sample.covered += masked.regions
        for track, pixels in sample.crops.items():  # after all covers of the frame: people overlap
            left, top, _, _ = sample.people[track]
            for x0, y0, x1, y1 in sample.covered:
                mask.paint(pixels, (x0 - left, y0 - top, x1 - left, y1 - top))
        return sample

    for sample in samples:
        while waiting and sample.time_s - waiting[0].time_s > FOLLOW_S:
            yield cover(waiting.popleft())
        waiting.append(sample)
        for track, look in sample.looks.items():
            looks[track].append((sample.time_s, look))
    while waiting:
        yield cover(waiting.popleft())


def _as_jpeg(pixels: UInt8[np.ndarray, "height width 3"]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _unfit(frame: VideoFrame, people: Mapping[int, Box], quality: QualityFilter) -> dict[int, str]:
    """Judge boxes and pixels; before faces are masked, since a grey patch has sharp edges."""
    unfit = quality.reasons(frame.index, people)
    if not quality.is_annotated:
        for track, box in people.items():
            if track not in unfit and sharpness(_pixels_in(frame, box)) < quality.config.min_sharpness:
                unfit[track] = "blurred"
    return unfit


def _pixels_in(frame: VideoFrame, box: Box) -> UInt8[np.ndarray, "height width 3"]:
    left, top, right, bottom = map(int, box)
    return frame.pixels[top:bottom, left:right]


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
