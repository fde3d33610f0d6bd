"""What leaves a case, each with the hashes of all that was written, and a row in the log.

A folder has `export.json` in it, a file has it beside it, and a package is a ZIP archive that holds both.
"""

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Literal, get_args

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.arguments import path_of
from skyreid.cases.audit import audit_head, read_audit, record, utc_now
from skyreid.cases.case import WORK, Case
from skyreid.cases.deciding.decisions import exported_events
from skyreid.cases.deciding.standing import read_standing, standing_in
from skyreid.cases.exports.exported_build import write_build
from skyreid.cases.exports.exported_layouts import write_boxes, write_layout
from skyreid.cases.exports.exported_report import write_report
from skyreid.cases.keeping.retention import PACKING
from skyreid.cases.schema import AUDIT, DECISIONS
from skyreid.cases.sources import CaseSource, read_sources, sources_in
from skyreid.cases.tracklets import CaseTracklet, read_models, read_table, tracklets_in
from skyreid.errors import CaseError, NothingFoundError
from skyreid.files.atomic_file import new_folder, scratch_folder, write_atomically
from skyreid.files.regular_file import file_sha256
from skyreid.files.strict_json import Json
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.embedding_table import save_table

Format = Literal["build", "table", "csv", "json", "mars", "g2a", "mot", "cvat", "label-studio", "pdf"]
FORMATS: tuple[Format, ...] = get_args(Format)
FOLDERS: tuple[Format, ...] = ("build", "mars", "g2a", "mot", "cvat", "label-studio")
"""Those that are a folder; the others are one file."""
SUFFIXES: dict[Format, str] = {"table": ".npz", "csv": ".csv", "json": ".json", "pdf": ".pdf"}
_ACTION = "export"
EXPORT_FILE = "export.json"
"""Says of a folder what it is, who wrote it, and the hash of every file in it."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""
NOTICE = "similarity of appearance only, not proof of identity"


_BOXES: tuple[Format, ...] = ("mot", "cvat", "label-studio")
_COUNTED: dict[Format, str] = {"csv": "decisions", "pdf": "identities", **dict.fromkeys(_BOXES, "files")}
"""What is counted, where it is not tracklets."""


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What was written."""

    out: Path
    format: Format
    count: int
    """Of what `_COUNTED` says, else of tracklets."""
    sha256: str
    """Of the file, or of `export.json` in the folder, which has those of all others."""
    held_back: int = 0
    """Confirmations that too few people made so far: they stay in the case."""

    def lines(self) -> list[str]:
        """Say it to a reader."""
        what = _COUNTED.get(self.format, "tracklets")
        said = [f"{self.count} {what}: {self.out} (sha256 {self.sha256}); {NOTICE}"]
        if self.held_back:
            said.append(f"{self.held_back} confirmations wait for another person and were held back")
        return said

    def to_json(self) -> dict[str, Json]:
        """Say it to a program."""
        told: dict[str, Json] = {"out": str(self.out), "format": self.format, "count": self.count}
        return told | {"sha256": self.sha256, "held_back": self.held_back}


@dataclass(frozen=True, kw_only=True)
class Package:
    """An export as one ZIP archive, open for reading; it lies nowhere any more when it is closed."""

    name: str
    """Safe as the name of a file: it holds nothing that somebody typed."""
    size: int
    file: BinaryIO


def export_case(
    case: Case,
    out: str | PathLike[str],
    format: Format,
    *,
    by: str,
    model: int | None = None,
    tracklet: str | None = None,
    with_log: bool = True,
    progress: Progress = silent,
) -> ExportReport:
    """Write what a case holds, without what is in the trash; the log tells who did.

    Args:
        case: to be written.
        out: a new folder for those of FOLDERS, else a file.
        format: `build`, a folder that every command takes; `table`, vectors as `skyreid embed` writes them; `csv`, one
            line a decision; `json`, sources, tracklets, identities, decisions and the log; `mars` and `g2a`, the people
            who were confirmed on both platforms, as benchmarks of the field; `mot`, `cvat` and `label-studio`, the
            boxes of every source with the numbers of the identities; `pdf`, a report to be read.
        by: who asks.
        model: number of the model, for `table`; None = the one with the most vectors.
        tracklet: id of the one that the `pdf` is about; None = all who were found more than once.
        with_log: write the log of the case into `json`.
        progress: hears of crops.

    Raises:
        NothingFoundError: there is nothing to write.
        CaseError: no such model or tracklet, or the folder is there already.
        RefusedError: a video is not where it was, of which `label-studio` wants the length.
        SourceError: a person is in two places of one frame, which formats of boxes cannot say.
    """
    out = path_of(out, "what is written")
    if out.exists() and format in FOLDERS:
        raise CaseError(f"{out}: is there already; an export is a new folder")
    hashes = _Hashes(case, format, by)
    match format:
        case "build":
            count = _in_new_folder(out, hashes, lambda folder: write_build(case, folder, progress))
        case "mars" | "g2a":
            count = _in_new_folder(out, hashes, lambda folder: write_layout(case, folder, format, progress))
        case "mot" | "cvat" | "label-studio":
            count = _in_new_folder(out, hashes, lambda folder: write_boxes(case, folder, format))
        case "table":
            count = _write_table(case, out, model)
        case "csv":
            count = _write_decisions(case, out)
        case "json":
            count = _write_json(case, out, with_log=with_log)
        case "pdf":
            count = write_report(case, out, tracklet)
    if format not in FOLDERS:
        hashes.write(out.with_name(f"{out.name}.{EXPORT_FILE}"), out.parent, [out])
    sha256 = file_sha256(out / EXPORT_FILE if format in FOLDERS else out)
    with case.database.writing() as connection:
        held_back = 0 if format == "table" else exported_events(connection)[1]
        record(connection, by, _ACTION, out.name, {"format": format, "count": count, "sha256": sha256})
    return ExportReport(out=out, format=format, count=count, sha256=sha256, held_back=held_back)


def package_case(case: Case, format: Format, *, by: str, tracklet: str | None = None, with_log: bool = True) -> Package:
    """Write an export and give it as one archive; see `export_case`.

    Raises:
        NothingFoundError: there is nothing to write.
        CaseError: no such tracklet.
    """
    name = f"skyreid-{format}"
    work = case.folder / WORK
    work.mkdir(exist_ok=True)
    # What a killed one leaves is swept by the next one, and by a purge.
    with scratch_folder(work / PACKING) as staging:
        folder = staging / name
        if format not in FOLDERS:
            folder.mkdir()
        out = folder if format in FOLDERS else folder / f"{name}{SUFFIXES[format]}"
        export_case(case, out, format, by=by, tracklet=tracklet, with_log=with_log)
        archive = staging / "package.zip"
        _write_archive(archive, folder)
        file = archive.open("rb")
        return Package(name=f"{name}.zip", size=archive.stat().st_size, file=file)


@dataclass(frozen=True)
class _Hashes:
    """What an export says of itself."""

    case: Case
    format: Format
    by: str

    def write(self, path: Path, root: Path, files: Sequence[Path]) -> None:
        """Write what it is, who wrote it, and the hash of every file, by its name as seen from a folder."""
        facts = self.case.facts()
        content: dict[str, Json] = {
            "format": "skyreid export",
            "version": 1,
            "what": self.format,
            "case": facts.name,
            "case_id": facts.case_id,
            "by": self.by,
            "time": utc_now(),
            "skyreid": version("skyreid"),
            "notice": NOTICE,
            "simulated": any(source.is_simulated for source in read_sources(self.case)),
            "files": {one.relative_to(root).as_posix(): file_sha256(one) for one in files},
        }
        write_atomically(path, [json.dumps(content, indent=1).encode() + b"\n"])


def past_exports(case: Case, *, limit: int = 50) -> list[Mapping[str, Json]]:
    """Tell what left the case, the last first, from its log."""
    with case.database.reading() as connection:
        query = sa.select(AUDIT).where(AUDIT.c.action == _ACTION).order_by(AUDIT.c.seq.desc()).limit(limit)
        return [{"time": row.time, "who": row.who, **json.loads(row.details)} for row in connection.execute(query)]


def _in_new_folder(out: Path, hashes: _Hashes, write: Callable[[Path], int]) -> int:
    """Have something written as a folder of its own, with its hashes, whole or not at all."""
    with new_folder(out) as folder:
        inner = folder / "inner"
        count = write(inner)
        for path in inner.iterdir():
            path.rename(folder / path.name)
        inner.rmdir()
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        hashes.write(folder / EXPORT_FILE, folder, files)
    return count


def _write_archive(path: Path, folder: Path) -> None:
    """Pack a folder; pictures are packed as they are, since they hardly get smaller."""
    with zipfile.ZipFile(path, "w") as archive:
        for one in sorted(folder.rglob("*")):
            if one.is_file():
                entry = zipfile.ZipInfo(f"{folder.name}/{one.relative_to(folder).as_posix()}")
                entry.external_attr, entry.file_size = 0o600 << 16, one.stat().st_size
                entry.compress_type = zipfile.ZIP_STORED if one.suffix == ".jpg" else zipfile.ZIP_DEFLATED
                with one.open("rb") as file, archive.open(entry, "w") as packed:
                    shutil.copyfileobj(file, packed)


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


def _write_json(case: Case, out: Path, *, with_log: bool) -> int:
    with case.database.reading() as connection:
        pids = standing_in(connection).identities.pids
        seen = tracklets_in(case, connection)
        content: dict[str, object] = {
            "format": "skyreid case",
            "version": 1,
            "notice": NOTICE,
            "case": case.facts().to_json(),
            "sources": [_source_json(source) for source in sources_in(connection, with_trash=False)],
            "tracklets": [_tracklet_json(one, pids[one.tracklet.tracklet_id]) for one in seen],
            "decisions": _decision_rows(connection),
        }
        if with_log:
            log = [vars(row) for row in read_audit(connection)]
            content |= {"audit": log, "audit_head": audit_head(connection)}
    write_atomically(out, [json.dumps(content, indent=1, allow_nan=False).encode(), b"\n"])
    return len(seen)


def _source_json(source: CaseSource) -> dict[str, Json]:
    """A source without where it lies on this machine: a name of a folder may be a name of a person."""
    return {name: value for name, value in source.to_json().items() if name not in ("path", "crops")}


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
