"""The people of a case: tracklets as rows, and their vectors, one for each model."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from jaxtyping import Float, Float32
from sqlalchemy.engine import Connection

from skyreid.building.linking.link_state import fingerprint
from skyreid.cases.case import Case
from skyreid.cases.database import in_parts
from skyreid.cases.schema import MODELS, REMOVED, SOURCES, TRACKLETS, VECTORS
from skyreid.cases.sources import CaseSource, sources_in
from skyreid.datasets.data_hash import pictures_sha256
from skyreid.errors import CaseError
from skyreid.feeding import Feeding, read_feeding
from skyreid.files.object_store import is_object
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.retrieval.filters import median_height, position_of
from skyreid.retrieval.sighting import Sighting
from skyreid.tracklet import Frame, Tracklet

ADAPTED = "adapted-"
"""Begins the name of a model whose vectors were adapted to a case."""
BRIDGED = "bridged-"
"""Begins the name of one whose vectors are those of a model, as far as it has seen the tracklets, and else brought over
from another one; a hash and the name of that model follow."""


@dataclass(frozen=True, kw_only=True)
class CaseTracklet:
    """A tracklet of a case, with where and when it was seen."""

    number: int
    """By which the database knows it."""
    tracklet: Tracklet
    """Its pid is that of the build; `decisions` say who is who."""
    source: CaseSource
    sighting: Sighting


@dataclass(frozen=True, kw_only=True)
class CaseModel:
    """What made vectors of a case. Two of them are never compared."""

    number: int
    model: str
    """sha256 of its weights, or what another program called it."""
    feeding: Feeding | None
    seen_unmasked: bool
    """Whether it saw people before their faces were covered."""
    width: int
    """Numbers of a vector."""
    precision: str | None
    """In which numbers it computed; None = nobody said."""
    num_vectors: int

    @property
    def is_adapted(self) -> bool:
        """Whether decisions of the case made its vectors from those of another model."""
        return self.model.startswith(ADAPTED)

    @property
    def is_bridged(self) -> bool:
        """Whether it stands for a model that is still embedding the case (`search/re_embedding.py`)."""
        return self.model.startswith(BRIDGED)

    @property
    def is_derived(self) -> bool:
        """Whether its vectors were made from others."""
        return self.is_adapted or self.is_bridged

    @property
    def words(self) -> str:
        """Name it shortly."""
        made = "bridge to " if self.is_bridged else "adapted " if self.is_adapted else ""
        return f"{made}{self.asks_by.removeprefix(ADAPTED)[:16]}"

    @property
    def asks_by(self) -> str:
        """Name of the model that embeds what is compared with its vectors."""
        return self.model.removeprefix(BRIDGED).partition("-")[2] if self.is_bridged else self.model


def read_tracklets(case: Case, *, numbers: Sequence[int] | None = None) -> list[CaseTracklet]:
    """Give the tracklets of a case that are not in the trash, by number.

    Args:
        case: whose.
        numbers: of those that are wanted; None = all.
    """
    with case.database.reading() as connection:
        return tracklets_in(case, connection, numbers=numbers)


_ALL = sa.select(TRACKLETS).order_by(TRACKLETS.c.number)
_SOME = _ALL.where(TRACKLETS.c.number.in_(sa.bindparam("numbers", expanding=True)))


def tracklets_in(
    case: Case,
    connection: Connection,
    *,
    numbers: Sequence[int] | None = None,
    with_trash: bool = False,
    sources: Mapping[int, CaseSource] | None = None,
) -> list[CaseTracklet]:
    """Give tracklets, in a transaction that runs; `sources` are theirs where somebody has read them already."""
    if sources is None:
        sources = {source.number: source for source in sources_in(connection, with_trash=with_trash)}
    if numbers is None:
        rows = connection.execute(_ALL).all()
    else:
        parts = in_parts(sorted(set(numbers)))
        rows = [row for part in parts for row in connection.execute(_SOME, {"numbers": part})]
    return [_tracklet(case, row._asdict(), sources[row.source]) for row in rows if row.source in sources]


def read_tracklets_at(case: Case, source: int, at_s: float) -> list[CaseTracklet]:
    """Give those tracklets of a source that are in view at a moment of its video."""
    query = sa.select(TRACKLETS.c.number).where(
        TRACKLETS.c.source == source, TRACKLETS.c.first_s <= at_s, TRACKLETS.c.last_s >= at_s
    )
    with case.database.reading() as connection:
        return tracklets_in(case, connection, numbers=list(connection.execute(query).scalars()))


def tracklet_numbers(connection: Connection, tracklet_ids: Iterable[str]) -> dict[str, int]:
    """Look tracklets up by their ids; those that are not there are left out."""
    found: dict[str, int] = {}
    for part in in_parts(sorted(set(tracklet_ids))):
        query = sa.select(TRACKLETS.c.tracklet_id, TRACKLETS.c.number).where(TRACKLETS.c.tracklet_id.in_(part))
        found |= {row.tracklet_id: row.number for row in connection.execute(query)}
    return found


def find_tracklet(case: Case, tracklet_id: str) -> CaseTracklet:
    """Look one tracklet up.

    Raises:
        CaseError: there is none of this id, or it is in the trash.
    """
    with case.database.reading() as connection:
        found = tracklets_called(case, connection, [tracklet_id])
    if not found:
        raise CaseError(f"{case.folder}: has no tracklet {tracklet_id!r} (skyreid case list {case.folder} --tracklets)")
    return found[0]


def tracklets_called(case: Case, connection: Connection, tracklet_ids: Sequence[str]) -> list[CaseTracklet]:
    """Give tracklets by their ids, in the order of these; those that are not there are left out."""
    numbers = tracklet_numbers(connection, tracklet_ids)
    by_id = {one.tracklet.tracklet_id: one for one in tracklets_in(case, connection, numbers=list(numbers.values()))}
    return [by_id[one] for one in tracklet_ids if one in by_id]


def insert_tracklets(
    connection: Connection, source: int, tracklets: Sequence[Tracklet], *, revision: int
) -> dict[str, int]:
    """Add the tracklets of a source; gives id to number."""
    rows = [_row(tracklet, source, revision) for tracklet in tracklets]
    count = SOURCES.c.num_tracklets + len(rows)
    connection.execute(SOURCES.update().where(SOURCES.c.number == source).values(num_tracklets=count))
    numbers: dict[str, int] = {}
    for start in range(0, len(rows), 500):
        added = connection.execute(
            TRACKLETS.insert().returning(TRACKLETS.c.tracklet_id, TRACKLETS.c.number), rows[start : start + 500]
        )
        numbers |= {row.tracklet_id: row.number for row in added}
    return numbers


# Vectors.
def find_model(
    connection: Connection,
    *,
    model: str,
    feeding: Feeding | None,
    seen_unmasked: bool,
    width: int,
    precision: str | None = None,
) -> int:
    """Give the number of what makes vectors; one that nobody knew is added."""
    told = {
        "model": model,
        "feeding": "" if feeding is None else feeding.to_text(),
        "seen_unmasked": seen_unmasked,
        "width": width,
    }
    known = sa.select(MODELS.c.number).where(*(MODELS.c[name] == value for name, value in told.items()))
    number = connection.execute(known).scalar_one_or_none()
    if number is not None:
        return number
    new = MODELS.insert().values(**told, precision=precision)
    return connection.execute(new.returning(MODELS.c.number)).scalar_one()


def read_models(case: Case) -> list[CaseModel]:
    """List what made vectors of a case, with the most vectors first; of two with as many, the later one."""
    with case.database.reading() as connection:
        return models_in(connection)


def models_in(connection: Connection) -> list[CaseModel]:
    """List them, in a transaction that runs."""
    counts = sa.select(VECTORS.c.model, sa.func.count().label("vectors")).group_by(VECTORS.c.model).subquery()
    query = sa.select(MODELS, counts.c.vectors).outerjoin(counts, counts.c.model == MODELS.c.number)
    models = [
        CaseModel(
            number=row.number,
            model=row.model,
            feeding=read_feeding(row.feeding) if row.feeding else None,
            seen_unmasked=row.seen_unmasked,
            width=row.width,
            precision=row.precision,
            num_vectors=row.vectors or 0,
        )
        for row in connection.execute(query)
    ]
    return sorted(models, key=lambda one: (one.is_derived, -one.num_vectors, -one.number))


def open_bridge(models: Sequence[CaseModel]) -> CaseModel | None:
    """Give what pictures and texts ask by while a model is still embedding the case; None = there is no such thing."""
    return next((one for one in models if one.is_bridged and one.num_vectors), None)


def usual_model(models: Sequence[CaseModel]) -> CaseModel | None:
    """Choose the one that is taken when nobody names one, of all of a case: the most vectors; None = there are none."""
    return next((one for one in models if one.num_vectors), None)


def put_vectors(
    connection: Connection, model: int, vectors: Mapping[int, Float[np.ndarray, " embed"]], *, revision: int
) -> None:
    """Store vectors by tracklet; older ones of the same model are replaced."""
    remove_vectors(connection, model, list(vectors), revision=None)
    rows = [
        {"tracklet": number, "model": model, "embedding": _stored(vector), "revision": revision}
        for number, vector in vectors.items()
    ]
    for part in in_parts(rows):
        connection.execute(VECTORS.insert(), part)


def _stored(vector: Float[np.ndarray, " embed"]) -> bytes:
    return vector.astype("<f2" if vector.dtype == np.float16 else "<f4", copy=False).tobytes()


def remove_vectors(connection: Connection, model: int, tracklets: Sequence[int], *, revision: int | None) -> None:
    """Remove vectors of a model.

    Args:
        connection: of a writing transaction.
        model: its number.
        tracklets: theirs.
        revision: of this transaction, noted for the caches; None = others take their place.
    """
    for part in in_parts(tracklets):
        for table in (REMOVED, VECTORS):
            connection.execute(table.delete().where(table.c.model == model, table.c.tracklet.in_(part)))
        if revision is not None:
            gone = [{"tracklet": number, "model": model, "revision": revision} for number in part]
            connection.execute(REMOVED.insert(), gone)


def as_vectors(embeddings: Sequence[bytes], width: int) -> Float32[np.ndarray, "row embed"]:
    """Read vectors of one model as they are stored, float32 or float16 each.

    Raises:
        CaseError: one has another length.
    """
    vectors = np.empty((len(embeddings), width), dtype=np.float32)
    for row, stored in enumerate(embeddings):
        if len(stored) not in (2 * width, 4 * width):
            raise CaseError(f"a vector of {width} numbers has {2 * width} or {4 * width} bytes; got {len(stored)}")
        vectors[row] = np.frombuffer(stored, dtype="<f4" if len(stored) == 4 * width else "<f2")
    return vectors


def read_vectors(connection: Connection, model: CaseModel, numbers: Sequence[int]) -> Float32[np.ndarray, "row embed"]:
    """Give the vectors of some tracklets, in their order.

    Raises:
        CaseError: one of them has none by this model.
    """
    stored = _stored_vectors(connection, model, numbers)
    try:
        return as_vectors([stored[int(number)] for number in numbers], model.width)
    except KeyError as missing:
        raise CaseError(
            f"tracklet {missing} has no vector by the model {model.model[:12]}; 'skyreid case work' embeds it"
        ) from None


def read_known_vectors(
    connection: Connection, model: CaseModel, numbers: Sequence[int]
) -> Float32[np.ndarray, "known embed"]:
    """Give the vectors of those tracklets that have one, in the order of the numbers."""
    stored = _stored_vectors(connection, model, numbers)
    return as_vectors([stored[number] for number in sorted(stored)], model.width)


def vectors_by_number(
    connection: Connection, model: CaseModel, numbers: Sequence[int]
) -> dict[int, Float32[np.ndarray, " embed"]]:
    """Give the vectors of those tracklets that have one."""
    stored = _stored_vectors(connection, model, numbers)
    return dict(zip(stored, as_vectors(list(stored.values()), model.width), strict=True))


# Put together once: SQLAlchemy takes as long to put a statement together as SQLite to answer it.
_STORED = sa.select(VECTORS.c.tracklet, VECTORS.c.embedding).where(
    VECTORS.c.model == sa.bindparam("model"), VECTORS.c.tracklet.in_(sa.bindparam("numbers", expanding=True))
)


def _stored_vectors(connection: Connection, model: CaseModel, numbers: Sequence[int]) -> dict[int, bytes]:
    stored: dict[int, bytes] = {}
    for part in in_parts(list(map(int, numbers))):
        found = connection.execute(_STORED, {"model": model.number, "numbers": part})
        stored |= {row.tracklet: row.embedding for row in found}
    return stored


def read_table(case: Case, model: CaseModel, *, pids: Mapping[str, int] | None = None) -> EmbeddingTable:
    """Give all vectors of a model as a table, in the order of the numbers.

    Args:
        case: whose.
        model: one of `read_models`.
        pids: who is who, as `decisions` say; None = as built.
    """
    with case.database.reading() as connection:
        has = sa.select(VECTORS.c.tracklet).where(VECTORS.c.model == model.number)
        numbers = set(connection.execute(has).scalars())
        seen = [one for one in tracklets_in(case, connection) if one.number in numbers]
        vectors = read_vectors(connection, model, [one.number for one in seen])
    tracklets = [one.tracklet for one in seen]
    pictures = [pictures_sha256(tracklet) for tracklet in tracklets]
    return EmbeddingTable(
        embeddings=vectors,
        pids=np.array([t.pid if pids is None else pids[t.tracklet_id] for t in tracklets], dtype=np.int64),
        camids=np.array([tracklet.camid for tracklet in tracklets], dtype=np.int64),
        platforms=np.array([tracklet.platform.number for tracklet in tracklets], dtype=np.int64),
        tracklet_ids=np.array([tracklet.tracklet_id for tracklet in tracklets], dtype=np.str_),
        pictures=None if None in pictures else np.array(pictures, dtype="S64"),
        model=model.model,
        feeding=model.feeding,
        precision=model.precision,
        seen_unmasked=model.seen_unmasked,
    )


def _row(tracklet: Tracklet, source: int, revision: int) -> dict[str, object]:
    times = [frame.time_s for frame in tracklet.frames if frame.time_s is not None]
    height = median_height(tracklet)
    place = position_of(tracklet)
    return {
        "tracklet_id": tracklet.tracklet_id,
        "source": source,
        "pid": tracklet.pid,
        "frames": [[f.index, f.time_s, None if f.box is None else list(f.box), f.sha256] for f in tracklet.frames],
        "attributes": dict(tracklet.attributes),
        "fingerprint": fingerprint(tracklet),
        "first_s": min(times, default=None),
        "last_s": max(times, default=None),
        "height_px": None if isnan(height) else height,
        "latitude": None if place is None else place[0],
        "longitude": None if place is None else place[1],
        "revision": revision,
    }


def _tracklet(case: Case, facts: Mapping[str, Any], source: CaseSource) -> CaseTracklet:
    frames = tuple(
        Frame(
            case.crop_path(source.crops, sha256),
            index=index,
            time_s=time_s,
            box=None if box is None else (box[0], box[1], box[2], box[3]),
            sha256=sha256,
        )
        for index, time_s, box, sha256 in facts["frames"]
    )
    begins, first_s = source.begins, facts["first_s"]
    return CaseTracklet(
        number=facts["number"],
        tracklet=Tracklet(
            tracklet_id=facts["tracklet_id"],
            frames=frames,
            pid=facts["pid"],
            camid=source.camid,
            platform=source.platform,
            attributes=facts["attributes"],
        ),
        source=source,
        sighting=Sighting(
            camera=source.camera,
            file=source.file,
            offset_s=None if first_s is None else (first_s, facts["last_s"]),
            clock=None if begins is None or first_s is None else begins + timedelta(seconds=first_s),
            video=None if source.path is None or is_object(source.path) else Path(source.path),
        ),
    )
