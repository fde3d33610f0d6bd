"""What `skyreid build` made of each video, as far as it can be compared with the truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from skyreid.datasets.manifest import MANIFEST_FILE, Manifest, read_built_folder
from skyreid.errors import ManifestError
from skyreid.simulation.construction.box_overlap import Box
from skyreid.strict_json import read_json
from skyreid.tracklet import Tracklet

MASKING_FILE = "masking.json"


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
    crops: Mapping[int, Mapping[str, Box]]
    """By frame, then tracklet id; only frames that have some."""
    masked: Mapping[int, frozenset[Box]]
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
    regions = {} if manifest.info.get("faces_masked") is False else _read_regions(build_dir / MASKING_FILE)
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


def _crops(tracklets: list[Tracklet], path: Path) -> dict[int, dict[str, Box]]:
    crops: dict[int, dict[str, Box]] = {}
    for tracklet in tracklets:
        for frame in tracklet.frames:
            if frame.index is None or frame.box is None:
                raise ManifestError(f"{path}: {frame.path} must have the index of its video frame and its box")
            crops.setdefault(frame.index, {})[tracklet.tracklet_id] = frame.box
    return crops


def _read_regions(path: Path) -> dict[str, dict[int, list[Box]]]:
    try:
        regions = read_json(path)["regions"]
        return {
            tracklet_id: {int(index): [_box(box) for box in boxes] for index, boxes in by_frame.items()}
            for tracklet_id, by_frame in regions.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManifestError(f"{path} must be the masking report of a build; it cannot be used: {error!r}") from error


def _box(values: list[float]) -> Box:
    left, top, right, bottom = map(float, values)
    return left, top, right, bottom


def _masked(by_tracklet: list[dict[int, list[Box]]]) -> dict[int, frozenset[Box]]:
    """A region that shows in two crops counts once."""
    together: dict[int, set[Box]] = {}
    for by_frame in by_tracklet:
        for index, boxes in by_frame.items():
            together.setdefault(index, set()).update(boxes)
    return {index: frozenset(boxes) for index, boxes in together.items() if boxes}
