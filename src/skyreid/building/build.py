"""Raw video to a manifest of tracklets: the whole station, one source after the other.

A build folder holds

    manifest.jsonl     written last: when it is there, everything that it lists is there
    dataset-card.md    what this data is, for people
    statistics.png     sequence lengths and crop widths
    masking.json       which regions were painted over
    embeddings.npz     with a model: people as it saw them before that
    links.jsonl, link/ who was said to be the same person, and the pictures to say it by: `building.linking`
    crops/ID/INDEX.jpg
    sources/NAME.json  one for each finished source: what it gave, and from what
    partial/           the source in work, and its name
    replaced/          records of sources in work that were cut otherwise before, until decisions were carried over
    build.lock         held by the build that runs

A source is finished in one moment, when its file in sources/ appears. Work from before that moment is
thrown away and done again; afterwards it is not touched as long as its video, its annotations and the
settings stay the same, and cut again only on purpose (`replace`). So a build may be killed at any time and started
again, and sources may be added. A crop that is not as it was cut is cut again, with its source. Why a source that was
at work begins at its start: docs/architecture.md.
"""

import dataclasses
import json
import logging
import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from skyreid.arguments import kind_of, path_of
from skyreid.building.build_folder import (
    CARD_FILE,
    CROPS,
    MASKING_FILE,
    PARTIAL,
    REPLACED,
    STATISTICS_FILE,
    FinishedSource,
    FinishedTracklet,
    begun_before,
    check_complete,
    check_replacing,
    fingerprint,
    finished_names,
    locked,
    note_begun,
    read_finished,
    replaced_tracklets,
    sweep,
    write_finished,
)
from skyreid.building.build_report import (
    BuildInfo,
    BuildReport,
    Declaration,
    UnusableSource,
    masking_report,
    write_table_of_unmasked,
)
from skyreid.building.crops.cropping import Cut, TrackletEmbedder, cut
from skyreid.building.crops.face_mask import FaceMask, MaskingConfig
from skyreid.building.crops.quality import QualityConfig, QualityFilter
from skyreid.building.dataset_card import dataset_card
from skyreid.building.detection.detector import Detector, load_detector
from skyreid.building.finder import MOTION, find_tracked, finder_of, read_annotated
from skyreid.building.linking.event_log import read_log
from skyreid.building.linking.link_report import OutdatedDecision, outdated_decisions
from skyreid.building.linking.link_state import fingerprints, replay
from skyreid.building.linking.linked_manifest import apply_links, carry_over
from skyreid.building.placement import SourcePlacement, place
from skyreid.building.source_report import SourceReport
from skyreid.building.sources import Source, check_together, sources_of
from skyreid.building.tracked_boxes import TrackedBoxes, without_holes
from skyreid.building.video.decode import DEFAULT_LIMITS, USUAL_FRAME_RATE, DecodeLimits, FilmEnd, VideoFacts, probe
from skyreid.datasets.benchmarks.manifest_benchmark import as_benchmark
from skyreid.datasets.data_hash import data_sha256
from skyreid.datasets.manifest import MANIFEST_FILE, Manifest, write_manifest
from skyreid.datasets.statistics import benchmark_statistics
from skyreid.errors import SettingError, SourceError, VideoError
from skyreid.files.atomic_file import flush, write_atomically
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.embedding_table import TABLE_FILE

logger = logging.getLogger(__name__)

_DEFAULT_MASKING = MaskingConfig()
_DEFAULT_QUALITY = QualityConfig()
_NOTHING_DECLARED = Declaration()


def build(
    sources: Source | str | PathLike[str] | Sequence[Source | str],
    out_dir: str | PathLike[str],
    *,
    interval_s: float = 0.5,
    detector: Detector | str | None = None,
    quality: QualityConfig = _DEFAULT_QUALITY,
    masking: MaskingConfig | None = _DEFAULT_MASKING,
    declaration: Declaration = _NOTHING_DECLARED,
    replace: bool = False,
    embedder: TrackletEmbedder | None = None,
    limits: DecodeLimits = DEFAULT_LIMITS,
    leave_out: bool = False,
    on_begin: Callable[[], None] | None = None,
    progress: Progress = silent,
) -> BuildReport:
    """Cut the people of all sources into tracklets below `out_dir` and write the manifest.

    When the numbers in the annotations of all sources are people, a pid is that number: 7 of one file is 7 of
    another. Most files only number the tracks of one video; `Source.identities` says otherwise, and the report
    tells which was taken and why. Where they are not people, every tracklet gets a pid of its own, and the
    manifest's `info["identities"]` says `per-tracklet`: it can be searched, but not scored, until `skyreid link`
    joins tracklets. A camid is the place of the camera's name in `info["cameras"]`. The same input gives the same
    manifest hash.

    Args:
        sources: every video once, each as a `Source` or as a text such as
            "drone.mp4,platform=aerial,camera=drone,annotations=gt.txt"; or the path of a JSON file of sources.
        out_dir: a new or empty folder, or that of an earlier build, whose finished sources are kept.
        interval_s: presentation time from one crop of a person to the next.
        detector: finds the people of sources without annotations: of `load_detector`, or its text, such as
            "yolox.onnx,kind=yolox", or "yolox-s", which is fetched (`skyreid weights`); None or "motion" = their motion
            tells.
        quality: which boxes are dropped.
        masking: how faces are covered before anything is written; None = they stay.
        declaration: terms and consent, as they go into the manifest and onto the card.
        replace: throw away crops that were cut from another video, other annotations or with other settings, and cut
            them again; without it they are a reason to refuse.
        embedder: embeds people while they are cut, before their faces are covered, into `embeddings.npz`; None = nobody
            does.
        limits: for each decoding process.
        leave_out: pass over a source that cannot be used, and say so in the report; without it, it ends the build.
        on_begin: called once, when the folder is this build's and what it holds fits, before anything is cut.
        progress: hears of seconds of video.

    Raises:
        SourceError: the sources do not go together, or people cannot be found with what was given.
        SettingError: faces cannot be masked in this way, or an argument of another kind.
        WeightsError: published weights that were named cannot be had.
        TelemetryError: telemetry that a source names cannot be read.
        VideoError: a video cannot be decoded. All videos and annotations are looked at before the first is
            cut; sources that were finished stay so.

    Source: paper sections 3.1 and 3.2.
    """
    if not (isinstance(interval_s, int | float) and math.isfinite(interval_s) and interval_s > 0):
        raise SettingError(f"interval_s must be a positive number of seconds; got {interval_s!r}")
    if not isinstance(detector, Detector | str | None):
        raise SettingError(f"a detector is a text such as 'yolox.onnx,kind=yolox', or None; got {kind_of(detector)}")
    sources, out_dir = sources_of(sources), path_of(out_dir, "the folder of a build")
    if isinstance(detector, str):
        detector = None if detector == MOTION else load_detector(detector, progress=progress)
    check_together(sources)
    settings = _Settings(
        interval_s=interval_s,
        detector=detector,
        quality=quality,
        masking=masking,
        embedder=embedder,
        limits=limits,
        progress=progress,
    )
    with locked(out_dir):
        check_complete(sources, out_dir)
        mask = None if masking is None else FaceMask(masking)
        begun_anew = begun_before(out_dir)  # first of all: it is forgotten with the first source that is left out
        unusable: list[UnusableSource] | None = [] if leave_out else None
        plans: list[_Plan] = []
        for source in sources:
            with _left_out(source, unusable, out_dir):
                plans.append(_plan(source, settings))
        if not replace:
            check_replacing(out_dir, {plan.source.name: plan.fingerprint for plan in plans})
        kept = {plan.source.name: read_finished(out_dir, plan.source.name, plan.fingerprint) for plan in plans}
        if begun_anew is not None:
            logger.warning("%s begins anew: an earlier run ended while it was being cut", begun_anew)
        if on_begin is not None and plans:
            on_begin()
        cut_again = sweep(out_dir, kept)
        usable: list[tuple[SourcePlacement, FinishedSource]] = []
        for plan in plans:
            with _left_out(plan.source, unusable, out_dir):
                done = kept[plan.source.name] or _finish(plan, out_dir, settings, mask)
                usable.append((plan.placement, _with_placement(done, plan.placement)))
        if not usable:
            raise _none_usable(unusable or [])
        info = BuildInfo(
            sources=[placement.source for placement, _ in usable],
            finished=[finished for _, finished in usable],
            interval_s=interval_s,
            masking=masking,
            quality=quality,
            declaration=declaration,
            face_detector_card="none" if mask is None else mask.detector_card,
            embedder=embedder,
        )
        manifest, outdated = _commit(info, [placement for placement, _ in usable], out_dir, progress)
    return BuildReport(
        manifest_path=out_dir / MANIFEST_FILE,
        manifest_sha256=manifest.sha256,
        data_sha256=data_sha256(manifest.tracklets),
        card_path=out_dir / CARD_FILE,
        identities=str(manifest.info["identities"]),
        sources=tuple(source.report for source in info.finished),
        cut_again=tuple(cut_again),
        begun_anew=begun_anew,
        outdated=tuple(outdated),
        unusable=tuple(unusable or ()),
    )


@contextmanager
def _left_out(source: Source, unusable: list[UnusableSource] | None, out_dir: Path) -> Iterator[None]:
    """Note a source that cannot be used instead of ending there; with None, and one that was finished, end there."""
    try:
        yield
    except (VideoError, SourceError) as error:
        shutil.rmtree(out_dir / PARTIAL, ignore_errors=True)
        if unusable is None:
            raise
        if source.name in finished_names(out_dir):
            raise type(error)(
                f"{error}; it could be used when {out_dir} was begun, and what was cut then is kept: bring the file "
                "back, or begin anew in another folder"
            ) from error
        unusable.append(UnusableSource(source.name, str(error)))


def _none_usable(unusable: Sequence[UnusableSource]) -> VideoError:
    reasons = [one.reason for one in unusable]
    if len(reasons) == 1:
        return VideoError(reasons[0])
    return VideoError(f"none of the {len(reasons)} videos can be used", notes=reasons)


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """What is the same for all sources."""

    interval_s: float
    detector: Detector | None
    quality: QualityConfig
    masking: MaskingConfig | None
    embedder: TrackletEmbedder | None
    limits: DecodeLimits
    progress: Progress


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """A source, looked at."""

    source: Source
    facts: VideoFacts
    annotated: TrackedBoxes | None
    placement: SourcePlacement
    fingerprint: dict[str, str]


def _plan(source: Source, settings: _Settings) -> _Plan:
    facts = probe(source.path, limits=settings.limits)
    annotated = read_annotated(source, facts)
    return _Plan(
        source=source,
        facts=facts,
        annotated=annotated,
        placement=place(source, facts),
        fingerprint=fingerprint(
            source,
            finder=finder_of(source, settings.detector, annotated),
            interval_s=settings.interval_s,
            masking=settings.masking,
            quality=settings.quality,
            embedder="none" if settings.embedder is None else _fingerprint_of(settings.embedder),
        ),
    )


def _fingerprint_of(embedder: TrackletEmbedder) -> str:
    return f"{embedder.model} {embedder.feeding.to_text()}"


def _finish(plan: _Plan, out_dir: Path, settings: _Settings, mask: FaceMask | None) -> FinishedSource:
    source, facts = plan.source, plan.facts
    note_begun(out_dir, source.name)
    tracked = plan.annotated or find_tracked(
        source,
        facts,
        settings.detector,
        interval_s=settings.interval_s,
        limits=settings.limits,
        progress=settings.progress,
    )
    frame_rate = facts.frame_rate or USUAL_FRAME_RATE
    whole, interpolated = without_holes(tracked, frame_rate=frame_rate)
    result = cut(
        source.path,
        whole,
        out_dir / PARTIAL,
        interval_s=settings.interval_s,
        quality=QualityFilter(
            whole,
            settings.quality,
            width=facts.width,
            height=facts.height,
            is_annotated=plan.annotated is not None,
        ),
        mask=mask,
        frame_rate=frame_rate,
        embedder=settings.embedder,
        platform=source.platform,
        duration_s=facts.duration_s,
        limits=settings.limits,
        progress=settings.progress,
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
        tracklet.folder.rename(out_dir / CROPS / tracklet_id)
        person = tracklet.track if tracked.identified else None
        tracklets.append(
            FinishedTracklet(tracklet_id, person, tuple(tracklet.crops), tuple(tracklet.embedding) or None)
        )
    flush(out_dir / CROPS)
    found_by = Counter(tracked.found_by[one.track] for one in result.tracklets if one.track in tracked.found_by)
    finished = FinishedSource(
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
    write_finished(out_dir, finished)
    shutil.rmtree(out_dir / PARTIAL, ignore_errors=True)
    return finished


def _with_placement(finished: FinishedSource, placement: SourcePlacement) -> FinishedSource:
    """Add to a source's report what is known of its camera; crops do not depend on it, nor does their record."""
    notes = [*finished.report.notes, *placement.notes]
    report = dataclasses.replace(finished.report, notes=notes, telemetry=placement.read_as)
    return dataclasses.replace(finished, report=report)


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


def _too_short(result: Cut, settings: _Settings) -> str | None:
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


def _commit(
    info: BuildInfo, placements: Sequence[SourcePlacement], out_dir: Path, progress: Progress
) -> tuple[Manifest, list[OutdatedDecision]]:
    """Write what the finished sources are together, the manifest last; tells the decisions that count no more."""
    placement_of = {
        tracklet.tracklet_id: placement
        for finished, placement in zip(info.finished, placements, strict=True)
        for tracklet in finished.tracklets
    }
    built = [
        dataclasses.replace(tracklet, attributes=placement_of[tracklet.tracklet_id].attributes(tracklet.frames))
        for tracklet in info.tracklets(out_dir)
    ]
    for source, finished in zip(info.sources, info.finished, strict=True):
        names = {tracklet.tracklet_id for tracklet in finished.tracklets}
        before = replaced_tracklets(out_dir, source, video_sha256=finished.fingerprint["video_sha256"])
        carry_over(out_dir, before, [tracklet for tracklet in built if tracklet.tracklet_id in names])
    log = read_log(out_dir)
    tracklets, manifest_info = apply_links(log, built, info.to_json())
    identities = str(manifest_info["identities"])
    statistics = benchmark_statistics(as_benchmark(tracklets), progress)
    write_atomically(out_dir / MASKING_FILE, [json.dumps(masking_report(info)).encode() + b"\n"])
    from skyreid.datasets.statistics_picture import draw_statistics  # brings matplotlib

    draw_statistics(statistics, out_dir / STATISTICS_FILE)
    write_atomically(out_dir / CARD_FILE, [dataset_card(info, statistics, identities=identities).encode()])
    if info.embedder is not None:
        write_table_of_unmasked(
            out_dir / TABLE_FILE, info, tracklets, info.embedder, manifest_path=out_dir / MANIFEST_FILE
        )
    sha256 = write_manifest(out_dir / MANIFEST_FILE, tracklets, manifest_info)
    shutil.rmtree(out_dir / REPLACED, ignore_errors=True)
    outdated = outdated_decisions(replay(log.events, fingerprints(built)))
    return Manifest(tracklets=tuple(tracklets), sha256=sha256, info=manifest_info), outdated
