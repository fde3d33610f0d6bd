"""Raw video to a manifest of tracklets: the whole station, one source after the other.

A build folder holds

    manifest.jsonl     written last: when it is there, everything that it lists is there
    crops/ID/INDEX.jpg
    sources/NAME.json  one for each finished source: what it gave, and from what
    partial/           the source in work
    build.lock         held by the build that runs

A source is finished in one moment, when its file in sources/ appears. Work from before that moment is
thrown away and done again; afterwards it is not touched as long as its video, its annotations and the
settings stay the same. So a build may be killed at any time and started again, and sources may be added.
"""

import fcntl
import math
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skyreid.building.build_report import BuildReport, SourceReport
from skyreid.building.cropping import cut
from skyreid.building.decode import DEFAULT_LIMITS, USUAL_FRAME_RATE, DecodeLimits, VideoFacts, probe
from skyreid.building.finished_source import (
    CROPS,
    RECORDS,
    FinishedSource,
    FinishedTracklet,
    fingerprint,
    flush,
    read_finished,
    write_finished,
)
from skyreid.building.mot import read_mot
from skyreid.building.motion.find_people import find_people
from skyreid.building.sources import Source, check_together
from skyreid.building.tracked_boxes import TrackedBoxes, without_holes
from skyreid.datasets.manifest import write_manifest
from skyreid.datasets.manifest_benchmark import MANIFEST_FILE
from skyreid.errors import SourceError
from skyreid.progress import Progress, silent
from skyreid.tracklet import Frame, Tracklet

ANNOTATED, PER_TRACKLET = "annotated", "per-tracklet"
PARTIAL = "partial"
LOCK = "build.lock"


def build(
    sources: Sequence[Source],
    out_dir: Path,
    *,
    interval_s: float = 0.5,
    mask_faces: bool = True,
    limits: DecodeLimits = DEFAULT_LIMITS,
    progress: Progress = silent,
) -> BuildReport:
    """Cut the people of all sources into tracklets below `out_dir` and write the manifest.

    When all sources are annotated, a pid is the identity number in the annotations, shared by all sources:
    number 7 of one file is number 7 of another. Otherwise every tracklet gets a pid of its own, and the
    manifest's `info["identities"]` says `per-tracklet`: it can be searched, but not scored. A camid is the
    place of the camera's name in `info["cameras"]`. The same input gives the same manifest hash.

    Args:
        sources: every video once.
        out_dir: a new or empty folder, or that of an earlier build, whose finished sources are kept.
        interval_s: presentation time from one crop of a person to the next.
        mask_faces: cover near frontal faces before anything is written.
        limits: for each decoding process.
        progress: hears of seconds of video.

    Raises:
        SourceError: the sources do not go together, or people cannot be found with what was given.
        VideoError: a video cannot be decoded. All videos and annotations are looked at before the first is
            cut; sources that were finished stay so.

    Source: paper sections 3.1 and 3.2.
    """
    if not (math.isfinite(interval_s) and interval_s > 0):
        raise ValueError(f"interval_s must be a positive number of seconds; got {interval_s}")
    check_together(sources)
    with _locked(out_dir):
        _check_complete(sources, out_dir)
        plans = [_plan(source, interval_s=interval_s, mask_faces=mask_faces, limits=limits) for source in sources]
        kept = {plan.source.name: read_finished(out_dir, plan.source.name, plan.fingerprint) for plan in plans}
        _sweep(out_dir, kept)
        finished = [
            kept[plan.source.name]
            or _finish(plan, out_dir, interval_s=interval_s, mask_faces=mask_faces, limits=limits, progress=progress)
            for plan in plans
        ]
        tracklets, info = _manifest(sources, finished, out_dir, interval_s=interval_s, mask_faces=mask_faces)
        path = out_dir / MANIFEST_FILE
        sha256 = write_manifest(path, tracklets, info)
    return BuildReport(
        manifest_path=path,
        manifest_sha256=sha256,
        identities=_identities(sources),
        sources=tuple(source.report for source in finished),
    )


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """A source, looked at."""

    source: Source
    facts: VideoFacts
    annotated: TrackedBoxes | None
    fingerprint: dict[str, str]


def _plan(source: Source, *, interval_s: float, mask_faces: bool, limits: DecodeLimits) -> _Plan:
    facts = probe(source.path, limits=limits)
    annotated = None
    if source.annotations is not None:
        annotated = read_mot(source.annotations, width=facts.width, height=facts.height)
    return _Plan(
        source=source,
        facts=facts,
        annotated=annotated,
        fingerprint=fingerprint(source, interval_s=interval_s, mask_faces=mask_faces),
    )


@contextmanager
def _locked(out_dir: Path) -> Iterator[None]:
    # Crops that belong to nobody will be removed: not in a folder that is somebody else's.
    if out_dir.exists() and not out_dir.is_dir():
        raise SourceError(f"{out_dir}: must be a folder; it is a file")
    if out_dir.exists() and not (out_dir / LOCK).exists() and any(out_dir.iterdir()):
        raise SourceError(f"{out_dir}: must be new, empty, or the folder of an earlier build; it holds other files")
    out_dir.mkdir(parents=True, exist_ok=True)
    with (out_dir / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SourceError(f"{out_dir}: another build is at work in this folder") from None
        (out_dir / RECORDS).mkdir(exist_ok=True)
        yield


def _check_complete(sources: Sequence[Source], out_dir: Path) -> None:
    names = {source.name for source in sources}
    for record in sorted((out_dir / RECORDS).glob("*.json")):
        if record.stem not in names:
            raise SourceError(
                f"{out_dir}: holds the finished source {record.stem!r}, which is not among the given ones; "
                "give all sources again, or another folder"
            )


def _sweep(out_dir: Path, kept: dict[str, FinishedSource | None]) -> None:
    """Remove what belongs to no finished source; the manifest and the records first, since they name crops."""
    if None in kept.values():
        (out_dir / MANIFEST_FILE).unlink(missing_ok=True)
    for name, finished in kept.items():
        if finished is None:
            (out_dir / RECORDS / f"{name}.json").unlink(missing_ok=True)
    for unfinished in (*out_dir.glob(".*.partial"), *(out_dir / RECORDS).glob(".*.partial")):
        unfinished.unlink()
    shutil.rmtree(out_dir / PARTIAL, ignore_errors=True)
    (out_dir / CROPS).mkdir(exist_ok=True)
    listed = {tracklet.tracklet_id for source in kept.values() if source for tracklet in source.tracklets}
    for folder in (out_dir / CROPS).iterdir():
        if folder.name not in listed:
            shutil.rmtree(folder)


def _finish(
    plan: _Plan, out_dir: Path, *, interval_s: float, mask_faces: bool, limits: DecodeLimits, progress: Progress
) -> FinishedSource:
    source = plan.source
    tracked = plan.annotated
    if tracked is None:
        tracked = find_people(source.path, plan.facts, interval_s=interval_s, limits=limits, progress=progress)
    whole, interpolated = without_holes(tracked, frame_rate=plan.facts.frame_rate or USUAL_FRAME_RATE)
    result = cut(
        source.path,
        whole,
        out_dir / PARTIAL,
        interval_s=interval_s,
        mask_faces=mask_faces,
        duration_s=plan.facts.duration_s,
        limits=limits,
        progress=progress,
    )
    if plan.annotated is not None and not result.tracklets:
        raise SourceError(
            f"{source.annotations}: nobody is annotated in two of the {result.frames_read} sampled frames (one every "
            f"{interval_s:g} s); annotate those frames, or sample more often"
        )
    tracklets = []
    for number, tracklet in enumerate(result.tracklets, start=1):
        tracklet_id = f"{source.name}-{number:04d}"
        for crop in tracklet.crops:
            flush(tracklet.folder / crop.file_name)
        flush(tracklet.folder)
        tracklet.folder.rename(out_dir / CROPS / tracklet_id)
        person = None if plan.annotated is None else tracklet.track
        tracklets.append(FinishedTracklet(tracklet_id, person, tuple(tracklet.crops)))
    flush(out_dir / CROPS)
    finished = FinishedSource(
        fingerprint=plan.fingerprint,
        report=SourceReport(
            name=source.name,
            frames_read=result.frames_read,
            boxes=sum(map(len, tracked.frames.values())),
            boxes_interpolated=interpolated,
            boxes_dropped=dict(Counter(tracked.dropped) + Counter(result.dropped_boxes)),
            tracklets=len(tracklets),
            tracklets_dropped=dict(result.dropped_tracklets),
            crops=sum(len(tracklet.crops) for tracklet in tracklets),
            faces_masked=result.faces_masked,
        ),
        tracklets=tuple(tracklets),
    )
    write_finished(out_dir, finished)
    shutil.rmtree(out_dir / PARTIAL, ignore_errors=True)
    return finished


def _identities(sources: Sequence[Source]) -> str:
    """Only when every source is annotated do equal numbers mean the same person."""
    return ANNOTATED if all(source.annotations is not None for source in sources) else PER_TRACKLET


def _manifest(
    sources: Sequence[Source],
    finished: Sequence[FinishedSource],
    out_dir: Path,
    *,
    interval_s: float,
    mask_faces: bool,
) -> tuple[list[Tracklet], dict[str, object]]:
    cameras = list(dict.fromkeys(source.camera for source in sources))
    identities = _identities(sources)
    tracklets: list[Tracklet] = []
    for source, done in zip(sources, finished, strict=True):
        for tracklet in done.tracklets:
            folder = out_dir / CROPS / tracklet.tracklet_id
            frames = tuple(
                Frame(str(folder / crop.file_name), index=crop.index, time_s=crop.time_s, box=crop.box)
                for crop in tracklet.crops
            )
            person = tracklet.person if identities == ANNOTATED else None
            tracklets.append(
                Tracklet(
                    tracklet_id=tracklet.tracklet_id,
                    frames=frames,
                    pid=len(tracklets) + 1 if person is None else person,
                    camid=cameras.index(source.camera),
                    platform=source.platform,
                )
            )
    info: dict[str, object] = {
        "identities": identities,
        "cameras": cameras,
        "interval_s": interval_s,
        "faces_masked": mask_faces,
        "sources": [
            {"name": source.name, "file": source.path.name, "video_sha256": done.fingerprint["video_sha256"]}
            for source, done in zip(sources, finished, strict=True)
        ],
    }
    return tracklets, info
