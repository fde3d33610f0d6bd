"""The whole frame around everybody, at the moment that shows them largest, with faces covered as in the crops.

Who is in no tracklet has no cover. So where people are large enough in the drawn picture to be recognised, all that
lies in no tracklet's box is drawn too coarsely for that; the rest of the frame still tells where the person stood.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from skyreid.building.build_folder import MASKING_FILE
from skyreid.building.build_report import read_masked_regions
from skyreid.building.crops.face_mask import GREY
from skyreid.building.crops.whole_picture import coarsen_around
from skyreid.building.tracked_boxes import Box
from skyreid.building.video.decode import DecodeLimits, VideoFrame, frames
from skyreid.building.video.picture_folder import film_sha256
from skyreid.datasets.manifest import Manifest
from skyreid.errors import ManifestError
from skyreid.files.atomic_file import write_atomically
from skyreid.files.regular_file import bytes_sha256
from skyreid.files.strict_json import read_json
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.sighting import source_of
from skyreid.tracklet import Frame, Tracklet

SCENES = "scenes"
"""Folder of the pictures, in the folder of the build."""
WIDTH = 640
"""Pixels across a drawn frame; a smaller frame is not enlarged."""
_JPEG_QUALITY = 80


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A whole frame with somebody in it."""

    picture: str
    """Name of a .jpg file in the folder `scenes` of the build."""
    width: int
    height: int
    box: Box
    """Of the person, in pixels of the picture."""
    time_s: float
    """Of the frame, after the video's first."""


def draw_scenes(
    folder: Path, manifest: Manifest, videos: Mapping[str, Path], *, progress: Progress = silent
) -> dict[str, Scene]:
    """Draw the frame around every tracklet whose video is at hand, or was: what was drawn before is not drawn again.

    Args:
        folder: of the build; the pictures go into its folder `scenes`.
        manifest: of it.
        videos: by the name of the source. One that is not the film that was cut is left alone.
        progress: hears of videos.

    Returns:
        By tracklet id; tracklets whose video is not at hand, and was not drawn before, are missing.

    Raises:
        ManifestError: the build is damaged.
        VideoError: a video can no longer be decoded.
    """
    sources: dict[str, tuple[Mapping[str, object], list[Tracklet]]] = {}
    for tracklet in manifest.tracklets:
        source = source_of(tracklet, manifest)
        if source is not None and ((name := str(source["name"])) in videos or (folder / SCENES).is_dir()):
            for plain in (tracklet.tracklet_id, name):
                if Path(plain).name != plain:
                    raise ManifestError(f"the name of a source or tracklet must be a plain file name; got {plain!r}")
            sources.setdefault(name, (source, []))[1].append(tracklet)
    is_masked = manifest.info.get("faces_masked") is not False
    regions = read_masked_regions(folder / MASKING_FILE) if is_masked and sources else None
    scenes: dict[str, Scene] = {}
    for done, (name, (source, tracklets)) in enumerate(sources.items()):
        progress("frames around people", done, len(sources), str(source["file"]))
        film = _Film(tracklets, regions, interval_s=manifest.info.get("interval_s"))
        record = folder / SCENES / f"{name}.json"
        drawn = _read_record(record, film.key)
        if drawn is None and name in videos and _is_the_film(videos[name], source):
            drawn = film.draw(videos[name], folder / SCENES)
            content = {"key": film.key, "scenes": {one: asdict(scene) for one, scene in drawn.items()}}
            write_atomically(record, [json.dumps(content).encode()])
        scenes |= drawn or {}
    if sources:
        progress("frames around people", len(sources), len(sources))
    return scenes


def _is_the_film(video: Path, source: Mapping[str, object]) -> bool:
    return film_sha256(video) == source.get("video_sha256")


def _read_record(path: Path, key: str) -> dict[str, Scene] | None:
    """What was drawn of a video; None where nothing was, or of another cut."""
    try:
        content = read_json(path)
        if content["key"] != key:
            return None
        scenes = {one: Scene(**{**scene, "box": tuple(scene["box"])}) for one, scene in content["scenes"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    is_whole = all((path.parent / Path(scene.picture).name).is_file() for scene in scenes.values())
    return scenes if is_whole else None


class _Film:
    """One video: who is in which frame, and which frame shows whom largest."""

    def __init__(
        self,
        tracklets: Sequence[Tracklet],
        regions: Mapping[str, Mapping[int, Sequence[Box]]] | None,
        *,
        interval_s: object,
    ) -> None:
        if not isinstance(interval_s, int | float):
            raise ManifestError(f"info must hold interval_s, a number of seconds; got {interval_s!r}")
        self._interval_s = interval_s
        self._largest = {tracklet.tracklet_id: max(tracklet.frames, key=_area) for tracklet in tracklets}
        self._is_masked = regions is not None
        self._boxes: dict[int | None, list[Box]] = {}
        self._covers: dict[int | None, list[Box]] = {}
        for tracklet in tracklets:
            covered = (regions or {}).get(tracklet.tracklet_id, {})
            for frame in tracklet.frames:
                self._boxes.setdefault(frame.index, []).append(_box(frame))
                self._covers.setdefault(frame.index, []).extend(covered.get(frame.index or 0, ()))
        told = [(one, frame.index, frame.box, self._covers[frame.index]) for one, frame in self._largest.items()]
        self.key = bytes_sha256(json.dumps([told, WIDTH, self._is_masked]).encode())
        """Of everything that decides over the pictures, but for the video itself."""

    def draw(self, video: Path, folder: Path) -> dict[str, Scene]:
        people: dict[int | None, list[str]] = {}
        for tracklet_id, frame in self._largest.items():
            people.setdefault(frame.index, []).append(tracklet_id)
        scenes: dict[str, Scene] = {}
        # What was cut of a damaged film was cut so; of a whole one it makes no difference.
        for film_frame in frames(video, interval_s=self._interval_s, limits=DecodeLimits(take_damaged=True)):
            for tracklet_id in people.pop(film_frame.index, ()):
                scenes[tracklet_id] = self._draw_frame(film_frame, tracklet_id, folder)
            if not people:
                break
        return scenes

    def _draw_frame(self, frame: VideoFrame, tracklet_id: str, folder: Path) -> Scene:
        picture = self._covered(frame)
        height, width = picture.shape[:2]
        scale = width / frame.pixels.shape[1]
        left, top, right, bottom = (round(edge * scale, 1) for edge in _box(self._largest[tracklet_id]))
        written, content = cv2.imencode(
            ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        )
        assert written
        name = f"{tracklet_id}.jpg"
        write_atomically(folder / name, [content.tobytes()])
        return Scene(
            picture=name, width=width, height=height, box=(left, top, right, bottom), time_s=round(frame.time_s, 3)
        )

    def _covered(self, frame: VideoFrame) -> UInt8[np.ndarray, "height width 3"]:
        """The frame, small, with covered faces, and strangers too coarse to be recognised."""
        pixels = frame.pixels.copy()
        for left, top, right, bottom in self._covers[frame.index]:
            pixels[max(0, int(top)) : int(bottom) + 1, max(0, int(left)) : int(right) + 1] = GREY
        scale = min(1.0, WIDTH / pixels.shape[1])
        size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        if self._is_masked:
            boxes = self._boxes[frame.index]
            coarsen_around(small, [(a * scale, b * scale, c * scale, d * scale) for a, b, c, d in boxes])
        return small


def _box(frame: Frame) -> Box:
    if frame.box is None:
        raise ManifestError(f"{frame.path} must have its box in the video's frame")
    return frame.box


def _area(frame: Frame) -> float:
    left, top, right, bottom = _box(frame)
    return (right - left) * (bottom - top)
