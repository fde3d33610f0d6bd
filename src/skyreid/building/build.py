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
    partial/           the sources in work, a folder for each attempt
    replaced/          records of sources in work that were cut otherwise before, until decisions were carried over
    build.lock         held by the build that runs

A source is finished in one moment, when its file in sources/ appears. Work from before that moment is
thrown away and done again; afterwards it is not touched as long as its video, its annotations and the
settings stay the same, and cut again only on purpose (`replace`). Sources are cut here, one after the other, or by the
workers of a cluster, and are brought in by the build itself, which holds the lock. So a build may be killed at any time
and started again, and sources may be added. A crop that is not as it was cut is cut again, with its source. Why a
source that was at work begins at its start: docs/architecture.md.
"""

import dataclasses
import json
import logging
import math
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from os import PathLike
from pathlib import Path

from skyreid.arguments import kind_of, path_of
from skyreid.building.build_folder import (
    CARD_FILE,
    MASKING_FILE,
    PARTIAL,
    REPLACED,
    STATISTICS_FILE,
    FinishedSource,
    begun_before,
    bring_in,
    check_complete,
    check_replacing,
    finished_names,
    locked,
    read_finished,
    replaced_tracklets,
    sweep,
)
from skyreid.building.build_report import (
    BuildInfo,
    BuildReport,
    Declaration,
    UnusableSource,
    masking_report,
    write_table_of_unmasked,
)
from skyreid.building.crops.cropping import TrackletEmbedder
from skyreid.building.crops.face_mask import MaskingConfig
from skyreid.building.crops.quality import QualityConfig
from skyreid.building.dataset_card import dataset_card
from skyreid.building.detection.detector import Detector, load_detector
from skyreid.building.finder import MOTION
from skyreid.building.linking.event_log import read_log
from skyreid.building.linking.link_report import OutdatedDecision, outdated_decisions
from skyreid.building.linking.link_state import fingerprints, replay
from skyreid.building.linking.linked_manifest import apply_links, carry_over
from skyreid.building.placement import SourcePlacement
from skyreid.building.source_cutting import (
    CuttingSettings,
    SourcePlan,
    SourceToCut,
    SourceToLookAt,
    cut_source,
    look_at,
    mask_of,
    networks_of,
)
from skyreid.building.sources import Source, check_together, sources_of
from skyreid.building.video.decode import DEFAULT_LIMITS, DecodeLimits
from skyreid.datasets.benchmarks.manifest_benchmark import as_benchmark
from skyreid.datasets.data_hash import data_sha256
from skyreid.datasets.manifest import MANIFEST_FILE, Manifest, write_manifest
from skyreid.datasets.statistics import benchmark_statistics
from skyreid.errors import LostError, SettingError, SkyreidError, SourceError, VideoError
from skyreid.files.atomic_file import write_atomically
from skyreid.processes.progress import Progress, silent
from skyreid.processes.workers import Job, Needs, Result, Workers, workers_at
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
    ray: str | None = None,
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
        ray: HOST:PORT of a Ray cluster whose workers cut, a source each; None = this process does. One that cannot be
            used, or killed its workers three times, keeps no other from being finished first.
        progress: hears of seconds of video, or of how many videos are done on a cluster.

    Raises:
        ClusterError: the cluster cannot be used.
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
    settings = CuttingSettings(
        interval_s=interval_s,
        detector=detector,
        quality=quality,
        masking=masking,
        embedder=embedder,
        limits=limits,
        networks=networks_of(detector, embedder),
    )
    with locked(out_dir), workers_at(ray) as workers:
        check_complete(sources, out_dir)
        mask = None if masking is None else mask_of(masking)
        begun_anew = begun_before(out_dir)
        at_work = _AtWork(workers, out_dir, settings, leave_out=leave_out, progress=progress)
        plans = at_work.look_at(sources)
        if not replace:
            check_replacing(out_dir, {plan.source.name: plan.fingerprint for plan in plans})
        kept = {plan.source.name: read_finished(out_dir, plan.source.name, plan.fingerprint) for plan in plans}
        for name in begun_anew:
            logger.warning("%s begins anew: an earlier run ended while it was being cut", name)
        if on_begin is not None and plans:
            on_begin()
        cut_again = sweep(out_dir, kept)
        cut = at_work.cut([plan for plan in plans if kept[plan.source.name] is None])
        done = {plan.source.name: kept[plan.source.name] or cut.get(plan.source.name) for plan in plans}
        usable = [
            (plan.placement, _with_placement(finished, plan.placement))
            for plan in plans
            if (finished := done[plan.source.name]) is not None
        ]
        unusable = at_work.unusable
        if not usable:
            raise _none_usable(unusable)
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
        unusable=tuple(unusable),
    )


class _AtWork:
    """The sources of a build, given to the workers; those that cannot be used are left out or end the build.

    On a cluster they end it when all others are finished: hours of many machines are not thrown away for one video.
    """

    def __init__(
        self, workers: Workers, out_dir: Path, settings: CuttingSettings, *, leave_out: bool, progress: Progress
    ) -> None:
        self._workers, self._out_dir, self._settings, self._progress = workers, out_dir, settings, progress
        self._leave_out = leave_out
        self.unusable: list[UnusableSource] = []
        """In the order of the sources, what was left out while they were looked at first."""

    def look_at(self, sources: Sequence[Source]) -> list[SourcePlan]:
        """Look at all of them, before anything is cut."""
        settings = self._settings.without_networks()
        jobs = [SourceToLookAt(source=source, settings=settings, is_there=source.path.exists()) for source in sources]
        looked = self._workers.finish(look_at, jobs, task="look at videos", needs=Needs(), progress=self._progress)
        plans = dict(self._usable(looked, [source.name for source in sources]))
        return [plans[source.name] for source in sources if source.name in plans]

    def cut(self, plans: Sequence[SourcePlan]) -> dict[str, FinishedSource]:
        """Cut them, each brought in as soon as it is cut; by name."""
        jobs = [SourceToCut(plan=plan, settings=self._settings, out_dir=self._out_dir) for plan in plans]
        needs = Needs(has_model=self._settings.embedder is not None)
        cut = self._workers.finish(cut_source, jobs, task="cut videos", needs=needs, progress=self._progress)
        names = [plan.source.name for plan in plans]
        try:
            brought = {name: bring_in(self._out_dir, attempt) for name, attempt in self._usable(cut, names)}
        except SkyreidError:
            shutil.rmtree(self._out_dir / PARTIAL, ignore_errors=True)
            raise
        shutil.rmtree(self._out_dir / PARTIAL, ignore_errors=True)  # attempts whose workers were lost
        return brought

    def _usable(
        self, outcomes: Generator[tuple[Job, Result | SkyreidError]], names: Sequence[str]
    ) -> Iterator[tuple[str, Result]]:
        refused: dict[str, SkyreidError] = {}
        with closing(outcomes):
            for job, outcome in outcomes:
                if not isinstance(outcome, SkyreidError):
                    yield job.name, outcome
                    continue
                refused[job.name] = self._refusal(job.name, outcome)
                if not (self._leave_out or self._workers.are_elsewhere):
                    raise refused[job.name]
        for name in [name for name in names if name in refused]:
            self.unusable.append(UnusableSource(name, str(refused[name])))
        if refused and not self._leave_out:
            raise _together(list(refused.values()))

    def _refusal(self, name: str, error: SkyreidError) -> SkyreidError:
        """What is to be said of a source that cannot be used; ends the build where something else is wrong."""
        if isinstance(error, LostError):  # it killed its workers, as a damaged video may
            error = VideoError(str(error))
        if not isinstance(error, VideoError | SourceError):
            raise error
        if self._leave_out and name in finished_names(self._out_dir):
            raise type(error)(
                f"{error}; it could be used when {self._out_dir} was begun, and what was cut then is kept: bring the "
                "file back, or begin anew in another folder"
            ) from error
        return error


def _together(refused: Sequence[SkyreidError]) -> SkyreidError:
    if len(refused) == 1:
        return refused[0]
    told = f"{len(refused)} videos cannot be used; what was cut of the others is kept"
    return VideoError(told, notes=[str(one) for one in refused])


def _none_usable(unusable: Sequence[UnusableSource]) -> VideoError:
    reasons = [one.reason for one in unusable]
    if len(reasons) == 1:
        return VideoError(reasons[0])
    return VideoError(f"none of the {len(reasons)} videos can be used", notes=reasons)


def _with_placement(finished: FinishedSource, placement: SourcePlacement) -> FinishedSource:
    """Add to a source's report what is known of its camera; crops do not depend on it, nor does their record."""
    notes = [*finished.report.notes, *placement.notes]
    report = dataclasses.replace(finished.report, notes=notes, telemetry=placement.read_as)
    return dataclasses.replace(finished, report=report)


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
