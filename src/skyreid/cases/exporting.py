"""What comes out of a case: a folder as `skyreid build` makes it, a table, a list of decisions, all of it as JSON."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.arguments import path_of
from skyreid.building.build_folder import CROPS
from skyreid.building.build_report import ANNOTATED, PER_TRACKLET
from skyreid.building.linking.event_log import LINKS_FILE, event_to_line, read_log
from skyreid.building.linking.linked_manifest import apply_links
from skyreid.cases.audit import audit_head, read_audit, record
from skyreid.cases.case import Case
from skyreid.cases.decisions import exported_events, read_standing, standing_in
from skyreid.cases.schema import DECISIONS
from skyreid.cases.sources import CaseSource, sources_in
from skyreid.cases.tracklets import CaseTracklet, read_models, read_table, read_tracklets, tracklets_in
from skyreid.datasets.data_hash import read_unchanged
from skyreid.datasets.manifest import MANIFEST_FILE, write_manifest
from skyreid.errors import CaseError, NothingFoundError
from skyreid.files.atomic_file import new_folder, write_atomically
from skyreid.files.regular_file import file_sha256
from skyreid.files.strict_json import Json
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.embedding_table import TABLE_FILE, save_table
from skyreid.tracklet import Tracklet

Format = Literal["build", "table", "csv", "json"]
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""
NOTICE = "similarity of appearance only, not proof of identity"


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What was written."""

    out: Path
    format: Format
    count: int
    """Tracklets of a folder, a table or JSON, decisions of a list."""
    sha256: str
    """Of the file, or of the manifest in the folder."""
    held_back: int = 0
    """Confirmations that too few people made so far: they stay in the case."""

    def lines(self) -> list[str]:
        """Say it to a reader."""
        what = "decisions" if self.format == "csv" else "tracklets"
        said = [f"{self.count} {what}: {self.out} (sha256 {self.sha256}); {NOTICE}"]
        if self.held_back:
            said.append(f"{self.held_back} confirmations wait for another person and were held back")
        return said

    def to_json(self) -> dict[str, Json]:
        """Say it to a program."""
        told: dict[str, Json] = {"out": str(self.out), "format": self.format, "count": self.count}
        return told | {"sha256": self.sha256, "held_back": self.held_back}


def export_case(
    case: Case,
    out: str | PathLike[str],
    format: Format,
    *,
    by: str,
    model: int | None = None,
    progress: Progress = silent,
) -> ExportReport:
    """Write what a case holds, without what is in the trash; the log tells who did.

    Args:
        case: to be written.
        out: a new folder for `build`, else a file.
        format: `build`, a folder that every command takes; `table`, vectors as `skyreid embed` writes them; `csv`, one
            line a decision; `json`, sources, tracklets, identities, decisions and the log.
        by: who asks.
        model: number of the model, for `table`; None = the one with the most vectors.
        progress: hears of crops.

    Raises:
        NothingFoundError: there is nothing to write.
        CaseError: no such model, or the folder is there already.
    """
    out = path_of(out, "what is written")
    match format:
        case "build":
            count = _write_build(case, out, progress)
        case "table":
            count = _write_table(case, out, model)
        case "csv":
            count = _write_decisions(case, out)
        case "json":
            count = _write_json(case, out)
    sha256 = file_sha256(out / MANIFEST_FILE if format == "build" else out)
    with case.database.writing() as connection:
        held_back = 0 if format == "table" else exported_events(connection)[1]
        record(connection, by, "export", out.name, {"format": format, "count": count, "sha256": sha256})
    return ExportReport(out=out, format=format, count=count, sha256=sha256, held_back=held_back)


def _write_build(case: Case, out: Path, progress: Progress) -> int:
    seen = read_tracklets(case)
    if not seen:
        raise NothingFoundError(f"{case.folder}: has no tracklets to write")
    if out.exists():
        raise CaseError(f"{out}: is there already; an export is a new folder")
    with new_folder(out) as folder:
        tracklets = _write_crops(seen, folder / CROPS, progress)
        with case.database.reading() as connection:
            sources, (events, _) = sources_in(connection, with_trash=False), exported_events(connection)
        if events:
            write_atomically(folder / LINKS_FILE, map(event_to_line, events))
        linked, info = apply_links(read_log(folder), tracklets, _info(sources))
        write_manifest(folder / MANIFEST_FILE, linked, info)
        models = [model for model in read_models(case) if model.num_vectors]
        if models:
            pids = {tracklet.tracklet_id: tracklet.pid for tracklet in linked}
            table = replace(read_table(case, models[0], pids=pids), manifest=str(folder / MANIFEST_FILE))
            save_table(folder / TABLE_FILE, table)
    return len(seen)


def _write_crops(seen: Sequence[CaseTracklet], folder: Path, progress: Progress) -> list[Tracklet]:
    """Copy the crops to the names that a build gives them."""
    written: list[Tracklet] = []
    for done, one in enumerate(seen, start=1):
        target = folder / one.tracklet.tracklet_id
        target.mkdir(parents=True)
        frames = []
        for place, frame in enumerate(one.tracklet.frames):
            path = target / f"{place if frame.index is None else frame.index:06d}.jpg"
            path.write_bytes(read_unchanged(frame))
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


def _write_table(case: Case, out: Path, number: int | None) -> int:
    model = next((one for one in read_models(case) if one.num_vectors and number in (None, one.number)), None)
    if model is None:
        raise NothingFoundError(f"{case.folder}: has no vectors" + ("" if number is None else f" by model {number}"))
    table = read_table(case, model, pids=read_standing(case).identities.pids)
    save_table(out, table)
    return len(table)


def _write_decisions(case: Case, out: Path) -> int:
    columns = ("time", "annotator", "kind", "first", "second", "rank", "similarity", "seconds", "event_id", "undoes")
    with case.database.reading() as connection:
        rows = _decision_rows(connection)
    if not rows:
        raise NothingFoundError(f"{case.folder}: nobody has decided anything yet")
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([[_cell(row[column]) for column in columns] for row in rows])
    write_atomically(out, [text.getvalue().encode()])
    return len(rows)


def _cell(value: object) -> object:
    """A text that a spreadsheet would take for a formula begins with a quotation mark."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _write_json(case: Case, out: Path) -> int:
    with case.database.reading() as connection:
        pids = standing_in(connection).identities.pids
        seen = tracklets_in(case, connection)
        content: dict[str, object] = {
            "format": "skyreid case",
            "version": 1,
            "notice": NOTICE,
            "case": case.facts().to_json(),
            "sources": [source.to_json() for source in sources_in(connection, with_trash=False)],
            "tracklets": [_tracklet_json(one, pids[one.tracklet.tracklet_id]) for one in seen],
            "decisions": _decision_rows(connection),
            "audit": [vars(row) for row in read_audit(connection)],
            "audit_head": audit_head(connection),
        }
    write_atomically(out, [json.dumps(content, indent=1, allow_nan=False).encode(), b"\n"])
    return len(seen)


def _tracklet_json(one: CaseTracklet, pid: int) -> dict[str, object]:
    clock = one.sighting.clock
    return {
        "tracklet_id": one.tracklet.tracklet_id,
        "pid": pid,
        "source": one.source.name,
        "camera": one.source.camera,
        "platform": one.source.platform.value,
        "time": None if clock is None else clock.isoformat(),
        "frames": [
            {"index": f.index, "time_s": f.time_s, "box": f.box, "sha256": f.sha256} for f in one.tracklet.frames
        ],
        "attributes": dict(one.tracklet.attributes),
    }


def _decision_rows(connection: Connection) -> list[dict[str, object]]:
    told = {event.event_id for event in exported_events(connection)[0]}
    rows = connection.execute(sa.select(DECISIONS).order_by(DECISIONS.c.seq))
    return [row._asdict() for row in rows if row.event_id in told]
