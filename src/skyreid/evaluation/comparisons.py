"""Who is compared with whom under a protocol, whatever the comparison is made with."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int64

from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.errors import ProtocolError
from skyreid.retrieval.cosine import unit_rows_into
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.retrieval.sharded_table import ShardFile, Table
from skyreid.retrieval.table_rows import platform_counts, require_comparable
from skyreid.tracklet import JUNK_PID, PLATFORMS, Platform


@dataclass(frozen=True, eq=False)
class Part:
    """What one side of a comparison has of one file, or of a table in memory."""

    source: EmbeddingTable | ShardFile
    """Has the embeddings; a file is opened and checked when they are first asked for."""
    rows: Int64[np.ndarray, " kept"]
    """Of the source, ascending."""


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a comparison: some rows of tables that stand one behind the other."""

    parts: tuple[Part, ...]
    """The files in which they lie; in their order the tracklets stand here."""
    pids: Int64[np.ndarray, " tracklet"]
    camids: Int64[np.ndarray, " tracklet"]
    platforms: Int64[np.ndarray, " tracklet"]
    tie_ranks: Int64[np.ndarray, " tracklet"]
    """Rise with the tracklet ids; of entries that are equally close, the smaller one stands first."""

    @cached_property
    def unit_embeddings(self) -> Float32[np.ndarray, "tracklet embed"]:
        """All of them, scaled to length 1; of a large gallery they are most of the memory that an evaluation needs."""
        first = self.parts[0].source
        if len(self.parts) == 1 and isinstance(first, EmbeddingTable) and len(first) == len(self.pids):
            return first.unit_embeddings
        units = np.empty((len(self.pids), first.embeddings.shape[1]), dtype=np.float32)
        start = 0
        for part in self.parts:
            unit_rows_into(units[start : start + len(part.rows)], part.source.embeddings, part.rows)
            start += len(part.rows)
        return units

    def by_part(self) -> "list[Side]":
        """Split it where one file ends and the next begins; files of which it has nothing are left out."""
        sides, start = [], 0
        for part in self.parts:
            rows = slice(start, start + len(part.rows))
            columns = (self.pids[rows], self.camids[rows], self.platforms[rows], self.tie_ranks[rows])
            if part.rows.size:
                sides.append(Side((part,), *columns))
            start = rows.stop
        return sides


@dataclass(frozen=True, eq=False)
class SamePerson:
    """The gallery entries that show the persons of some queries, query after query."""

    good: Int64[np.ndarray, " match"]
    """Gallery rows; those of the q-th query are `good[good_offsets[q]:good_offsets[q + 1]]`."""
    good_offsets: Int64[np.ndarray, " query_and_1"]
    junk: Int64[np.ndarray, " junk"]
    """Gallery rows that leave the ranking of the query."""
    junk_offsets: Int64[np.ndarray, " query_and_1"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Queries that see the same gallery."""

    query: Side
    gallery: Side
    query_rows: Int64[np.ndarray, " query"]
    """Where the queries stand in the query table."""
    has_junk: bool
    """For one query, entries of its pid and its camid leave the ranking."""

    def same_person(self, start: int, stop: int) -> SamePerson:
        """Find the good entries and the junk of the queries `start` to `stop`."""
        by_pid, firsts, lasts = self._by_pid
        counts = lasts[start:stop] - firsts[start:stop]
        owners = np.repeat(np.arange(start, stop), counts)
        rows = by_pid[consecutive(firsts[start:stop], counts)]
        is_junk = self.gallery.camids[rows] == self.query.camids[owners] if self.has_junk else np.zeros(len(rows), bool)

        def offsets(kept: Bool[np.ndarray, " entry"]) -> Int64[np.ndarray, " query_and_1"]:
            return np.concatenate([[0], np.cumsum(np.bincount(owners[kept] - start, minlength=stop - start))])

        return SamePerson(rows[~is_junk], offsets(~is_junk), rows[is_junk], offsets(is_junk))

    @property
    def num_of_same_person(self) -> Int64[np.ndarray, " query"]:
        """How many gallery entries show the person of each query, junk among them."""
        _, firsts, lasts = self._by_pid
        return lasts - firsts

    @cached_property
    def _by_pid(
        self,
    ) -> tuple[Int64[np.ndarray, " gallery"], Int64[np.ndarray, " query"], Int64[np.ndarray, " query"]]:
        """The gallery rows by pid, and where the pid of each query begins and ends among them."""
        by_pid = np.argsort(self.gallery.pids, kind="stable")
        in_order = self.gallery.pids[by_pid]
        firsts = np.searchsorted(in_order, self.query.pids, side="left")
        return by_pid, firsts, np.searchsorted(in_order, self.query.pids, side="right")


def consecutive(starts: Int64[np.ndarray, " span"], counts: Int64[np.ndarray, " span"]) -> Int64[np.ndarray, " number"]:
    """Give so many numbers from each start, one span behind the other."""
    return np.arange(counts.sum()) + np.repeat(starts - np.cumsum(counts) + counts, counts)


def comparisons(query: Table, gallery: Table, protocol: EvaluationProtocol) -> list[Comparison]:
    """Split the queries that ask into groups that see the same gallery.

    Gallery entries with the junk pid (-1) are in none. Where the protocol puts the queries into the gallery,
    they stand in front of it, and win ties against it. The two tables may use the same tracklet ids for
    different tracklets.

    Raises:
        TableError: the tables hold embeddings of different sizes or models.
        ProtocolError: the protocol leaves nobody to ask or nobody to search.
    """
    require_comparable(query, gallery)
    searched = [query, gallery] if protocol.gallery_includes_queries else [gallery]
    platforms = np.concatenate([table.platforms for table in searched])
    asks = np.ones(len(query), dtype=bool)
    if protocol.query_platform is not None:
        asks = query.platforms == protocol.query_platform.number
    is_ranked = np.concatenate([table.pids for table in searched]) != JUNK_PID
    if protocol.gallery_platform is not None:
        is_ranked &= platforms == protocol.gallery_platform.number
    if not asks.any():
        raise ProtocolError(
            f"{protocol.name}: no {_named(protocol.query_platform)} to ask; "
            f"the query table has {platform_counts(query)}"
        )
    if not is_ranked.any():
        raise ProtocolError(
            f"{protocol.name}: no {_named(protocol.gallery_platform)} to search; the gallery table has "
            f"{platform_counts(gallery)}, of them {np.count_nonzero(gallery.pids == JUNK_PID)} junk"
        )
    groups = [(asks, is_ranked)]
    if protocol.other_platform_only:
        groups = [(asks & (query.platforms == own.number), is_ranked & (platforms != own.number)) for own in PLATFORMS]
    return [
        Comparison(
            query=_side([query], ask),
            gallery=_side(searched, rank),
            query_rows=np.flatnonzero(ask),
            has_junk=protocol.junk_same_camera and not protocol.crosses_platforms,
        )
        for ask, rank in groups
        if ask.any()
    ]


def _side(tables: list[Table], rows: Bool[np.ndarray, " tracklet"]) -> Side:
    """The given rows of tables that stand one behind the other."""
    ends = np.cumsum([len(table) for table in tables])
    tie_ranks = [table.id_ranks + end - len(table) for table, end in zip(tables, ends, strict=True)]
    kept = np.split(rows, ends[:-1])

    def column(name: str) -> Int64[np.ndarray, " kept"]:
        return np.concatenate([getattr(table, name) for table in tables])[rows]

    return Side(
        parts=tuple(part for table, mask in zip(tables, kept, strict=True) for part in _parts(table, mask)),
        pids=column("pids"),
        camids=column("camids"),
        platforms=column("platforms"),
        tie_ranks=np.concatenate(tie_ranks)[rows],
    )


def _parts(table: Table, kept: Bool[np.ndarray, " tracklet"]) -> list[Part]:
    """Say what of the rows of a table lies in which of its files."""
    if isinstance(table, EmbeddingTable):
        return [Part(table, np.flatnonzero(kept))]
    masks = np.split(kept, table.starts[1:])
    return [Part(file, np.flatnonzero(mask)) for file, mask in zip(table.files, masks, strict=True)]


def _named(platform: Platform | None) -> str:
    return "tracklet" if platform is None else f"{platform} tracklet"
