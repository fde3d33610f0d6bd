"""One source of a build: looked at, then cut into tracklets in a folder of its own.

Both are units of work (`processes.workers`): they touch nothing but that folder, which no other attempt has, and
whoever holds the lock of the build brings it in (`build_folder.bring_in`).
"""

import shutil
import socket
from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from skyreid.building.build_folder import LOCK, CutSource, FinishedSource, FinishedTracklet, fingerprint, new_attempt
from skyreid.building.crops.cropping import Cut, TrackletEmbedder, cut
from skyreid.building.crops.face_mask import FaceMask, MaskingConfig
from skyreid.building.crops.quality import QualityConfig, QualityFilter
from skyreid.building.detection.detector import Detector
from skyreid.building.finder import find_tracked, finder_of, read_annotated
from skyreid.building.placement import SourcePlacement, place
from skyreid.building.source_report import SourceReport
from skyreid.building.sources import Source
from skyreid.building.tracked_boxes import TrackedBoxes, without_holes
from skyreid.building.video.decode import USUAL_FRAME_RATE, DecodeLimits, FilmEnd, VideoFacts, probe
from skyreid.errors import ClusterError, SettingError, SkyreidError, SourceError
from skyreid.files.atomic_file import flush
from skyreid.processes.progress import Progress


@dataclass(frozen=True, kw_only=True)
class CuttingSettings:
    """What is the same for all sources of a build."""

    interval_s: float
    detector: Detector | None
    quality: QualityConfig
    masking: MaskingConfig | None
    embedder: TrackletEmbedder | None
    limits: DecodeLimits
    networks: "Networks"
    """What the detector and the embedder are where the build was begun: others would give other crops."""

    def without_networks(self) -> "CuttingSettings":
        """What is enough to look at a source: no network is loaded for it."""
        return replace(self, detector=None, embedder=None)

    def check_networks(self) -> None:
        """See that the networks here are those of whoever asked.

        Raises:
            SettingError: this machine has other files of them, or computes in other numbers.
        """
        if (here := networks_of(self.detector, self.embedder)) != self.networks:
            raise SettingError(
                f"{socket.gethostname()}: has other networks than the machine that asks, or computes in other numbers: "
                f"{here}, and {self.networks} there; name files that all machines share"
            )


@dataclass(frozen=True)
class Networks:
    """What the networks of a build are, in words; None = there is none."""

    detector: str | None
    """Its fingerprint."""
    embedder: str | None
    """Its weights, and how it is fed."""
    precision: str | None
    """In which the embedder computes."""


def networks_of(detector: Detector | None, embedder: TrackletEmbedder | None) -> Networks:
    """Say what they are."""
    return Networks(
        None if detector is None else detector.fingerprint,
        None if embedder is None else f"{embedder.model} {embedder.feeding.to_text()}",
        None if embedder is None else embedder.precision,
    )


@dataclass(frozen=True, kw_only=True)
class SourceToLookAt:
    """The job of `look_at`."""

    source: Source
    settings: CuttingSettings
    is_there: bool
    """Whether the machine that asks sees the video."""

    @property
    def name(self) -> str:
        """Of the source."""
        return self.source.name


@dataclass(frozen=True, kw_only=True)
class SourcePlan:
    """A source, looked at."""

    source: Source
    facts: VideoFacts
    annotated: TrackedBoxes | None
    placement: SourcePlacement
    fingerprint: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class SourceToCut:
    """The job of `cut_source`."""

    plan: SourcePlan
    settings: CuttingSettings
    out_dir: Path
    """The folder of the build."""

    @property
    def name(self) -> str:
        """Of the source."""
        return self.plan.source.name


def look_at(job: SourceToLookAt, progress: Progress) -> SourcePlan:
    """Find out what a source is, what its annotations say, and what its crops depend on; writes nothing.

    Raises:
        VideoError: it cannot be decoded.
        SourceError: its annotations cannot be used.
        TelemetryError: telemetry that it names cannot be read.
        ClusterError: the machine that asks sees the video, and this one does not.
    """
    source, settings = job.source, job.settings
    if job.is_there:
        _require_seen(source.path)
    facts = probe(source.path, limits=settings.limits)
    annotated = read_annotated(source, facts)
    return SourcePlan(
        source=source,
        facts=facts,
        annotated=annotated,
        placement=place(source, facts),
        fingerprint=fingerprint(
            source,
            finder=finder_of(source, settings.networks.detector, annotated),
            interval_s=settings.interval_s,
            masking=settings.masking,
            quality=settings.quality,
            embedder=settings.networks.embedder or "none",
        ),
    )


def cut_source(job: SourceToCut, progress: Progress) -> CutSource:
    """Cut the people of a source into a folder of this attempt alone, flushed to the disk.

    Raises:
        VideoError: it cannot be decoded.
        SourceError: people cannot be found in it, or nobody who is annotated can be seen.
        SettingError: this machine has other networks than the one that asks.
        ClusterError: it does not see the video or the folder of the build.
    """
    job.settings.check_networks()
    _require_seen(job.plan.source.path)
    _require_seen(job.out_dir / LOCK)
    folder = new_attempt(job.out_dir, job.name)
    try:
        return CutSource(folder, socket.gethostname(), _cut_into(folder, job.plan, job.settings, progress))
    except SkyreidError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _require_seen(path: Path) -> None:
    if not path.exists():
        raise ClusterError(
            f"{path}: {socket.gethostname()} does not see it; the machines of a cluster see footage and what is "
            "written at the same paths"
        )


@lru_cache(maxsize=1)
def mask_of(masking: MaskingConfig) -> FaceMask:
    """Load what finds faces, once in a process.

    Raises:
        SettingError: as `FaceMask`.
    """
    return FaceMask(masking)


def _cut_into(folder: Path, plan: SourcePlan, settings: CuttingSettings, progress: Progress) -> FinishedSource:
    source, facts = plan.source, plan.facts
    tracked = plan.annotated or find_tracked(
        source,
        facts,
        settings.detector,
        interval_s=settings.interval_s,
        limits=settings.limits,
        progress=progress,
    )
    frame_rate = facts.frame_rate or USUAL_FRAME_RATE
    whole, interpolated = without_holes(tracked, frame_rate=frame_rate)
    result = cut(
        source.path,
        whole,
        folder,
        interval_s=settings.interval_s,
        quality=QualityFilter(
            whole,
            settings.quality,
            width=facts.width,
            height=facts.height,
            is_annotated=plan.annotated is not None,
        ),
        mask=None if settings.masking is None else mask_of(settings.masking),
        frame_rate=frame_rate,
        embedder=settings.embedder,
        platform=source.platform,
        duration_s=facts.duration_s,
        limits=settings.limits,
        progress=progress,
    )
    too_short = _too_short(result, settings)
    if plan.annotated is not None and not result.tracklets:
        if too_short is not None:
            raise SourceError(f"{source.path}: {too_short}")
        raise SourceError(
            f"{source.annotations}: nobody is annotated, and to be seen, in {settings.quality.min_crops} of the "
            f"{result.frames_read} sampled frames (one every {settings.interval_s:g} s; boxes dropped in them: "
            f"{dict(result.dropped_crops) or 'none'}); annotate those frames, or sample more often"
        )
    tracklets = []
    for number, tracklet in enumerate(result.tracklets, start=1):
        tracklet_id = f"{source.name}-{number:04d}"
        for crop in tracklet.crops:
            flush(tracklet.folder / crop.file_name)
        flush(tracklet.folder)
        tracklet.folder.rename(folder / tracklet_id)
        person = tracklet.track if tracked.identified else None
        tracklets.append(
            FinishedTracklet(tracklet_id, person, tuple(tracklet.crops), tuple(tracklet.embedding) or None)
        )
    flush(folder)
    found_by = Counter(tracked.found_by[one.track] for one in result.tracklets if one.track in tracked.found_by)
    return FinishedSource(
        fingerprint=plan.fingerprint,
        report=SourceReport(
            name=source.name,
            frames_read=result.frames_read,
            boxes=sum(map(len, tracked.frames.values())),
            boxes_interpolated=interpolated,
            identities=tracked.scope,
            identities_because=tracked.identities_because,
            read_as=tracked.read_as,
            boxes_dropped=dict(tracked.dropped),
            tracklets=len(tracklets),
            tracklets_found_by=dict(found_by),
            tracklets_dropped=dict(result.dropped_tracklets),
            tracks_dropped=dict(result.dropped_tracks),
            crops=sum(len(tracklet.crops) for tracklet in tracklets),
            crops_dropped=dict(result.dropped_crops),
            faces_detected=result.faces_detected,
            faces_followed=result.faces_followed,
            faces_by_fallback=result.faces_by_fallback,
            faces_expected=result.faces_expected,
            faces_missed=result.faces_missed,
            damage=_damage(result.end, facts),
            notes=_notes(facts, tracked, result, too_short),
        ),
        tracklets=tuple(tracklets),
    )


def _notes(facts: VideoFacts, tracked: TrackedBoxes, result: Cut, too_short: str | None) -> list[str]:
    """What somebody should know of a source, in words."""
    film = None if facts.stream_taken is None else f"the film is {facts.stream_taken}"
    of_video = [note for note in (film, result.end.holes_in_words(), too_short) if note is not None]
    return [*of_video, *tracked.notes, *(f"warning: {warning}" for warning in tracked.warnings)]


def _damage(end: FilmEnd, facts: VideoFacts) -> str:
    """What is damaged or missing, and how much was used; nothing to say of a whole film."""
    if end.damage is None:
        return ""
    promised = "" if facts.duration_s is None or facts.duration_s < end.end_s else f" of {facts.duration_s:.1f} s"
    return f"warning: {end.damage}; {end.num_frames} pictures up to {end.end_s:.1f} s{promised} were used"


def _too_short(result: Cut, settings: CuttingSettings) -> str | None:
    """Say that no tracklet can come of a video of so few sampled frames, and what helps."""
    end, needed = result.end, settings.quality.min_crops
    if result.frames_read >= needed:
        return None
    if end.num_frames < needed:
        return f"holds {end.num_frames} frames; a tracklet has at least {needed} crops (QualityConfig.min_crops)"
    return (
        f"lasts {end.end_s:.2f} s, too short for {'two' if needed == 2 else needed} crops, one every "
        f"{settings.interval_s:g} s; sample more often: --interval-s {end.end_s / (2 * needed):.1g}"
    )
