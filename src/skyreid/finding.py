"""`skyreid find`: one's own videos to a page on which everybody stands, in one step that goes on where it stopped."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from skyreid.arguments import path_of
from skyreid.browsing import PAGE, browse
from skyreid.building.build import build
from skyreid.building.build_report import BuildReport
from skyreid.building.crops.cropping import TrackletEmbedder
from skyreid.building.crops.face_mask import FaceMask, MaskingConfig
from skyreid.building.finder import MOTION
from skyreid.building.sources import Source, parse_source
from skyreid.building.video.decode import DecodeLimits, why_no_file
from skyreid.case_record import (
    COLOURS,
    CaseRecord,
    CaseVideo,
    better_than,
    binding_case,
    demand_of,
    footage_of,
    with_cameras,
    write_case,
)
from skyreid.datasets.data_hash import pictures_sha256
from skyreid.datasets.manifest import MANIFEST_FILE, read_built_folder
from skyreid.errors import NothingFoundError, SettingError, VideoError
from skyreid.extraction.colour_stripes import embed_colours
from skyreid.extraction.query_picture import read_query_picture
from skyreid.files.strict_json import Json
from skyreid.pages.page import check_page_place
from skyreid.pages.search_page import write_search_page
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.embedding_table import TABLE_FILE, EmbeddingTable, load_table, save_table
from skyreid.retrieval.table_search import search_table
from skyreid.tracklet import Platform
from skyreid.weights.published_files import PUBLISHED

ASKED_PAGE = "asked.html"


@dataclass(frozen=True, kw_only=True)
class FindReport:
    """What was found, and what was not looked at."""

    page: Path
    build: BuildReport
    detector: str | None
    """None = people were found by their motion."""
    model: str
    left_out: tuple[str, ...]
    """Videos that could not be used, or only in part, and why: a sentence each. The page begins with them."""
    remarks: tuple[str, ...]
    """How people were found and compared, and who was not: a sentence each."""
    by_video: tuple[str, ...]
    """What was left out of each video and how it was searched: a line each."""
    asked_page: Path | None = None
    """Who resembles the person of the picture that was given; None = none was."""

    @property
    def sightings(self) -> int:
        """Tracklets of all videos."""
        return sum(source.tracklets for source in self.build.sources)

    def lines(self) -> list[str]:
        """Say it to a reader, but for `left_out`; the page comes last."""
        asked = [] if self.asked_page is None else [f"Who resembles the person asked for: {self.asked_page}"]
        count = f"{_counted(self.sightings, 'sighting')}, everybody with who resembles them: {self.page}"
        return [*self.by_video, *self.remarks, *asked, count]

    def to_json(self) -> dict[str, Json]:
        """Say it to a program."""
        return {
            "page": str(self.page),
            "asked_page": None if self.asked_page is None else str(self.asked_page),
            "sightings": self.sightings,
            "detector": self.detector,
            "model": self.model,
            "left_out": list(self.left_out),
            "remarks": list(self.remarks),
            "by_video": list(self.by_video),
            "build": self.build.to_json(),
        }


def find(
    out_dir: str | PathLike[str],
    *,
    ground: Sequence[str | PathLike[str]] = (),
    aerial: Sequence[str | PathLike[str]] = (),
    query_image: str | PathLike[str] | None = None,
    detector: str | None = None,
    model: str | None = None,
    interval_s: float | None = None,
    mask_faces: bool = True,
    replace: bool = False,
    ray: str | None = None,
    progress: Progress = silent,
) -> FindReport:
    """Find everybody in videos from the ground and from the air, and write the page on which they can be looked up.

    People are found, followed and cut out (`build`), embedded before their faces are covered, compared with everybody
    on the other platform, and shown (`browse`). Run again, it goes on where it stopped, with the detector and the model
    that the case was begun with; videos can be added. A video that cannot be used is left out and named, one that is
    damaged or cut is used as far as it decodes; run again after it was mended, it is looked at anew.

    Args:
        out_dir: folder of the case: new, or of an earlier run.
        ground: videos of cameras on the ground; each is a camera named as its file. A text may say more of a video, as
            in `build`: "gate.mp4,start_time=2026-05-04T09:00:00+02:00", camera=, telemetry= and the others.
        aerial: videos of drones.
        query_image: a picture of somebody, cropped to them; who resembles them stands on a page of its own, asked.html.
        detector: who finds the people, as `build` takes it, "motion" among them; None = as the case was begun, else the
            best published one in the cache (`skyreid weights`), else their motion.
        model: what tells people apart: a checkpoint folder, an image network or the name of a published one, as `build`
            takes it, or "colours"; None = as the case was begun, else the best published one in the cache, else
            colours.
        interval_s: from one look at the video to the next; None = as the case was begun, else 0.5.
        mask_faces: cover faces before anything is written.
        replace: begin anew where an earlier run was made with other settings.
        ray: HOST:PORT of a Ray cluster whose workers look at the videos, as of `build`.
        progress: hears of every step.

    Raises:
        SettingError: no video is named, or one is named twice, a picture is to be compared by colours, or something
            else is chosen than the case was begun with.
        MissingFrameError: the picture is none.
        SourceError: the videos do not go together, or the folder is of other videos.
        VideoError: a video is not there, or none can be used.
        ClusterError: the cluster cannot be used.
        WeightsError: published weights that were named cannot be had.
        CheckpointError: the model cannot be read.
        NothingFoundError: nobody was found in any video.
    """
    out_dir = path_of(out_dir, "the folder of a case")
    sources = _sources(ground, aerial)
    check_page_place(out_dir / PAGE)
    before = binding_case(out_dir)
    case = demand_of(out_dir, before, detector, model, interval_s, mask_faces=mask_faces, replace=replace)
    if query_image is not None and case.model == COLOURS:
        raise SettingError("a picture is compared by a model that knows people: --model person-reid-0277")
    if query_image is not None:  # hours later it would be too late to hear of a wrong name
        read_query_picture(path_of(query_image, "a picture"))
        check_page_place(out_dir / ASKED_PAGE)
    for source in sources:
        if not source.path.exists():  # a slip of whoever named it; a file that is there may be left out
            raise VideoError(f"{source.path}: {why_no_file(source.path)}")
    sources = with_cameras(sources, out_dir, () if before is None else before.videos)
    case = dataclasses.replace(case, videos=tuple(map(_of_case, sources)))
    masking = MaskingConfig() if mask_faces else None
    report = build(
        sources,
        out_dir,
        interval_s=case.interval_s,
        detector=case.detector,
        masking=masking,
        embedder=None if case.model == COLOURS else _embedder(case.model, progress),
        replace=replace,
        limits=DecodeLimits(take_damaged=True),
        leave_out=True,
        on_begin=lambda: write_case(out_dir, case),
        ray=ray,
        progress=progress,
    )
    files = _names_of_files(sources)
    left_out = _left_out(report, files)
    if not any(source.tracklets for source in report.sources):
        raise NothingFoundError(
            f"nobody was found in {_counted(len(report.sources), 'video')}"
            + (
                "; a detector finds more: the same with --detector yolox-s --replace" if case.detector == MOTION else ""
            ),
            notes=left_out,
        )
    if case.model == COLOURS:
        save_table(out_dir / TABLE_FILE, colour_table(out_dir))
    better = () if before is None or replace else better_than(before)
    case = dataclasses.replace(
        case,
        left_out=left_out,
        remarks=(*_remarks(report, files, case), *better),
        by_video=_by_video(report, files),
    )
    write_case(out_dir, case)
    page = browse(out_dir, progress=progress).page
    (out_dir / ASKED_PAGE).unlink(missing_ok=True)  # of whoever was asked for before
    asked = None if query_image is None else _ask(path_of(query_image, "a picture"), out_dir, case.model, masking)
    return FindReport(
        asked_page=asked,
        page=page,
        build=report,
        detector=None if case.detector == MOTION else case.detector,
        model=case.model,
        left_out=left_out,
        remarks=case.remarks,
        by_video=case.by_video,
    )


def _sources(ground: Sequence[str | PathLike[str]], aerial: Sequence[str | PathLike[str]]) -> list[Source]:
    """All videos, whose cameras may have no name yet."""
    given = [(one, Platform.GROUND) for one in ground] + [(one, Platform.AERIAL) for one in aerial]
    if not given:
        raise SettingError("name at least one video (--ground FILE, --aerial FILE)")
    sources = [
        parse_source(one, platform=platform)
        if isinstance(one, str) and one
        else Source(path=path_of(one, "a video"), platform=platform, camera="")
        for one, platform in given
    ]
    paths = Counter(source.path.resolve() for source in sources)
    if twice := [path for path, count in paths.items() if count > 1]:
        raise SettingError(f"{twice[0]}: is named twice")
    return sources


def _of_case(source: Source) -> CaseVideo:
    return CaseVideo(path=source.path.resolve(), platform=source.platform, camera=source.camera)


def _embedder(model: str, progress: Progress) -> TrackletEmbedder:
    # Imported here: colours need no PyTorch.
    from skyreid.extraction.loading import CuttingEmbedder

    return CuttingEmbedder(model, progress=progress)


def _ask(picture: Path, out_dir: Path, model: str, masking: MaskingConfig | None) -> Path:
    """Write the page of those who resemble the person of a picture."""
    from skyreid.extraction.asking import Asker

    path = out_dir / TABLE_FILE
    table = load_table(path)
    asker = Asker(model, table, mask=None if masking is None else FaceMask(masking))
    asked = asker.picture(picture)
    asked = dataclasses.replace(asked, notes=(*asked.notes, _compared(model)))
    footage = footage_of(out_dir, read_built_folder(out_dir))
    found = search_table(table, (), table_path=path, asked=[asked], top_k=20, videos=footage)
    write_search_page(out_dir / ASKED_PAGE, found)
    return out_dir / ASKED_PAGE


def colour_table(folder: Path) -> EmbeddingTable:
    """Embed the people of a build by the colours of their clothes."""
    manifest = read_built_folder(folder)
    return dataclasses.replace(
        embed_colours(manifest.tracklets),
        manifest=str(folder / MANIFEST_FILE),
        pictures=np.array([pictures_sha256(tracklet) for tracklet in manifest.tracklets], dtype="S64"),
    )


def _names_of_files(sources: Sequence[Source]) -> dict[str, str]:
    """By the name of the source, what a person calls the video: its file, with its folder where two are called so."""
    names = Counter(source.path.name for source in sources)
    return {
        source.name: source.path.name
        if names[source.path.name] == 1
        else f"{source.path.resolve().parent.name}/{source.path.name}"
        for source in sources
    }


def _left_out(report: BuildReport, files: dict[str, str]) -> tuple[str, ...]:
    """The videos that could not be used, and those of which something is missing."""
    return (
        *(f"{files[one.name]} was left out: {_without_path(one.reason, files[one.name])}." for one in report.unusable),
        *(
            f"{files[one.name]} was used in part: {one.damage.removeprefix('warning: ')}."
            for one in report.sources
            if one.damage
        ),
    )


def _without_path(reason: str, file: str) -> str:
    """A reason that begins with the path of the video, which was named already, without it."""
    path, colon, rest = reason.partition(": ")
    if not colon or Path(path).name != Path(file).name:
        return reason
    return f"it {rest}" if rest.startswith(("is ", "has ", "holds ", "gave ")) else rest


def _compared(model: str) -> str:
    if model == COLOURS:
        return (
            "They were compared by the colours of their clothes, as the crops show them, for want of a model that "
            "knows people: skyreid weights get person-reid-0277."
        )
    return f"They were compared by {model}" + (f", for {PUBLISHED[model].good_for}." if model in PUBLISHED else ".")


def _remarks(report: BuildReport, files: dict[str, str], case: CaseRecord) -> tuple[str, ...]:
    """How people were found, what the comparison is good for, and where nobody was found."""
    found = (
        f"People were found by {case.detector}."
        if case.detector != MOTION
        else "People were found by their motion: who stands still, is far away or is hidden is not found. A detector "
        "finds more: skyreid weights get yolox-s."
    )
    empty = [f"{files[source.name]}: nobody was found in it." for source in report.sources if not source.tracklets]
    return found, _compared(case.model), f"One frame in {case.interval_s:g} s was looked at.", *empty


def _by_video(report: BuildReport, files: dict[str, str]) -> tuple[str, ...]:
    lines: list[str] = []
    for source in report.sources:
        file, told = files[source.name], ", ".join(source.left_out()) or "nothing"
        count, looked = _counted(source.tracklets, "sighting"), _counted(source.frames_read, "frame")
        lines.append(f"{file}: {count} in {looked}; left out: {told}.")
        lines += [f"{file}: {note}." for note in source.notes]
    return tuple(lines)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
