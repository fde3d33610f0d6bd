"""What `skyreid build`, `embed` and `link` made, brought into a case: crops as files, everything else as rows.

A source is brought in by one transaction; whoever is killed leaves the ones before it, and the next run goes on with
the others. Crops are copied first, under a KEY that no other source has and that this transaction names
(`case_files.py`): what the database does not name belongs to nobody (`sweep_crops`).
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import sqlalchemy as sa
from jaxtyping import Float
from sqlalchemy.engine import Connection

from skyreid.arguments import path_of
from skyreid.building.linking.event_log import check_annotator, read_log
from skyreid.building.linking.link_state import fingerprints
from skyreid.building.linking.linked_manifest import as_built
from skyreid.case_record import footage_of
from skyreid.cases.audit import record
from skyreid.cases.case import Case, next_revision
from skyreid.cases.case_files import NewCrops
from skyreid.cases.deciding.decisions import append_events
from skyreid.cases.schema import AUDIT, SOURCES, TRACKLETS
from skyreid.cases.sources import CaseSource, NewSource, Permission, check_purpose, insert_source, read_sources
from skyreid.cases.tracklets import (
    find_model,
    insert_tracklets,
    models_in,
    put_vectors,
    tracklet_numbers,
    tracklets_in,
    vectors_by_number,
)
from skyreid.datasets.manifest import Manifest, read_built_folder
from skyreid.errors import CaseError, RefusedError, TableError
from skyreid.files.strict_json import Json
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.embedding_table import TABLE_FILE, EmbeddingTable, load_table
from skyreid.retrieval.manifest_agreement import check_same_pictures
from skyreid.retrieval.sighting import source_of
from skyreid.tracklet import Platform, Tracklet

SOURCE_PURGED = "source purged"
"""What the log calls it."""
_NAME = re.compile(r"[\w.-]{1,200}")


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What came into a case."""

    sources: tuple[str, ...] = ()
    """Names of those that were new."""
    known: tuple[str, ...] = ()
    """Names of those that were there already."""
    tracklets: int = 0
    vectors: int = 0
    decisions: int = 0
    notes: tuple[str, ...] = ()
    """What did not come in, and why."""

    def lines(self) -> list[str]:
        """Say it to a reader."""
        people = f"{self.tracklets} tracklets, {self.vectors} vectors"
        told = f"{len(self.sources)} sources, {people}, {self.decisions} decisions"
        there = [f"{len(self.known)} sources were there already: {', '.join(self.known)}"] if self.known else []
        return [told, *there, *self.notes]

    def to_json(self) -> dict[str, Json]:
        """Say it to a program."""
        return {**asdict(self), **{name: list(getattr(self, name)) for name in ("sources", "known", "notes")}}


def import_build(
    case: Case, folder: str | PathLike[str], *, by: str, purpose: str, progress: Progress = silent
) -> ImportReport:
    """Bring in what `skyreid build` made: its sources with their crops and vectors, and the decisions beside them.

    Args:
        case: that takes it.
        folder: of the build; it is not changed, and not needed afterwards.
        by: who brings it.
        purpose: why the people in it are looked at.
        progress: hears of crops.

    Raises:
        ManifestError: no build, or a damaged one.
        MissingFrameError: a crop is missing.
        ChangedFrameError: a crop is another picture than the one that was cut.
        RefusedError: nobody says what for; faces are not covered; or drawn people would stand among real ones.
        CaseError: the case has another source of the same name.
    """
    folder = path_of(folder, "the folder of a build")
    check_annotator(by)
    check_purpose(purpose)
    manifest = read_built_folder(folder)
    built, info = as_built(manifest.tracklets, manifest.info)
    if info.get("faces_masked") is not True:
        raise RefusedError(f"{folder}: its faces are not covered; a case takes covered ones only (skyreid build)")
    table, notes = _table_of(folder, manifest.tracklets)
    added: list[str] = []
    known: list[str] = []
    pids: dict[int, int] = {}
    videos = footage_of(folder, manifest)
    num_vectors = 0
    parts = _by_source(manifest, built)
    for told, tracklets in parts:
        new = _new_source(told, info, purpose=purpose, path=videos.get(str(told["name"])))
        there = next((one for one in read_sources(case, with_trash=True) if one.name == new.name), None)
        if there is not None:
            ours = _check_same(case, there, new, tracklets)
            pids |= {one.pid: ours[one.tracklet_id] for one in tracklets}
            known.append(new.name)
            continue
        vectors = {} if table is None else _vectors_of(table, tracklets)
        add_source(case, new, tracklets, table=table, vectors=vectors, pids=pids, by=by, progress=progress)
        added.append(new.name)
        num_vectors += len(vectors)
    with case.database.writing() as connection:
        decisions = append_events(connection, read_log(folder).events)
        if decisions:
            record(connection, by, "decisions import", str(decisions))
    count = sum(len(tracklets) for told, tracklets in parts if told["name"] in added)
    return ImportReport(
        sources=tuple(added),
        known=tuple(known),
        tracklets=count,
        vectors=num_vectors,
        decisions=decisions,
        notes=tuple(notes),
    )


def bring_build(
    case: Case,
    folder: Path,
    *,
    by: str,
    permission: Permission,
    where: str,
    also: Callable[[Connection, int], None],
    progress: Progress,
) -> None:
    """Bring in a build of one video that this very case had built; see `import_build`.

    Args:
        case: that takes it.
        folder: of the build.
        by: who asked for it.
        permission: why the people in it are looked at, and until when.
        where: path or URL of the video.
        also: what else belongs into the transaction, by the number of the source.
        progress: hears of crops.

    Raises:
        CaseError: the case has a source of that name.
    """
    manifest = read_built_folder(folder)
    table, _ = _table_of(folder, manifest.tracklets)
    ((told, tracklets),) = _by_source(manifest, manifest.tracklets)
    new = replace(
        _new_source(told, manifest.info, purpose=permission.purpose, path=None),
        path=where,
        authorisation=permission.authorisation,
        authorised_until=permission.until,
    )
    if any(one.name == new.name for one in read_sources(case, with_trash=True)):
        raise CaseError(f"the case has a source {new.name!r}; name the camera otherwise, or purge that one")
    vectors = {} if table is None else _vectors_of(table, tracklets)
    add_source(case, new, tracklets, table=table, vectors=vectors, pids={}, by=by, also=also, progress=progress)


def import_table(case: Case, path: str | PathLike[str], *, by: str) -> ImportReport:
    """Bring in what `skyreid embed` made of tracklets that a case has: vectors of one more model.

    Those that the case has already change nothing; others of the same model take the place of what it had.

    Raises:
        TableError: it is no table, does not say which model made it, or is of other pictures.
        CaseError: a tracklet is not in the case.
    """
    path = path_of(path, "a table")
    check_annotator(by)
    table = load_table(path)
    model = _model_of(table, path)
    with case.database.writing() as connection:
        ids = table.tracklet_ids.astype(str).tolist()
        numbers = tracklet_numbers(connection, ids)
        if missing := [one for one in ids if one not in numbers]:
            raise CaseError(
                f"{path}: the case has no tracklet {missing[0]!r} ({len(missing)} of {len(ids)} are missing); bring in "
                "the folder that the table was made of first"
            )
        tracklets = [one.tracklet for one in tracklets_in(case, connection, numbers=list(numbers.values()))]
        check_same_pictures(table, tracklets)
        number = _find_model(connection, table, model)
        held = vectors_by_number(
            connection, next(one for one in models_in(connection) if one.number == number), [*numbers.values()]
        )
        vectors = {
            numbers[one]: vector
            for one, vector in zip(ids, table.embeddings, strict=True)
            if not np.array_equal(held.get(numbers[one], ()), vector)
        }
        if vectors:
            put_vectors(connection, number, vectors, revision=next_revision(connection))
            record(connection, by, "vectors import", path.name, {"model": model, "vectors": len(vectors)})
    there = len(ids) - len(vectors)
    return ImportReport(vectors=len(vectors), notes=(f"{there} vectors were there already",) if there else ())


def add_source(
    case: Case,
    new: NewSource,
    tracklets: Sequence[Tracklet],
    *,
    table: EmbeddingTable | None,
    vectors: Mapping[str, Float[np.ndarray, " embed"]],
    pids: dict[int, int],
    by: str,
    also: Callable[[Connection, int], None] | None = None,
    progress: Progress = silent,
) -> int:
    """Add a source with everybody who was found in it, all or nothing; gives its number.

    Args:
        case: that takes it.
        new: the source.
        tracklets: of it, with frames that lie elsewhere and are copied.
        table: what the vectors are of; None = there are none.
        vectors: by tracklet id.
        pids: of the build to those of the case; new ones are added.
        by: who adds it.
        also: what else belongs into the transaction, by the number of the source.
        progress: hears of crops.
    """
    case.files.require_place()
    with case.files.new_crops(new.crops) as crops:
        _copy_crops(tracklets, crops, progress)
        with case.database.writing() as connection:
            crops.settle()
            try:
                number = insert_source(connection, new, by=by)
                revision = next_revision(connection)
                _add_pids(connection, pids, tracklets)
                ours = [replace(one, pid=pids[one.pid]) for one in tracklets]
                numbers = insert_tracklets(connection, number, ours, revision=revision)
                if table is not None and vectors:
                    model = _find_model(connection, table, str(table.model))
                    by_number = {numbers[one]: vector for one, vector in vectors.items()}
                    put_vectors(connection, model, by_number, revision=revision)
                if also is not None:
                    also(connection, number)
            except BaseException:
                crops.undo()
                raise
    return number


def sweep_crops(case: Case) -> list[str]:
    """Remove crops that no source names, nor will; gives their KEYs."""
    case.files.sweep_leftovers()
    nobodys = crops_of_nobody(case)
    for key in nobodys:
        case.files.remove_crops(key)
    return nobodys


def crops_of_nobody(case: Case) -> list[str]:
    """Give the KEYs of crops whose source was purged, or never came."""
    there = case.files.crop_keys()
    if not there:
        return []
    # Whoever was about to name one of them has done so when this transaction begins.
    with case.database.writing() as connection:
        named = set(connection.execute(sa.select(SOURCES.c.crops)).scalars())
        unnamed = [key for key in there if key not in named]
        told = connection.execute(sa.select(AUDIT.c.details).where(AUDIT.c.action == SOURCE_PURGED)) if unnamed else ()
        purged = {json.loads(row.details)["crops"] for row in told}
    return [key for key in unnamed if key in purged or case.files.is_given_up(key)]


def _table_of(folder: Path, tracklets: Sequence[Tracklet]) -> tuple[EmbeddingTable | None, list[str]]:
    path = folder / TABLE_FILE
    if not path.exists():
        return None, []
    table = load_table(path)
    try:
        check_same_pictures(table, tracklets)
        _model_of(table, path)
    except TableError as refusal:
        return None, [f"{path.name} was left out: {refusal}"]
    return table, []


def _model_of(table: EmbeddingTable, path: Path) -> str:
    if table.model is None:
        raise TableError(
            f"{path}: does not say which model made it, and vectors of different models are never compared"
        )
    return table.model


def _find_model(connection: Connection, table: EmbeddingTable, model: str) -> int:
    return find_model(
        connection,
        model=model,
        feeding=table.feeding,
        seen_unmasked=table.seen_unmasked,
        width=table.embeddings.shape[1],
        precision=table.precision,
    )


def _vectors_of(table: EmbeddingTable, tracklets: Sequence[Tracklet]) -> dict[str, Float[np.ndarray, " embed"]]:
    rows = {tracklet_id: row for row, tracklet_id in enumerate(table.tracklet_ids.astype(str).tolist())}
    ids = [tracklet.tracklet_id for tracklet in tracklets]
    return {one: np.asarray(table.embeddings[rows[one]]) for one in ids if one in rows}


def _by_source(manifest: Manifest, built: Sequence[Tracklet]) -> list[tuple[Mapping[str, Any], list[Tracklet]]]:
    """The tracklets of each source; a source in which nobody was found has none."""
    told = manifest.info.get("sources", [])
    assert isinstance(told, list)
    parts: dict[str, tuple[Mapping[str, Any], list[Tracklet]]] = {str(one["name"]): (one, []) for one in told}
    for tracklet in built:
        source = source_of(tracklet, manifest)
        if source is None:
            raise CaseError(f"tracklet {tracklet.tracklet_id!r} is of none of the sources that its manifest lists")
        parts[str(source["name"])][1].append(tracklet)
    return list(parts.values())


def _new_source(told: Mapping[str, Any], info: Mapping[str, Any], *, purpose: str, path: Path | None) -> NewSource:
    name = str(told["name"])
    if not _NAME.fullmatch(name):
        raise CaseError(f"a source's name is letters, digits, '.', '_' and '-'; got {name!r:.80}")
    start_time = told.get("start_time")
    common = {key: value for key, value in info.items() if key not in ("sources", "cameras")}
    return NewSource(
        name=name,
        platform=Platform(str(told.get("platform"))),
        camera=check_annotator(str(told.get("camera"))),
        file=str(told["file"]),
        path=None if path is None else str(path.resolve()),
        sha256=str(told.get("video_sha256", "")),
        crops=uuid4().hex,
        start_time=None if start_time is None else datetime.fromisoformat(str(start_time)),
        purpose=purpose,
        facts=dict(told),
        settings=common,
        is_simulated=info.get("simulated") is True,
    )


def _check_same(case: Case, there: CaseSource, new: NewSource, tracklets: Sequence[Tracklet]) -> dict[str, int]:
    """Refuse a source that has the name of another one, or was cut otherwise, or lies in the trash; gives its pids."""
    if there.trashed_at is not None:
        raise CaseError(f"source {there.name!r} is in the trash; 'skyreid case restore' brings it back")
    with case.database.reading() as connection:
        rows = connection.execute(sa.select(TRACKLETS).where(TRACKLETS.c.source == there.number)).all()
    is_same = there.sha256 == new.sha256
    if not is_same or {row.tracklet_id: row.fingerprint for row in rows} != fingerprints(tracklets):
        how = "that was cut otherwise" if is_same else "of another video"
        raise CaseError(f"the case has a source {there.name!r} {how}; name the camera otherwise, or make another case")
    return {row.tracklet_id: row.pid for row in rows}


def _add_pids(connection: Connection, pids: dict[int, int], tracklets: Sequence[Tracklet]) -> None:
    """Give people of a build numbers that no other build's people have in the case."""
    highest = max([connection.execute(sa.select(sa.func.max(TRACKLETS.c.pid))).scalar_one() or 0, *pids.values()])
    new = [pid for pid in dict.fromkeys(tracklet.pid for tracklet in tracklets) if pid not in pids]
    pids |= {pid: highest + number for number, pid in enumerate(new, start=1)}


def _copy_crops(tracklets: Sequence[Tracklet], crops: NewCrops, progress: Progress) -> None:
    frames = [frame for tracklet in tracklets for frame in tracklet.frames]
    for done, _ in enumerate(crops.put(frames), start=1):
        progress("copy crops", done, len(frames))
