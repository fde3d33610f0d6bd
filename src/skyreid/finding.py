"""`skyreid find`: one's own videos to a page on which everybody stands, in one step that goes on where it stopped."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from skyreid.arguments import path_of
from skyreid.building.build import build
from skyreid.building.build_report import BuildReport
from skyreid.building.crops.cropping import TrackletEmbedder
from skyreid.building.crops.face_mask import FaceMask, MaskingConfig
from skyreid.building.scenes import draw_scenes
from skyreid.building.sources import Source
from skyreid.datasets.data_hash import pictures_sha256
from skyreid.datasets.manifest import MANIFEST_FILE, read_built_folder
from skyreid.errors import NothingFoundError, SettingError
from skyreid.extraction.colour_stripes import embed_colours
from skyreid.extraction.query_picture import read_query_picture
from skyreid.files.strict_json import Json
from skyreid.pages.browse_page import write_browse_page
from skyreid.pages.search_page import write_search_page
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.embedding_table import TABLE_FILE, EmbeddingTable, load_table, save_table
from skyreid.retrieval.everybody import read_everybody
from skyreid.retrieval.table_search import search_table
from skyreid.tracklet import Platform
from skyreid.weights.published_files import PUBLISHED
from skyreid.weights.weights_cache import in_cache

PAGE, ASKED_PAGE = "browse.html", "asked.html"
COLOURS = "colours"
"""The model that needs no weights: six stripes of mean colour."""
PREFERRED_DETECTORS = ("yolox-s", "yolox-tiny", "yolox-nano")
PREFERRED_MODELS = ("person-reid-0277", "person-reid-0287", "person-reid-0286")
"""The first that lies in the cache is taken; nothing is fetched unless it is named."""


@dataclass(frozen=True, kw_only=True)
class FindReport:
    """What was found, and what was not looked at."""

    page: Path
    build: BuildReport
    detector: str | None
    """None = people were found by their motion."""
    model: str
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
        """Say it to a reader; the page comes last."""
        asked = [] if self.asked_page is None else [f"Who resembles the person asked for: {self.asked_page}"]
        count = f"{self.sightings} sightings, everybody with who resembles them: {self.page}"
        return [*self.by_video, *self.remarks, *asked, count]

    def to_json(self) -> dict[str, Json]:
        """Say it to a program."""
        return {
            "page": str(self.page),
            "asked_page": None if self.asked_page is None else str(self.asked_page),
            "sightings": self.sightings,
            "detector": self.detector,
            "model": self.model,
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
    interval_s: float = 0.5,
    mask_faces: bool = True,
    replace: bool = False,
    progress: Progress = silent,
) -> FindReport:
    """Find everybody in videos from the ground and from the air, and write the page on which they can be looked up.

    People are found, followed and cut out (`build`), embedded before their faces are covered, compared with everybody
    on the other platform, and shown (`browse`). Run again, it goes on where it stopped; videos can be added.

    Args:
        out_dir: folder of the case: new, or of an earlier run.
        ground: videos of cameras on the ground; each is a camera named as its file.
        aerial: videos of drones.
        query_image: a picture of somebody, cropped to them; who resembles them stands on a page of its own, asked.html.
        detector: who finds the people, as `build` takes it; None = the best published one in the cache
            (`skyreid weights`), else their motion.
        model: what tells people apart: a checkpoint folder, an image network or the name of a published one, as `build`
            takes it, or "colours"; None = the best published one in the cache, else colours.
        interval_s: from one look at the video to the next.
        mask_faces: cover faces before anything is written.
        replace: begin anew where an earlier run was made with other settings.
        progress: hears of every step.

    Raises:
        SettingError: no video is named, or one is named twice, or a picture is to be compared by colours.
        MissingFrameError: the picture is none.
        SourceError: the videos do not go together, or the folder is of other videos.
        VideoError: a video cannot be decoded.
        WeightsError: published weights that were named cannot be had.
        CheckpointError: the model cannot be read.
        NothingFoundError: nobody was found in any video.
    """
    out_dir = path_of(out_dir, "the folder of a case")
    sources = _sources(ground, aerial)
    detector = detector or _first_in_cache(PREFERRED_DETECTORS)
    model = model or _first_in_cache(PREFERRED_MODELS) or COLOURS
    if query_image is not None and model == COLOURS:
        raise SettingError("a picture is compared by a model that knows people: --model person-reid-0277")
    if query_image is not None:  # hours later it would be too late to hear of a wrong name
        read_query_picture(path_of(query_image, "a picture"))
    masking = MaskingConfig() if mask_faces else None
    report = build(
        sources,
        out_dir,
        interval_s=interval_s,
        detector=detector,
        masking=masking,
        embedder=None if model == COLOURS else _embedder(model, progress),
        replace=replace,
        progress=progress,
    )
    if not any(source.tracklets for source in report.sources):
        raise NothingFoundError(
            f"nobody was found in {len(sources)} videos"
            + ("; a detector finds people who stand still or are small: --detector yolox-s" if detector is None else "")
        )
    if model == COLOURS:
        save_table(out_dir / TABLE_FILE, _colour_table(out_dir))
    everybody = read_everybody(out_dir, videos={source.name: source.path for source in sources})
    scenes = draw_scenes(out_dir, everybody.manifest, everybody.videos, progress=progress)
    files = [source.path.name for source in sources]
    remarks = _remarks(report, files, detector=detector, model=model, interval_s=interval_s)
    by_video = _by_video(report, files)
    page = out_dir / PAGE
    write_browse_page(
        page,
        everybody,
        scenes,
        folder=out_dir,
        title=out_dir.resolve().name,
        remarks=remarks,
        by_video=by_video,
        progress=progress,
    )
    (out_dir / ASKED_PAGE).unlink(missing_ok=True)  # of whoever was asked for before
    asked = None if query_image is None else _ask(path_of(query_image, "a picture"), out_dir, model, masking)
    return FindReport(
        asked_page=asked, page=page, build=report, detector=detector, model=model, remarks=remarks, by_video=by_video
    )


def _sources(ground: Sequence[str | PathLike[str]], aerial: Sequence[str | PathLike[str]]) -> list[Source]:
    """A camera for each video, named as its file, and as its folder too where two files have one name."""
    paths = [(path_of(one, "a video"), Platform.GROUND) for one in ground]
    paths += [(path_of(one, "a video"), Platform.AERIAL) for one in aerial]
    if not paths:
        raise SettingError("name at least one video (--ground FILE, --aerial FILE)")
    if twice := [path for path, count in Counter(path.resolve() for path, _ in paths).items() if count > 1]:
        raise SettingError(f"{twice[0]}: is named twice")
    stems = Counter(path.stem for path, _ in paths)
    return [
        Source(
            path=path,
            platform=platform,
            camera=path.stem if stems[path.stem] == 1 else f"{path.resolve().parent.name}-{path.stem}",
        )
        for path, platform in paths
    ]


def _first_in_cache(names: Sequence[str]) -> str | None:
    return next((name for name in names if in_cache(name) is not None), None)


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
    found = search_table(table, (), table_path=path, asked=[asker.picture(picture)], top_k=20)
    write_search_page(out_dir / ASKED_PAGE, found)
    return out_dir / ASKED_PAGE


def _colour_table(folder: Path) -> EmbeddingTable:
    manifest = read_built_folder(folder)
    return dataclasses.replace(
        embed_colours(manifest.tracklets),
        manifest=str(folder / MANIFEST_FILE),
        pictures=np.array([pictures_sha256(tracklet) for tracklet in manifest.tracklets], dtype="S64"),
    )


def _remarks(
    report: BuildReport, files: Sequence[str], *, detector: str | None, model: str, interval_s: float
) -> tuple[str, ...]:
    """How people were found, what the comparison is good for, and where nobody was found."""
    found = (
        f"People were found by {detector}."
        if detector is not None
        else "People were found by their motion: who stands still, is far away or is hidden is not found. A detector "
        "finds more: skyreid weights get yolox-s."
    )
    if model == COLOURS:
        compared = (
            "They were compared by the colours of their clothes, as the crops show them, for want of a model that "
            "knows people: skyreid weights get person-reid-0277."
        )
    elif model in PUBLISHED:
        compared = f"They were compared by {model}, for {PUBLISHED[model].good_for}."
    else:
        compared = f"They were compared by {model}."
    empty = [
        f"{file}: nobody was found in it."
        for file, source in zip(files, report.sources, strict=True)
        if not source.tracklets
    ]
    return found, compared, f"One frame in {interval_s:g} s was looked at.", *empty


def _by_video(report: BuildReport, files: Sequence[str]) -> tuple[str, ...]:
    lines: list[str] = []
    for file, source in zip(files, report.sources, strict=True):
        told = ", ".join(source.left_out()) or "nothing"
        lines.append(f"{file}: {source.tracklets} sightings in {source.frames_read} frames; left out: {told}.")
        lines += [f"{file}: {note}." for note in source.notes]
    return tuple(lines)
