"""A search in a table on disk, written as a page of pictures."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skyreid.datasets.manifest import read_manifest
from skyreid.errors import TableError
from skyreid.retrieval.contact_sheet import write_contact_sheet
from skyreid.retrieval.embedding_table import EmbeddingTable, load_table
from skyreid.retrieval.ranked_list import RankedTracklet
from skyreid.retrieval.search import Ranking, search
from skyreid.tracklet import Platform


@dataclass(frozen=True, kw_only=True, eq=False)
class ShownSearch:
    """What stands on the page."""

    ranking: Ranking
    query_platform: Platform
    model: str | None
    """sha256 of the weights that made the embeddings; None = unknown."""


def write_search_page(
    table_path: Path, query_id: str, out: Path, *, platform: Platform | None, top_k: int
) -> ShownSearch:
    """Rank the tracklets of a table by likeness to one of them and show them.

    Raises:
        TableError: no such tracklet, or a table that does not know its manifest or no longer fits it.
        ManifestError: the manifest is gone or damaged.
    """
    table = load_table(table_path)
    ranking = search(table, _row_of(table, query_id, table_path), platform=platform, top_k=top_k)
    if table.manifest is None:
        raise TableError(f"{table_path} does not say where its pictures are: make it by 'skyreid embed'")
    tracklets = {tracklet.tracklet_id: tracklet for tracklet in read_manifest(Path(table.manifest)).tracklets}
    if unlisted := [found for found in (query_id, *map(str, ranking.tracklet_ids)) if found not in tracklets]:
        raise TableError(
            f"{table.manifest} does not list tracklet {unlisted[0]!r} of {table_path}: "
            "embed the folder again by 'skyreid embed'"
        )
    ranked = [
        RankedTracklet(tracklet=tracklets[str(tracklet_id)], similarity=float(similarity))
        for tracklet_id, similarity in zip(ranking.tracklet_ids, ranking.similarities, strict=True)
    ]
    target = "any platform" if platform is None else platform.value
    write_contact_sheet(out, f"{query_id} → {target}", tracklets[query_id], ranked, num_searched=ranking.num_searched)
    return ShownSearch(ranking=ranking, query_platform=tracklets[query_id].platform, model=table.model)


def _row_of(table: EmbeddingTable, tracklet_id: str, table_path: Path) -> int:
    rows = np.flatnonzero(table.tracklet_ids.astype(str) == tracklet_id)
    if len(rows) == 0:
        some = ", ".join(table.tracklet_ids[:5].astype(str))
        raise TableError(f"{table_path} has no tracklet {tracklet_id!r}; it has {len(table)}: {some}, …")
    return int(rows[0])
