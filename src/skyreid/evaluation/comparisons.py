"""Who is compared with whom under a protocol, whatever the comparison is made with."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int64

from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.errors import ProtocolError
from skyreid.retrieval.cosine import unit_rows_into
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.retrieval.table_rows import platform_counts, require_comparable
from skyreid.tracklet import JUNK_PID, PLATFORMS, Platform


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a comparison: what it needs of a table."""

    unit_embeddings: Float32[np.ndarray, "tracklet embed"]
    pids: Int64[np.ndarray, " tracklet"]
    camids: Int64[np.ndarray, " tracklet"]
    platforms: Int64[np.ndarray, " tracklet"]
    tie_ranks: Int64[np.ndarray, " tracklet"]
    """Rise with the tracklet ids; of entries that are equally close, the smaller one stands first."""


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
        num_before = np.repeat(np.cumsum(counts) - counts, counts)
        rows = by_pid[firsts[owners] + np.arange(owners.size) - num_before]
        is_junk = self.gallery.camids[rows] == self.query.camids[owners] if self.has_junk else np.zeros(len(rows), bool)

        def offsets(kept: Bool[np.ndarray, " entry"]) -> Int64[np.ndarray, " query_and_1"]:
            return np.concatenate([[0], np.cumsum(np.bincount(owners[kept] - start, minlength=stop - start))])

        return SamePerson(rows[~is_junk], offsets(~is_junk), rows[is_junk], offsets(is_junk))

    @cached_property
    def _by_pid(
        self,
    ) -> tuple[Int64[np.ndarray, " gallery"], Int64[np.ndarray, " query"], Int64[np.ndarray, " query"]]:
        """The gallery rows by pid, and where the pid of each query begins and ends among them."""
        by_pid = np.argsort(self.gallery.pids, kind="stable")
        in_order = self.gallery.pids[by_pid]
        firsts = np.searchsorted(in_order, self.query.pids, side="left")
        return by_pid, firsts, np.searchsorted(in_order, self.query.pids, side="right")


def comparisons(query: EmbeddingTable, gallery: EmbeddingTable, protocol: EvaluationProtocol) -> list[Comparison]:
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


def _side(tables: list[EmbeddingTable], rows: Bool[np.ndarray, " tracklet"]) -> Side:
    """The given rows of tables that stand one behind the other."""
    ends = np.cumsum([len(table) for table in tables])
    tie_ranks = [table.id_ranks + end - len(table) for table, end in zip(tables, ends, strict=True)]
    kept = np.split(rows, ends[:-1])

    def column(name: str) -> Int64[np.ndarray, " kept"]:
        return np.concatenate([getattr(table, name) for table in tables])[rows]

    return Side(
        unit_embeddings=_unit_embeddings(tables, kept),
        pids=column("pids"),
        camids=column("camids"),
        platforms=column("platforms"),
        tie_ranks=np.concatenate(tie_ranks)[rows],
    )


def _unit_embeddings(
    tables: list[EmbeddingTable], kept: list[Bool[np.ndarray, "_"]]
) -> Float32[np.ndarray, "kept embed"]:
    """Made once and never copied: with a large gallery they are most of the memory that an evaluation needs."""
    if len(tables) == 1 and kept[0].all():
        return tables[0].unit_embeddings
    units = np.empty((sum(map(np.count_nonzero, kept)), tables[0].embeddings.shape[1]), dtype=np.float32)
    start = 0
    for table, rows in zip(tables, kept, strict=True):
        stop = start + np.count_nonzero(rows)
        unit_rows_into(units[start:stop], table.embeddings, np.flatnonzero(rows))
        start = stop
    return units


def _named(platform: Platform | None) -> str:
    return "tracklet" if platform is None else f"{platform} tracklet"
