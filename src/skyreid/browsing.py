"""`skyreid browse`: everybody whom a build found, on one page."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from skyreid.arguments import path_of
from skyreid.building.scenes import draw_scenes
from skyreid.case_record import footage_of, read_case
from skyreid.datasets.manifest import read_built_folder
from skyreid.files.strict_json import Json
from skyreid.pages.browse_page import write_browse_page
from skyreid.pages.page import check_page_place
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.everybody import read_everybody
from skyreid.retrieval.sighting import source_of

PAGE = "browse.html"


@dataclass(frozen=True, kw_only=True)
class BrowseReport:
    """The page of everybody."""

    page: Path
    sightings: int
    missing: tuple[str, ...]
    """Videos of which the page shows no whole frames, and why: a sentence each."""

    def lines(self) -> list[str]:
        """Say it to a reader, but for what is missing."""
        return [f"{self.sightings:,} sighting{'s' * (self.sightings != 1)}: {self.page}"]

    def to_json(self) -> dict[str, Json]:
        """Say it to a program."""
        return {"tracklets": self.sightings, "page": str(self.page), "missing": list(self.missing)}


def browse(
    folder: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    table: str | PathLike[str] | None = None,
    videos: str | PathLike[str] | None = None,
    progress: Progress = silent,
) -> BrowseReport:
    """Show everybody whom a build found on one page; of a case of `find`, with what was said there.

    Args:
        folder: of the build.
        out: the .html file; None = browse.html in the folder.
        table: embeddings of its tracklets; None = embeddings.npz in the folder, if it is there.
        videos: folder with the footage; None = where `find` saw it, the folder of the build, and the one above it.
        progress: hears of every step.

    Raises:
        SettingError: `videos` is no folder, or the page cannot be written there.
        ManifestError: no build, or a damaged one.
        TableError: a table that is damaged, or not of these tracklets.
        SourceError: what the folder remembers of `find` is damaged.
        VideoError: a video can no longer be decoded.
    """
    folder = path_of(folder, "a build")
    page = folder / PAGE if out is None else path_of(out, "a page")
    check_page_place(page)
    place = None if videos is None else path_of(videos, "a folder of videos")
    manifest, case = read_built_folder(folder), read_case(folder)
    at_hand = footage_of(folder, manifest, place)
    everybody = read_everybody(folder, table=None if table is None else path_of(table, "a table"), videos=at_hand)
    scenes = draw_scenes(folder, everybody.manifest, everybody.videos, progress=progress)
    write_browse_page(
        page,
        everybody,
        scenes,
        folder=folder,
        title=folder.resolve().name,
        warnings=() if case is None else case.left_out,
        remarks=() if case is None else case.remarks,
        by_video=() if case is None else case.by_video,
        progress=progress,
    )
    where = "" if place is None else f" in {place}"
    without = {
        str(source["name"]): str(source["file"])
        for tracklet in manifest.tracklets
        if tracklet.tracklet_id not in scenes and (source := source_of(tracklet, manifest)) is not None
    }
    missing = [
        f"{file}: {'is another file than the one that was cut' if name in at_hand else f'was not found{where}'}; the "
        "whole frames around its people are not shown (--videos FOLDER says where it is)"
        for name, file in without.items()
    ]
    return BrowseReport(page=page, sightings=len(everybody.tracklets), missing=tuple(missing))
