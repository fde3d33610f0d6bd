"""The boxes of a finished build as annotations again, one file for each video, for other people's tools."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from skyreid.building.annotations.cvat import write_cvat
from skyreid.building.annotations.mot import write_identities, write_mot
from skyreid.building.build_report import PER_TRACKLET
from skyreid.building.tracked_boxes import Box, TrackedBoxes
from skyreid.datasets.manifest import MANIFEST_FILE, Manifest, read_built_folder
from skyreid.errors import ManifestError, SourceError
from skyreid.progress import Progress, silent
from skyreid.tracklet import Tracklet

SUFFIXES = {"mot": ".txt", "cvat": ".xml"}


def export_annotations(
    build_dir: Path, out: Path, format: Literal["mot", "cvat"], *, progress: Progress = silent
) -> tuple[Path, ...]:
    """Write `out`/NAME.txt or .xml for each source NAME of a build; gives their paths, in order of the sources.

    The boxes are those of the crops, in the sampled frames only, and a pid is the number of the person, in
    all files: CVAT's say so by person_id, and beside MOT files `identities.json` does. In a build whose
    identities are `per-tracklet` a number is a tracklet, and nothing says that it is a person.

    Raises:
        ManifestError: the folder holds no manifest of a build.
        SourceError: a person is in two places of one frame.
    """
    path = build_dir / MANIFEST_FILE
    manifest = read_built_folder(build_dir)
    names = _source_names(manifest, path)
    by_source: dict[str, list[Tracklet]] = {name: [] for name in names}
    for tracklet in manifest.tracklets:
        name, _, _ = tracklet.tracklet_id.rpartition("-")
        if name not in by_source:
            raise ManifestError(f"{path}: the tracklet {tracklet.tracklet_id!r} is of none of its sources {names}")
        by_source[name].append(tracklet)
    is_known = manifest.info.get("identities") != PER_TRACKLET
    written = []
    for done, (name, tracklets) in enumerate(by_source.items(), start=1):
        frames = _frames(tracklets, path)
        tracked = TrackedBoxes(frames=frames, dropped={}, identified=is_known)
        written.append(out / f"{name}{SUFFIXES[format]}")
        if format == "mot":
            write_mot(written[-1], tracked)
        else:
            # How long the video went on after its last box, the build does not tell.
            write_cvat(written[-1], tracked, num_frames=max(frames, default=0) + 1)
        progress("write annotations", done, len(names), name)
    if format == "mot" and is_known:
        write_identities(out, written)
    return tuple(written)


def _source_names(manifest: Manifest, path: Path) -> list[str]:
    sources = manifest.info.get("sources")
    if not isinstance(sources, list) or not all(isinstance(source, Mapping) and "name" in source for source in sources):
        raise ManifestError(f"{path}: must list the sources of a build, as `skyreid build` writes them")
    names = [str(source["name"]) for source in sources]
    for name in names:  # they become names of files
        _check_plain_name(name, f"{path}: the name of a source")
    return names


def _frames(tracklets: list[Tracklet], path: Path) -> dict[int, dict[int, Box]]:
    frames: dict[int, dict[int, Box]] = {}
    owner: dict[tuple[int, int], str] = {}
    for tracklet in tracklets:
        for frame in tracklet.frames:
            if frame.index is None or frame.box is None:
                raise ManifestError(f"{path}: a frame of {tracklet.tracklet_id!r} has no index or no box")
            twin = owner.setdefault((frame.index, tracklet.pid), tracklet.tracklet_id)
            if twin != tracklet.tracklet_id:
                raise SourceError(
                    f"{path}: person {tracklet.pid} is in two places of frame {frame.index}: tracklets {twin!r} and "
                    f"{tracklet.tracklet_id!r}; one of them is somebody else"
                )
            frames.setdefault(frame.index, {})[tracklet.pid] = frame.box
    return frames


def _check_plain_name(name: str, where: str) -> None:
    """See that a text which came from a file can name a file of ours: no folder, no drive, nothing hidden.

    Raises:
        ManifestError: it cannot; the message starts with `where`.
    """
    is_one_name = name == PureWindowsPath(name).name == PurePosixPath(name).name
    if not name or name.startswith(".") or not is_one_name or "\0" in name:
        raise ManifestError(f"{where} must be a plain file name; got {name!r}")
