"""Exact search: the tracklets most similar to a query, or to several on the mean, every candidate compared."""

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64, Shaped
from PIL import Image

from skyreid.arguments import kind_of
from skyreid.datasets.manifest import read_manifest
from skyreid.errors import ManifestError, TableError
from skyreid.retrieval.candidates import MAX_SPEED, Candidates, Scope, choose_candidates
from skyreid.retrieval.comparing import Direction, may_be_among_the_first, mean_cosines
from skyreid.retrieval.embedding_table import TorchTensor, in_numpy
from skyreid.retrieval.filters import Filters, LeftOut
from skyreid.retrieval.row_lengths import has_direction
from skyreid.retrieval.sharded_table import Table, table_of
from skyreid.retrieval.sighting import Sighting, find_sighting
from skyreid.retrieval.table_rows import TableRows
from skyreid.tracklet import PLATFORMS, Platform

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """A question from outside the table: a picture or a text, embedded by the model that made the table."""

    words: str
    """What it was, such as "jacket.jpg" or the text."""
    embedding: Float32[np.ndarray, " part"]
    first_column: int = 0
    """Of the table's embeddings, where the part begins that it is compared with; a text knows the last one alone."""
    picture: Image.Image | None = None
    """What may be shown of it; None = it is a text."""
    notes: tuple[str, ...] = ()
    """What to know of it, a sentence each."""


Query: TypeAlias = str | int | np.integer | Float[np.ndarray, "..."] | Float[TorchTensor, "..."] | Asked
"""The id of a tracklet of the table, its row, an embedding from elsewhere, or what an `Asker` made of a picture or
text."""


@dataclass(frozen=True, kw_only=True)
class RankedEntry:
    """One tracklet that a search found."""

    rank: int
    """1 for the most similar."""
    tracklet_id: str | int
    similarity: float
    """Cosine, -1 to 1."""
    platform: Platform
    camid: int
    pid: int
    row: int
    """Where it stands in the searched table."""
    camera: str | None
    """Its name. This and what follows stands in the manifest that the table names; None = not known."""
    file: str | None
    """Name of the video."""
    start_s: float | None
    end_s: float | None
    """Of the tracklet, in seconds after the video's first frame."""
    time: datetime | None
    """Time of day of its first frame."""
    impossible: str | None = None
    """Why it cannot be the person of a tracklet that was asked with; None = it can, as far as anybody looked."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranking:
    """What a search found, the most similar tracklet first; a ranking is not an identification.

    A sequence of `RankedEntry`, and the same as arrays.
    """

    tracklet_ids: Shaped[np.ndarray, " rank"]
    pids: Int64[np.ndarray, " rank"]
    similarities: Float32[np.ndarray, " rank"]
    """Cosine, -1 to 1."""
    rows: Int64[np.ndarray, " rank"]
    """Where the found tracklets stand in the searched table."""
    camids: Int64[np.ndarray, " rank"]
    platforms: Int64[np.ndarray, " rank"]
    """0 ground, 1 aerial."""
    num_searched: int
    """How many tracklets were compared: all that the filters let through, none skipped."""
    left_out: tuple[LeftOut, ...] = ()
    """What each filter left out before, in the order in which they were applied."""
    impossible: tuple[str | None, ...] = ()
    """By rank, why it cannot be the person of a tracklet that was asked with; () = nobody looked."""
    manifest: str | None = None
    """Path of the manifest that knows where and when these tracklets were seen."""

    @cached_property
    def sightings(self) -> tuple[Sighting | None, ...]:
        """Where and when each tracklet was seen; None of those of whom nobody knows. Read when first asked for."""
        if self.manifest is None:
            return (None,) * len(self)
        try:
            manifest = read_manifest(Path(self.manifest))
        except ManifestError as error:
            logger.warning("cameras and times of what was found are not known: %s", error)
            return (None,) * len(self)
        wanted = set(self.tracklet_ids.astype(str).tolist())
        listed = {t.tracklet_id: find_sighting(t, manifest, {}) for t in manifest.tracklets if t.tracklet_id in wanted}
        return tuple(listed.get(str(tracklet_id)) for tracklet_id in self.tracklet_ids)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> RankedEntry:
        """Give the entry at a place from 0; its rank is one more."""
        seen = self.sightings[place]
        start_s, end_s = (None, None) if seen is None or seen.offset_s is None else seen.offset_s
        return RankedEntry(
            rank=range(len(self))[place] + 1,
            tracklet_id=self.tracklet_ids[place].item(),
            similarity=float(self.similarities[place]),
            platform=PLATFORMS[self.platforms[place]],
            camid=int(self.camids[place]),
            pid=int(self.pids[place]),
            row=int(self.rows[place]),
            camera=None if seen is None else seen.camera,
            file=None if seen is None else seen.file,
            start_s=start_s,
            end_s=end_s,
            time=None if seen is None else seen.clock,
            impossible=self.impossible[place] if self.impossible else None,
        )

    def __iter__(self) -> Iterator[RankedEntry]:
        return (self[place] for place in range(len(self)))

    def __repr__(self) -> str:
        best = f", best {self.tracklet_ids[0].item()!r} at {self.similarities[0]:.4f}" if len(self) else ""
        return f"Ranking({len(self)} of {self.num_searched} tracklets{best})"

    def to_dicts(self) -> list[dict[str, str | int | float | None]]:
        """Give plain values, one dictionary for each entry: what JSON and data frames take; a time as ISO 8601."""
        return [
            {
                **asdict(entry),
                "platform": entry.platform.value,
                "time": None if entry.time is None else entry.time.isoformat(),
            }
            for entry in self
        ]


def search(
    table: Table | str | PathLike[str],
    query: Query | Sequence[Query],
    *,
    platform: Platform | str | None = None,
    top_k: int = 20,
    exclude: Collection[str | int] = (),
    filters: Filters | None = None,
    possible_only: bool = False,
    max_speed: float | int = MAX_SPEED,
) -> Ranking:
    """Rank the tracklets of a table by their cosine similarity to a query.

    Equal similarities are ordered by tracklet id. Identities play no part: a table of unlabelled
    footage is searched like any other.

    Args:
        table: what is searched, or the path of its file.
        query: id of a tracklet of the table, or the row where it stands, from 0: it never finds itself. Or an
            embedding from elsewhere, such as `ClipEmbedder.embed` gives for one clip: NumPy or torch, of the shape
            [embed] or [1, embed]. Or several of these in a list, which ask as one: by the mean of their cosines, so in
            the order that the mean of their unit vectors gives.
        platform: only tracklets of this platform are candidates, "ground" or "aerial"; None = both.
        top_k: how many to return; all candidates when there are fewer.
        exclude: ids of tracklets that must not be found, such as those rejected before.
        filters: what else a candidate must fulfil; needs the manifest that the table names. None = nothing.
        possible_only: leave out who cannot be the person of a tracklet that was asked with, by time and place; needs
            the manifest.
        max_speed: of a person, in metres a second, for `possible_only`.

    Raises:
        TableError: no such tracklet or row, an embedding of another size or without a direction, an id to exclude
            that is not in the table, top_k below 1, or a table that names no manifest where one is needed.
        ManifestError: the manifest is gone or damaged.
        NothingFoundError: no candidate is left.
        SettingError: no such platform or camera, a table that is none, or a filter that cannot be.

    >>> from skyreid import EmbeddingTable
    >>> table = EmbeddingTable(
    ...     embeddings=np.array([[1, 0], [0, 1], [1, 1]], dtype=np.float32),
    ...     pids=np.array([7, 8, 9]), camids=np.array([0, 1, 1]), platforms=np.array([0, 1, 1]),
    ...     tracklet_ids=np.array(["gate-1", "drone-1", "drone-2"]),
    ... )
    >>> ranking = search(table, "gate-1", platform="aerial", top_k=1)
    >>> ranking[0].tracklet_id, round(ranking[0].similarity, 4)
    ('drone-2', 0.7071)
    >>> ranking
    Ranking(1 of 2 tracklets, best 'drone-2' at 0.7071)
    """
    table = table_of(table)
    scope = Scope(
        platform=None if platform is None else Platform(platform),
        exclude=exclude,
        filters=filters or Filters(),
        possible_only=possible_only,
        max_speed=max_speed,
    )
    directions, asked = directions_of(table, query)
    return rank_candidates(table, directions, choose_candidates(table, scope, asked=asked), top_k=top_k)


def directions_of(table: Table, query: Query | Sequence[Query]) -> tuple[list[Direction], tuple[int, ...]]:
    """Give what asks as unit vectors, and the rows that are among the queries.

    Raises:
        TableError: no such tracklet or row, or an embedding of another size or without a direction.
    """
    directions: list[Direction] = []
    rows: list[int] = []
    for one in query if isinstance(query, list | tuple) else [query]:
        if isinstance(one, Asked):
            directions.append(Direction(_unit_embedding(table, one.embedding, one.first_column), one.first_column))
        elif isinstance(one, np.ndarray | TorchTensor):
            directions.append(Direction(_unit_embedding(table, one)))
        elif isinstance(one, str | int | np.integer) and not isinstance(one, bool):
            rows.append(table.row_of(one) if isinstance(one, str) else int(one))
            directions.append(Direction(_unit_row(table, rows[-1])))
        else:
            raise TableError(
                "a query is the id of a tracklet (a str), a row (an int) or an embedding (a NumPy array or a torch "
                f"tensor), or a list of these; got {kind_of(query)}"
            )
    if not directions:
        raise TableError("a search needs at least one query; got an empty list")
    return directions, tuple(rows)


def rank_candidates(table: Table, directions: Sequence[Direction], candidates: Candidates, *, top_k: int) -> Ranking:
    """Put the most similar candidates in order: by the mean of their cosines with all directions.

    Each piece of the table gives its own first ones, and the first of those are the first of all.

    Raises:
        TableError: top_k is below 1.
    """
    if not isinstance(top_k, int | np.integer) or top_k < 1:
        raise TableError(f"top_k must be a whole number of at least 1; got {top_k!r}")
    first = [
        first_of_shard(table, place, directions, candidates.rows, top_k=top_k) for place in range(len(table.starts))
    ]
    contenders = np.concatenate([rows for rows, _ in first])
    similarities = np.concatenate([compared for _, compared in first])
    best = most_similar(similarities, table.tracklet_ids[contenders], top_k)
    found = contenders[best]
    return Ranking(
        tracklet_ids=table.tracklet_ids[found],
        pids=table.pids[found],
        similarities=similarities[best],
        rows=found,
        camids=table.camids[found],
        platforms=table.platforms[found],
        num_searched=int(np.count_nonzero(candidates.rows)),
        left_out=candidates.left_out,
        impossible=tuple(candidates.impossible.get(int(row)) for row in found),
        manifest=table.manifest,
    )


def first_of_shard(
    table: Table,
    place: int,
    directions: Sequence[Direction],
    candidates: Bool[np.ndarray, " row"],
    *,
    top_k: int,
) -> tuple[Int64[np.ndarray, " rank"], Float32[np.ndarray, " rank"]]:
    """Give the most similar candidates of one piece of a table: their rows in the table, and how similar they are.

    Whoever puts those of all pieces together finds the first of the whole table among them (`most_similar`), whatever
    process ranked which piece.

    Args:
        table: of which.
        place: of the piece, from 0.
        directions: what they are compared with.
        candidates: rows of the whole table that may be found.
        top_k: how many at most.

    Raises:
        TableError: its file is missing, another one or damaged.
    """
    start = table.starts[place]
    stop = table.starts[place + 1] if place + 1 < len(table.starts) else len(table)
    rows = np.flatnonzero(candidates[start:stop])
    if rows.size == 0:  # then its file need not be opened
        return rows, np.zeros(0, dtype=np.float32)
    shard = table.shard(place)
    contenders = rows if top_k >= rows.size else may_be_among_the_first(shard, directions, rows, top_k)
    similarities = mean_cosines(shard, directions, contenders)
    best = most_similar(similarities, shard.tracklet_ids[contenders], top_k)
    return start + contenders[best], similarities[best]


def _unit_row(table: Table, row: int) -> Float32[np.ndarray, "1 embed"]:
    if not 0 <= row < len(table):
        raise TableError(f"query row must be between 0 and {len(table) - 1}; got {row}")
    from skyreid.retrieval.cosine import unit_rows  # loads PyTorch, when something is compared

    place = int(np.searchsorted(table.starts, row, side="right")) - 1
    row -= table.starts[place]
    return unit_rows(table.shard(place).embeddings[row : row + 1])


def _unit_embedding(
    table: TableRows,
    given: Float[np.ndarray, "..."] | Float[TorchTensor, "..."],
    first_column: int = 0,
) -> Float32[np.ndarray, "1 part"]:
    if isinstance(given, TorchTensor):
        given = in_numpy(given)
    size = table.embedding_size - first_column
    if given.shape not in {(size,), (1, size)} or given.dtype.kind != "f":
        raise TableError(
            f"a query embedding must have the table's size {size}; got {given.dtype} of the shape {given.shape}"
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is refused
        embedding = given.astype(np.float32).reshape(1, size)
    if not has_direction(embedding)[0]:
        raise TableError("a query embedding must be finite and not zero, else its cosine is undefined")
    from skyreid.retrieval.cosine import unit_rows

    return unit_rows(embedding)


def most_similar(
    similarities: Float32[np.ndarray, " candidate"], tracklet_ids: Shaped[np.ndarray, " candidate"], top_k: int
) -> Int64[np.ndarray, " rank"]:
    """Positions of the `top_k` most similar, ties in the order of the ids; all of them when there are fewer."""
    considered = np.arange(similarities.size)
    if top_k < similarities.size:
        # Everything that ties with the last place is kept until the ids have decided.
        last_place = np.partition(similarities, similarities.size - top_k)[similarities.size - top_k]
        considered = np.flatnonzero(similarities >= last_place)
    order = np.lexsort((tracklet_ids[considered], -similarities[considered]))
    return considered[order[:top_k]]
