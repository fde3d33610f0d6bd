"""A case as a folder that `skyreid build` could have made, for all commands that take one."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from skyreid.building.build_folder import CROPS
from skyreid.building.build_report import ANNOTATED, PER_TRACKLET
from skyreid.building.linking.event_log import LINKS_FILE, event_to_line, read_log
from skyreid.building.linking.linked_manifest import apply_links
from skyreid.cases.case import Case
from skyreid.cases.deciding.decisions import exported_events
from skyreid.cases.sources import CaseSource, sources_in
from skyreid.cases.tracklets import CaseTracklet, read_models, read_table, read_tracklets, usual_model
from skyreid.datasets.data_hash import read_unchanged
from skyreid.datasets.manifest import MANIFEST_FILE, write_manifest
from skyreid.errors import CaseError, NothingFoundError
from skyreid.files.atomic_file import new_folder, write_atomically
from skyreid.processes.progress import Progress
from skyreid.retrieval.embedding_table import TABLE_FILE, save_table
from skyreid.tracklet import Tracklet


def write_build(case: Case, out: Path, progress: Progress) -> int:
    """Write everybody with crops, vectors and decisions; gives the number of tracklets.

    Raises:
        NothingFoundError: there are no tracklets.
        CaseError: the folder is there already.
    """
    seen = read_tracklets(case)
    if not seen:
        raise NothingFoundError(f"{case.folder}: has no tracklets to write")
    if out.exists():
        raise CaseError(f"{out}: is there already; an export is a new folder")
    with new_folder(out) as folder:
        tracklets = _write_crops(case, seen, folder / CROPS, progress)
        with case.database.reading() as connection:
            sources, (events, _) = sources_in(connection, with_trash=False), exported_events(connection)
        if events:
            write_atomically(folder / LINKS_FILE, map(event_to_line, events))
        linked, info = apply_links(read_log(folder), tracklets, _info(sources))
        write_manifest(folder / MANIFEST_FILE, linked, info)
        if (model := usual_model(read_models(case))) is not None:
            pids = {tracklet.tracklet_id: tracklet.pid for tracklet in linked}
            table = replace(read_table(case, model, pids=pids), manifest=str(folder / MANIFEST_FILE))
            save_table(folder / TABLE_FILE, table)
    return len(seen)


def _write_crops(case: Case, seen: Sequence[CaseTracklet], folder: Path, progress: Progress) -> list[Tracklet]:
    """Copy the crops to the names that a build gives them."""
    written: list[Tracklet] = []
    contents = case.files.of_each(read_unchanged, (frame for one in seen for frame in one.tracklet.frames))
    for done, one in enumerate(seen, start=1):
        target = folder / one.tracklet.tracklet_id
        target.mkdir(parents=True)
        frames = []
        for place, frame in enumerate(one.tracklet.frames):
            path = target / f"{place if frame.index is None else frame.index:06d}.jpg"
            path.write_bytes(next(contents))
            frames.append(replace(frame, path=str(path)))
        written.append(replace(one.tracklet, frames=tuple(frames)))
        progress("write crops", done, len(seen))
    return written


def _info(sources: Sequence[CaseSource]) -> dict[str, object]:
    """The `info` of a manifest: what all sources were built with, and each source with its clock put right."""
    shared = dict(sources[0].settings)
    for source in sources:
        shared = {key: value for key, value in shared.items() if source.settings.get(key) == value}
    cameras = {source.camid: source.camera for source in sources}
    return {
        **shared,
        "identities": ANNOTATED if shared.get("identities") == ANNOTATED else PER_TRACKLET,
        "cameras": [cameras.get(camid, "") for camid in range(max(cameras) + 1)],
        "simulated": sources[0].is_simulated,
        "sources": [
            {**source.facts, "start_time": None if source.begins is None else source.begins.isoformat()}
            for source in sources
        ],
    }
