"""The vectors of one model as a matrix in a file, and what filters ask of their tracklets: derived from the database.

    cache/MODEL/meta.json   of which case and moment it is
    cache/MODEL/rows.npy    number, source, first and last second, height and place of each tracklet
    cache/MODEL/units.f16   their vectors, scaled to length 1, as float16, mapped and not read (of a file)
    cache/MODEL/units.i8    the same in 8 bits, mapped too; and
    cache/MODEL/steps.npy   how much one step of these is in each row

It may be removed at any time and is written anew, whole or not at all. What changed after its moment is read from the
database at each search and takes the place of the rows here; when that is much, the cache is written anew.

Bounds in 8 bits leave out most, scores of float16 choose who of the others is looked at closely, and whoever may still
be among the best is compared by the vectors of the database in float32. So a search finds exactly whom `skyreid search`
finds in the table of the same vectors.
"""

import errno
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from jaxtyping import Bool, Float16, Float32, Float64, Int8, Int64
from sqlalchemy.engine import Connection

from skyreid.cases.case import CACHE, Case
from skyreid.cases.database import in_parts
from skyreid.cases.schema import AUDIT, AUDIT_HEAD, CASE, REMOVED, SOURCES, TRACKLETS, VECTORS
from skyreid.cases.sources import CaseSource, sources_in
from skyreid.cases.tracklets import CaseModel, as_vectors
from skyreid.errors import CaseError
from skyreid.files.atomic_file import replaced_folder
from skyreid.files.strict_json import read_json
from skyreid.retrieval.coarse_products import coarse_rows, product_bounds
from skyreid.retrieval.comparing import Direction
from skyreid.retrieval.filters import SeenColumns, wall_seconds
from skyreid.retrieval.half_products import half_norms, half_products
from skyreid.tracklet import Platform

_META, _ROWS, _UNITS, _COARSE, _STEPS = "meta.json", "rows.npy", "units.f16", "units.i8", "steps.npy"
_FORMAT = 2
_NAMES = ("number", "source", "first_s", "last_s", "height_px", "latitude", "longitude")
_ROW = np.dtype([(name, "<i8" if name in ("number", "source") else "<f8") for name in _NAMES])
_MOST_BEHIND, _MOST_BEHIND_SHARE = 2_000, 0.05
"""Rows that may have changed since the cache was written before it is written anew: so many, or this share of it."""

_MOST_TRIES, _WAIT_S = 20, 0.05
"""Of several processes that write the cache at once one does, and the others look again."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """Rows with their vectors: of the cache, or those that are newer."""

    rows: np.ndarray
    units: Float16[np.ndarray, "row embed"]
    coarse: Int8[np.ndarray, "row embed"]
    steps: Float32[np.ndarray, " row"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Gallery:
    """All that can be searched at one moment."""

    parts: tuple[_Part, _Part]
    """The cache, and what is newer."""
    is_there: Bool[np.ndarray, " row"]
    """Of both parts, one after the other: False where a newer row stands for it, or it is gone."""
    numbers: Int64[np.ndarray, " row"]
    sources: Mapping[int, CaseSource]
    columns: SeenColumns
    """What filters ask."""
    cameras: tuple[str, ...]
    """Their names, by camid."""

    def can_be_seen(self) -> Bool[np.ndarray, " row"]:
        """Which rows may be searched now: an authorisation ends by the clock, and no row changes by it."""
        expired = [number for number, source in self.sources.items() if source.is_expired]
        if not expired:
            return self.is_there.copy()
        return self.is_there & ~np.isin(np.concatenate([part.rows["source"] for part in self.parts]), expired)

    def of_platform(self, platform: Platform) -> Bool[np.ndarray, " row"]:
        """Which rows were seen from a platform."""
        wanted = {source.camid for source in self.sources.values() if source.platform is platform}
        return np.isin(self.columns.cameras, list(wanted))

    def scores(self, direction: Direction, rows: Int64[np.ndarray, " candidate"]) -> Float32[np.ndarray, " candidate"]:
        """Compare some rows with a direction, as far as float16 goes (`score_error`)."""
        return np.concatenate([_scores(part.units, direction, chosen) for part, chosen in self._in_parts(rows)])

    def bounds(
        self, direction: Direction, rows: Int64[np.ndarray, " candidate"]
    ) -> tuple[Float32[np.ndarray, " candidate"], Float32[np.ndarray, " candidate"]]:
        """Say what their scores with a direction of whole vectors are at least and at most, to half a `score_error`."""
        found = [product_bounds(one.coarse, one.steps, direction.unit[0], few) for one, few in self._in_parts(rows)]
        least, most = zip(*found, strict=True)
        return np.concatenate(least), np.concatenate(most)

    def _in_parts(self, rows: Int64[np.ndarray, " candidate"]) -> list[tuple[_Part, Int64[np.ndarray, " candidate"]]]:
        """Give each part the rows that are its own."""
        if not len(self.parts[1].rows):
            return [(self.parts[0], rows)]
        split = len(self.parts[0].rows)
        behind = int(np.searchsorted(rows, split))
        return [(self.parts[0], rows[:behind]), (self.parts[1], rows[behind:] - split)]


def score_error(width: int) -> float:
    """How far a score may be from the cosine: rows rounded to float16, and products and lengths summed in float32."""
    return 2**-11 + (width + 8) * 2.0**-22


def cache_folder(case: Case, model: int) -> Path:
    """Say where the cache of a model lies, by its number."""
    return case.folder / CACHE / str(model)


class SearchCache:
    """The cache of one model of one case; safe to keep open, and to be used by one thread at a time."""

    def __init__(self, case: Case, model: CaseModel) -> None:
        self._case, self._model = case, model
        self.folder = cache_folder(case, model.number)
        self._loaded: tuple[dict[str, Any], _Part] | None = None
        self._gallery: tuple[tuple[int, int], Gallery] | None = None

    def gallery(self, connection: Connection) -> Gallery:
        """Give what can be searched at the moment of a transaction; the cache is written where there is none."""
        (meta, cached), revision = self._fitting(connection)
        if self._gallery is None or self._gallery[0] != (meta["revision"], revision):
            newer, gone = self._changes(connection, meta["revision"])
            is_far_behind = len(newer | gone) > max(_MOST_BEHIND, _MOST_BEHIND_SHARE * len(cached.rows))
            if is_far_behind or (gone and not self.folder.exists()):  # purged: nor do we keep what it held
                self._write(connection)
                (meta, cached), _ = self._fitting(connection)
                newer, gone = set(), set()
            gallery = self._assemble(connection, meta["revision"], cached, newer, gone)
            self._gallery = (meta["revision"], revision), gallery
        return self._gallery[1]

    def rebuild(self) -> int:
        """Write the cache anew from the database; gives the number of its rows."""
        with self._case.database.reading() as connection:
            self._write(connection)
            (_, cached), _ = self._fitting(connection)
            return len(cached.rows)

    def damage(self, connection: Connection) -> list[str]:
        """Compare every row with the database, a sentence for what differs; a cache that is not there has no damage."""
        if not self.folder.exists():
            return []
        loaded = self._read()
        if loaded is None or not _is_of(connection, loaded[0])[0]:
            return [f"{self.folder}: is not of this case as it is now"]
        meta, cached = loaded
        newer, gone = self._changes(connection, meta["revision"])
        places = {int(number): place for place, number in enumerate(cached.rows["number"])}
        expected, wrong = 0, 0
        for part in _truth(connection, self._model, sa.true()):
            kept = [place for place, number in enumerate(part.rows["number"]) if int(number) not in newer]
            at = [places.get(int(part.rows["number"][place]), -1) for place in kept]
            expected += len(kept)
            same = (cached.rows[at] == part.rows[kept]) | _both_nan(cached.rows[at], part.rows[kept])
            same &= (cached.units[at].view(np.uint16) == part.units[kept].view(np.uint16)).all(axis=1)
            same &= (cached.coarse[at] == part.coarse[kept]).all(axis=1) & (cached.steps[at] == part.steps[kept])
            wrong += int(np.count_nonzero(~same | (np.array(at) < 0)))
        held = sum(number not in newer and number not in gone for number in places)
        told = [f"{self.folder}: {wrong} rows are not what the database holds"] if wrong else []
        if held != expected:
            told.append(f"{self.folder}: holds {held} rows, the database {expected}")
        return told

    def _fitting(self, connection: Connection) -> tuple[tuple[dict[str, Any], _Part], int]:
        """The cache on the disk, once it is of this case and not ahead of it, else a new one; and the revision now."""
        for _ in range(_MOST_TRIES):
            for read in (lambda: self._loaded, self._read):
                self._loaded = read()
                if self._loaded is not None:
                    fits, revision = _is_of(connection, self._loaded[0])
                    if fits:
                        return self._loaded, revision
            self._write(connection)
        raise CaseError(f"{self.folder}: others write it all the while; search again")

    def _read(self) -> tuple[dict[str, Any], _Part] | None:
        """Open the files; None where they are not there, not whole, or just replaced by another process."""
        try:
            meta = read_json(self.folder / _META)
            if not isinstance(meta, dict) or meta.get("format") != _FORMAT or meta.get("width") != self._model.width:
                return None
            rows = np.load(self.folder / _ROWS, allow_pickle=False)
            shape = (len(rows), self._model.width)
            if rows.dtype != _ROW or (self.folder / _UNITS).stat().st_size != 2 * shape[0] * shape[1]:
                return None
            steps = np.load(self.folder / _STEPS, allow_pickle=False)
            if steps.shape != shape[:1] or (self.folder / _COARSE).stat().st_size != shape[0] * shape[1]:
                return None
            units, coarse = self._open(_UNITS, np.dtype("<f2"), shape), self._open(_COARSE, np.dtype(np.int8), shape)
            if read_json(self.folder / _META) != meta:  # rows of one moment with the vectors of another
                return None
        except (OSError, ValueError, KeyError):
            return None
        return meta, _Part(rows=rows, units=units, coarse=coarse, steps=steps)

    def _open(self, name: str, dtype: np.dtype, shape: tuple[int, int]) -> np.ndarray:
        if not shape[0]:
            return np.empty(shape, dtype=dtype)
        if self._case.database.is_file:
            return np.memmap(self.folder / name, dtype=dtype, mode="r", shape=shape)
        # The disk of many machines: a mapped file that another machine replaces there takes the process with it.
        return np.fromfile(self.folder / name, dtype=dtype).reshape(shape)

    def _write(self, connection: Connection) -> None:
        """Write the cache of the moment of a transaction, unless another process does so, or purges, just then."""
        try:
            self._replace(connection)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.ESTALE):
                raise
            time.sleep(_WAIT_S)

    def _replace(self, connection: Connection) -> None:
        facts = connection.execute(sa.select(CASE.c.case_id, CASE.c.revision)).one()._asdict()
        head = connection.execute(sa.select(AUDIT_HEAD)).one()
        facts |= {"audit_seq": head.seq, "audit_hash": head.hash}
        rows, steps = [np.empty(0, dtype=_ROW)], [np.empty(0, dtype=np.float32)]
        with replaced_folder(self.folder) as staging:
            with (staging / _UNITS).open("wb") as units, (staging / _COARSE).open("wb") as coarse:
                for part in _truth(connection, self._model, sa.true()):
                    rows.append(part.rows)
                    steps.append(part.steps)
                    units.write(part.units.tobytes())
                    coarse.write(part.coarse.tobytes())
            np.save(staging / _ROWS, np.concatenate(rows), allow_pickle=False)
            np.save(staging / _STEPS, np.concatenate(steps), allow_pickle=False)
            meta = {"format": _FORMAT, "width": self._model.width, **facts}
            (staging / _META).write_text(json.dumps(meta))
        self._loaded = None

    def _changes(self, connection: Connection, since: int) -> tuple[set[int], set[int]]:
        """Numbers of the tracklets that changed since, and of those that are gone."""
        vectors = sa.select(VECTORS.c.tracklet).where(VECTORS.c.model == self._model.number, VECTORS.c.revision > since)
        tracklets = sa.select(TRACKLETS.c.number).where(TRACKLETS.c.revision > since)
        gone = sa.select(REMOVED.c.tracklet).where(REMOVED.c.model == self._model.number, REMOVED.c.revision > since)
        newer = {*connection.execute(vectors).scalars(), *connection.execute(tracklets).scalars()}
        return newer, set(connection.execute(gone).scalars())

    def _assemble(self, connection: Connection, since: int, cached: _Part, newer: set[int], gone: set[int]) -> Gallery:
        """Put what changed since the cache was written in the place of its rows."""
        is_newer = sa.or_(TRACKLETS.c.revision > since, VECTORS.c.revision > since)
        delta = _joined(list(_truth(connection, self._model, is_newer)) if newer else [], self._model.width)
        numbers = np.concatenate([cached.rows["number"], delta.rows["number"]])
        is_there = np.ones(len(numbers), dtype=bool)
        is_there[: len(cached.rows)] = ~np.isin(cached.rows["number"], list(newer | gone))
        sources = {source.number: source for source in sources_in(connection, with_trash=True)}
        cameras: dict[int, str] = {source.camid: source.camera for source in sources.values()}
        return Gallery(
            parts=(cached, delta),
            is_there=is_there,
            numbers=numbers,
            sources=sources,
            columns=_columns(np.concatenate([cached.rows, delta.rows]), sources),
            cameras=tuple(cameras.get(camid, "") for camid in range(max(cameras, default=-1) + 1)),
        )


# Put together once: SQLAlchemy takes as long to put a statement together as SQLite to answer it.
_OF_WHICH = sa.select(
    CASE.c.case_id,
    CASE.c.revision,
    sa.select(AUDIT.c.hash).where(AUDIT.c.seq == sa.bindparam("seq")).scalar_subquery().label("hash"),
)


def _is_of(connection: Connection, meta: Mapping[str, Any]) -> tuple[bool, int]:
    """Whether a cache was written from the past of this very database, and not of a copy that went another way.

    Gives the revision of the database, too.
    """
    now = connection.execute(_OF_WHICH, {"seq": meta["audit_seq"]}).one()
    fits = meta["case_id"] == now.case_id and meta["revision"] <= now.revision and meta["audit_hash"] == now.hash
    return fits, now.revision


def _truth(connection: Connection, model: CaseModel, which: sa.ColumnElement[bool]) -> Iterator[_Part]:
    """What the database holds for a model and can be searched, some thousand rows at a time, by number."""
    from skyreid.retrieval.cosine import unit_rows  # loads PyTorch

    there = (
        sa.select(TRACKLETS.c.number)
        .join(VECTORS, VECTORS.c.tracklet == TRACKLETS.c.number)
        .join(SOURCES, SOURCES.c.number == TRACKLETS.c.source)
        .where(VECTORS.c.model == model.number, SOURCES.c.trashed_at.is_(None), which)
    )
    numbers = sorted(connection.execute(there).scalars())
    query = (
        sa.select(*(TRACKLETS.c[name] for name in _NAMES), VECTORS.c.embedding)
        .join(VECTORS, VECTORS.c.tracklet == TRACKLETS.c.number)
        .where(VECTORS.c.model == model.number)
        .order_by(TRACKLETS.c.number)
    )
    # By their numbers, and not the next so many: SQLite would go through all of the model for each part.
    for part in in_parts(numbers):
        found = connection.execute(query.where(TRACKLETS.c.number.in_(part))).all()
        rows = [tuple(np.nan if value is None else value for value in row[:-1]) for row in found]
        vectors = as_vectors([row.embedding for row in found], model.width)
        yield _part(np.array(rows, dtype=_ROW), unit_rows(vectors).astype("<f2"))


def _part(rows: np.ndarray, units: Float16[np.ndarray, "row embed"]) -> _Part:
    coarse, steps = coarse_rows(units)
    return _Part(rows=rows, units=units, coarse=coarse, steps=steps)


def _joined(parts: Sequence[_Part], width: int) -> _Part:
    return _part(
        np.concatenate([np.empty(0, dtype=_ROW), *(part.rows for part in parts)]),
        np.concatenate([np.empty((0, width), dtype="<f2"), *(part.units for part in parts)]),
    )


def _both_nan(ours: np.ndarray, theirs: np.ndarray) -> Bool[np.ndarray, " row"]:
    """Rows that are equal once NaN equals NaN."""
    equal = np.ones(len(ours), dtype=bool)
    for name in _NAMES:
        one, other = ours[name], theirs[name]
        equal &= (one == other) | (np.isnan(one) & np.isnan(other))
    return equal


def _columns(rows: np.ndarray, sources: Mapping[int, CaseSource]) -> SeenColumns:
    known = np.array(sorted(sources), dtype=np.int64)
    # Rows of a source that is gone are masked; whatever stands for it here is never looked at.
    place = np.minimum(np.searchsorted(known, rows["source"]), len(known) - 1)

    def of_source(values: Sequence[float | int]) -> Float64[np.ndarray, " row"]:
        return np.array(values, dtype=np.float64)[place] if len(known) else np.empty(0)

    begins = [sources[int(number)].begins for number in known]
    zones = [None if clock is None else clock.utcoffset() for clock in begins]
    camids = of_source([sources[int(number)].camid for number in known])
    return SeenColumns(
        cameras=camids.astype(np.int64),
        first_s=rows["first_s"].copy(),
        last_s=rows["last_s"].copy(),
        begins=of_source([wall_seconds(clock) for clock in begins]) + rows["first_s"],
        zone_s=of_source([np.nan if zone is None else zone.total_seconds() for zone in zones]),
        height_px=rows["height_px"].copy(),
        latitude=rows["latitude"].copy(),
        longitude=rows["longitude"].copy(),
    )


def _scores(
    units: Float16[np.ndarray, "row embed"], direction: Direction, chosen: Int64[np.ndarray, " candidate"]
) -> Float32[np.ndarray, " candidate"]:
    whole = np.zeros(units.shape[1], dtype=np.float32)
    whole[direction.first_column :] = direction.unit[0]
    products = half_products(np.asarray(units), whole, chosen)
    if direction.first_column == 0:  # rows have length 1
        return products
    return products / half_norms(np.asarray(units), direction.first_column)[chosen]
