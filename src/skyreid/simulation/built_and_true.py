"""The two sides of a comparison: what `skyreid build` made of each video, and who really is in its sampled frames."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from math import floor, isfinite
from pathlib import Path

from skyreid.building.build_folder import MASKING_FILE
from skyreid.building.build_report import read_masked_regions
from skyreid.datasets.manifest import MANIFEST_FILE, Manifest, read_built_folder
from skyreid.errors import DatasetError, ManifestError
from skyreid.files.file_kinds import WORLD, require_kind
from skyreid.files.regular_file import file_sha256, read_regular
from skyreid.simulation.scene_truth import TRUTH_DIR, VIDEOS_DIR, SceneBox, SceneFace, SceneFrame, read_scene_truth
from skyreid.tracklet import Tracklet


@dataclass(frozen=True, kw_only=True)
class BuiltSource:
    """One video's part of a build."""

    name: str
    file: str
    """Of the video, without a folder."""
    video_sha256: str
    interval_s: float
    """From one sampled frame to the next."""
    tracklets: tuple[Tracklet, ...]
    crops: Mapping[int, Mapping[str, SceneBox]]
    """By frame, then tracklet id; only frames that have some."""
    masked: Mapping[int, frozenset[SceneBox]]
    """By frame, the regions that were painted over and show in a crop; only frames that have some."""


def read_built_sources(build_dir: Path) -> list[BuiltSource]:
    """Read a build.

    Raises:
        ManifestError: it is damaged, or something else than a folder of `skyreid build`.
    """
    path = build_dir / MANIFEST_FILE
    manifest = read_built_folder(build_dir)
    interval_s = manifest.info.get("interval_s")
    if not isinstance(interval_s, int | float) or not (isfinite(interval_s) and interval_s > 0):
        raise ManifestError(f"{path}: info must hold interval_s, a number of seconds; got {interval_s!r}")
    videos = _videos(manifest, path)
    tracklets: dict[str, list[Tracklet]] = {name: [] for name in videos}
    for tracklet in manifest.tracklets:
        name = tracklet.tracklet_id.rpartition("-")[0]
        if name not in tracklets:
            raise ManifestError(f"{path}: tracklet {tracklet.tracklet_id!r} is of none of the sources {list(videos)}")
        tracklets[name].append(tracklet)
    # A build that masked no faces says so; a missing report of one that did is damage.
    regions = {} if manifest.info.get("faces_masked") is False else read_masked_regions(build_dir / MASKING_FILE)
    return [
        BuiltSource(
            name=name,
            file=file,
            video_sha256=sha256,
            interval_s=float(interval_s),
            tracklets=tuple(tracklets[name]),
            crops=_crops(tracklets[name], path),
            masked=_masked([regions.get(tracklet.tracklet_id, {}) for tracklet in tracklets[name]]),
        )
        for name, (file, sha256) in videos.items()
    ]


def _videos(manifest: Manifest, path: Path) -> dict[str, tuple[str, str]]:
    """File and hash of each source's video."""
    sources = manifest.info.get("sources")
    if not isinstance(sources, list) or not sources:
        raise ManifestError(f"{path}: info must list the sources; was it written by skyreid build?")
    videos: dict[str, tuple[str, str]] = {}
    for source in sources:
        known = source if isinstance(source, dict) else {}
        name, file, sha256 = (known.get(key) for key in ("name", "file", "video_sha256"))
        if not (isinstance(name, str) and isinstance(file, str) and isinstance(sha256, str)):
            raise ManifestError(f"{path}: a source has the texts name, file and video_sha256; got {source!r:.200}")
        if file != Path(file).name:
            raise ManifestError(f"{path}: source {name!r}: its file must be a bare name; got {file!r}")
        videos[name] = (file, sha256)
    return videos


def _crops(tracklets: list[Tracklet], path: Path) -> dict[int, dict[str, SceneBox]]:
    crops: dict[int, dict[str, SceneBox]] = {}
    for tracklet in tracklets:
        for frame in tracklet.frames:
            if frame.index is None or frame.box is None:
                raise ManifestError(f"{path}: {frame.path} must have the index of its video frame and its box")
            crops.setdefault(frame.index, {})[tracklet.tracklet_id] = frame.box
    return crops


def _masked(by_tracklet: list[dict[int, list[SceneBox]]]) -> dict[int, frozenset[SceneBox]]:
    """A region that shows in two crops counts once."""
    together: dict[int, set[SceneBox]] = {}
    for by_frame in by_tracklet:
        for index, boxes in by_frame.items():
            together.setdefault(index, set()).update(boxes)
    return {index: frozenset(boxes) for index, boxes in together.items() if boxes}


MIN_VISIBLE = 0.3
"""Share of a person from which on a build should have found him; below it, it may."""
_ROUNDING = 1e-6
"""Of an interval: 0.3 s are 3 x 0.1 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TruePerson:
    """Somebody in a frame."""

    pid: int
    box: SceneBox
    """Cut at the picture's edge, as a build's boxes are."""
    visible: float
    """Share of the person's pixels, 0-1."""
    face: SceneFace | None


def read_true_people(source: BuiltSource, truth_dir: Path) -> dict[int, tuple[TruePerson, ...]]:
    """Give the people of every sampled frame; a frame without people is there, and empty.

    Args:
        source: what was built.
        truth_dir: folder of the world, which may hold more videos.

    Raises:
        DatasetError: the truth is missing, damaged, or of another video.
    """
    _check_is_world(truth_dir)
    video = truth_dir / VIDEOS_DIR / source.file
    _check_is_same(video, source)
    path = truth_dir / TRUTH_DIR / f"{video.stem}.jsonl"
    frames = read_scene_truth(path)
    last = max(source.crops, default=0)
    if last >= len(frames):
        raise DatasetError(f"{path}: ends at frame {len(frames) - 1}; {source.name} has a crop of frame {last}")
    boxes = _read_cut_boxes(path.with_suffix(".txt"))
    return {index: _people(frames[index], boxes, path) for index in _sampled(frames, source)}


def _check_is_world(folder: Path) -> None:
    require_kind(folder, WORLD, error=DatasetError)
    missing = [name for name in (VIDEOS_DIR, TRUTH_DIR) if not (folder / name).is_dir()]
    if missing:
        raise DatasetError(f"{folder} must be the folder that skyreid simulate wrote; it has no {missing[0]}/")


def _check_is_same(video: Path, source: BuiltSource) -> None:
    if not video.is_file():
        raise DatasetError(
            f"{video} is not there, from which {source.name} was built; is this the truth of another world?"
        )
    sha256 = file_sha256(video)
    if sha256 != source.video_sha256:
        raise DatasetError(
            f"{video} has the sha256 {sha256}, {source.name} was built from a video with {source.video_sha256}; "
            "is this the truth of another world?"
        )


def _sampled(frames: tuple[SceneFrame, ...], source: BuiltSource) -> list[int]:
    """The first frame at or after each multiple of the interval, and whatever else has a crop."""
    ticks = groupby(frames, key=lambda frame: floor(frame.time_s / source.interval_s + _ROUNDING))
    return sorted({next(same).index for _, same in ticks} | set(source.crops))


def _people(frame: SceneFrame, boxes: Mapping[tuple[int, int], SceneBox], path: Path) -> tuple[TruePerson, ...]:
    """Those of whom anything lies in the picture."""
    people = []
    for person in frame.people:
        box = boxes.get((frame.index, person.pid))
        if box is not None:
            people.append(TruePerson(pid=person.pid, box=box, visible=person.visible, face=person.face))
        elif person.visible >= MIN_VISIBLE:
            raise DatasetError(
                f"{path}: person {person.pid} shows in frame {frame.index}; {path.stem}.txt has no box for that"
            )
    return tuple(people)


def _read_cut_boxes(path: Path) -> dict[tuple[int, int], SceneBox]:
    """By frame and pid, from the annotations that go with the truth."""
    try:
        lines = read_regular(path).decode("ascii").splitlines()
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} must hold the boxes as annotations; it cannot be read: {error}") from error
    boxes: dict[tuple[int, int], SceneBox] = {}
    for number, line in enumerate(lines, start=1):
        try:
            frame, pid, left, top, width, height, *_ = map(float, line.split(","))
        except ValueError as error:
            raise DatasetError(f"{path}: line {number} is damaged: {error}") from error
        boxes[int(frame) - 1, int(pid)] = (left - 1, top - 1, left - 1 + width, top - 1 + height)
    return boxes
