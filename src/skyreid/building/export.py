"""A build for other people's tools: as a benchmark of the field, and as annotations again."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal, TypeAlias

from skyreid.building.annotations.annotated_video import AnnotatedVideo
from skyreid.building.annotations.cvat import write_cvat
from skyreid.building.annotations.label_studio import write_label_studio
from skyreid.building.annotations.mot import write_identities, write_mot
from skyreid.building.build_report import PER_TRACKLET
from skyreid.building.tracked_boxes import Box, TrackedBoxes
from skyreid.datasets.benchmarks.mars_layout import write_mars_layout
from skyreid.datasets.identity_split import check_no_leak, divide_identities
from skyreid.datasets.manifest import MANIFEST_FILE, Manifest, read_built_folder
from skyreid.errors import DatasetError, ManifestError, SourceError
from skyreid.processes.progress import Progress, silent
from skyreid.tracklet import DISTRACTOR_PID, PLATFORMS, Platform, Tracklet


@dataclass(frozen=True, kw_only=True)
class LayoutReport:
    """What an export wrote."""

    layout: str
    out: Path
    seed: int
    split_sha256: str
    """Of the identity split, to be quoted beside every score."""
    train_identities: int
    test_identities: int
    train_tracklets: int
    query_tracklets: int
    gallery_tracklets: int
    distractors: int
    """Tracklets in the gallery, among the above, of people whom no query asks for."""
    left_out: tuple[int, ...]
    """Pids of people seen from one platform only, of whom nothing was written."""
    shared_videos: tuple[str, ...]
    """Videos that show people who train and people who are tested, at the same time or not."""

    def lines(self) -> list[str]:
        """Say it to a person."""
        pids = ", ".join(map(str, self.left_out[:10])) + (", ..." if len(self.left_out) > 10 else "")
        return [
            f"{self.out}: {self.train_identities} people train ({self.train_tracklets} tracklets), "
            f"{self.test_identities} are tested ({self.query_tracklets} query and {self.gallery_tracklets} gallery "
            f"tracklets, {self.distractors} of them distractors)",
            f"split {self.seed}, sha256 {self.split_sha256}",
            f"seen from one platform only and left out: {len(self.left_out)} people"
            + (f" (pid {pids})" if pids else ""),
            "no person and no segment of a video is on both sides; "
            f"{len(self.shared_videos)} videos show people of both",
        ]

    def to_json(self) -> dict[str, object]:
        """Give everything as plain JSON values."""
        return {**asdict(self), "out": str(self.out)}


def export_layout(
    build_dir: Path,
    out: Path,
    *,
    layout: Literal["g2a", "mars"],
    seed: int = 0,
    progress: Progress = silent,
) -> LayoutReport:
    """Divide the people of a build 1 : 2 and write them as a folder that the field's programs read.

    Only people seen from both platforms are divided. The ground asks, the drone's tracklets are the gallery;
    the other direction is a matter of the protocol. These layouts count cameras by one digit, and G2A-VReID
    has two, so camera 1 is the ground and camera 2 the air, however many there were. People seen from one
    platform are left out; in the MARS layout, those seen from the air join the gallery as distractors.

    Args:
        build_dir: folder of a build, its people annotated or linked.
        out: a new folder.
        layout: whose.
        seed: of the split; the same people and seed give the same split.
        progress: told about the copying.

    Raises:
        ManifestError: the manifest is missing or damaged.
        DatasetError: nobody knows who is who, too few people were seen from both platforms, `out` exists, or
            a tracklet does not fit the layout (MissingFrameError: a crop is missing).
    """
    manifest = read_built_folder(build_dir)
    if manifest.info.get("identities") == PER_TRACKLET:
        raise DatasetError(f"{build_dir}: nobody has said who is who; link first: skyreid link {build_dir}")
    tracklets = [replace(t, camid=PLATFORMS.index(t.platform)) for t in manifest.tracklets]
    ground, aerial = ({t.pid for t in tracklets if t.platform is platform} for platform in PLATFORMS)
    if len(ground & aerial) < 2:
        raise DatasetError(
            f"{build_dir}: a benchmark needs two people seen from both platforms; got {len(ground & aerial)} of "
            f"{len(ground | aerial)}"
        )
    split = divide_identities(ground & aerial, seed=seed)
    train = _of(split.train, tracklets)
    query = [t for t in _of(split.test, tracklets) if t.platform is Platform.GROUND]
    found = [t for t in _of(split.test, tracklets) if t.platform is Platform.AERIAL]
    only_aerial = _of(sorted(aerial - ground), tracklets) if layout == "mars" else []
    distractors = [replace(t, pid=DISTRACTOR_PID) for t in only_aerial]
    gallery = [*found, *distractors]
    shared = check_no_leak(train, (*query, *gallery), video_of=_source_of)
    is_simulated = bool(manifest.info.get("simulated"))
    write_mars_layout(
        out, train=train, query=query, gallery=gallery, info={"simulated": is_simulated}, progress=progress
    )
    return LayoutReport(
        layout=layout,
        out=out,
        seed=seed,
        split_sha256=split.sha256,
        train_identities=len(split.train),
        test_identities=len(split.test),
        train_tracklets=len(train),
        query_tracklets=len(query),
        gallery_tracklets=len(gallery),
        distractors=len(distractors),
        left_out=tuple(sorted(ground ^ aerial if layout == "g2a" else ground - aerial)),
        shared_videos=shared,
    )


def _of(pids: Sequence[int], tracklets: Sequence[Tracklet]) -> list[Tracklet]:
    wanted = set(pids)
    return [tracklet for tracklet in tracklets if tracklet.pid in wanted]


def _source_of(tracklet: Tracklet) -> str:
    """Name of the source: a build numbers the tracklets of each, as in `C1-entrance-0001`."""
    return tracklet.tracklet_id.rpartition("-")[0]


AnnotationFormat: TypeAlias = Literal["mot", "cvat", "label-studio"]
SUFFIXES: dict[AnnotationFormat, str] = {"mot": ".txt", "cvat": ".xml", "label-studio": ".json"}


def export_annotations(
    build_dir: Path,
    out: Path,
    format: AnnotationFormat,
    *,
    videos: Mapping[str, AnnotatedVideo] | None = None,
    progress: Progress = silent,
) -> tuple[Path, ...]:
    """Write `out`/NAME.txt, .xml or .json for each source NAME of a build; gives their paths, in order of the sources.

    The boxes are those of the crops, in the sampled frames only, and a pid is the number of the person, in
    all files: CVAT's say so by person_id, and beside MOT files `identities.json` does. In a build whose
    identities are `per-tracklet` a number is a tracklet, and nothing says that it is a person.

    Args:
        build_dir: the build.
        out: folder for the files.
        format: of them.
        videos: what is known of the sources' videos, by their names; Label Studio's format needs it of all.
        progress: hears of sources.

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
        elif format == "label-studio":
            write_label_studio(written[-1], tracked, (videos or {})[name])
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
