"""A search in a table on disk, by a tracklet of it: what was found, and where and when it was seen."""

from dataclasses import dataclass
from pathlib import Path

from skyreid.datasets.manifest import read_manifest
from skyreid.errors import TableError
from skyreid.feeding import Feeding
from skyreid.retrieval.embedding_table import load_table
from skyreid.retrieval.manifest_agreement import check_same_pictures
from skyreid.retrieval.search import Ranking, search
from skyreid.retrieval.sighting import Sighting, find_sighting, find_videos
from skyreid.tracklet import Platform, Tracklet


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What a search found, with all that can be shown of it."""

    query: Tracklet
    query_sighting: Sighting
    ranking: Ranking
    tracklets: tuple[Tracklet, ...]
    """Of the ranking, in its order."""
    sightings: tuple[Sighting, ...]
    """Where and when they were seen."""
    target: Platform | None
    """The platform that was searched; None = both."""
    model: str | None
    """sha256 of the weights that made the embeddings; None = unknown."""
    feeding: Feeding | None
    """How those weights were fed; None = unknown."""


def search_tracklet(
    table_path: Path, query_id: str, *, platform: Platform | None, top_k: int, videos: Path | None = None
) -> Found:
    """Rank the tracklets of a table by likeness to one of them, and look up where each was seen.

    Args:
        table_path: what `skyreid embed` wrote.
        query_id: a tracklet of the table.
        platform: to search; None = both.
        top_k: how many to find.
        videos: folder with the footage, for links to the moment; None = the folders of the table, of its
            manifest and above it.

    Raises:
        TableError: no such tracklet, or a table that does not know its manifest or no longer fits it.
        ManifestError: the manifest is gone or damaged.
    """
    table = load_table(table_path)
    if table.manifest is None:
        raise TableError(
            f"{table_path} does not say where its pictures are, as tables of what 'skyreid build' made do (skyreid "
            "embed); any table is searched without pictures in Python: skyreid.search"
        )
    folder = Path(table.manifest).parent
    manifest = read_manifest(Path(table.manifest))
    tracklets = {tracklet.tracklet_id: tracklet for tracklet in manifest.tracklets}
    ranking = search(table, query_id, platform=platform, top_k=top_k)
    found_ids = [str(tracklet_id) for tracklet_id in ranking.tracklet_ids]
    try:
        check_same_pictures(table, manifest.tracklets)
    except TableError as refusal:
        raise TableError(f"{table_path}, beside {table.manifest}: {refusal}") from None
    places = (table_path.parent, folder, folder.parent) if videos is None else (videos,)
    files = find_videos(manifest, places)
    return Found(
        query=tracklets[query_id],
        query_sighting=find_sighting(tracklets[query_id], manifest, files),
        ranking=ranking,
        tracklets=tuple(tracklets[one] for one in found_ids),
        sightings=tuple(find_sighting(tracklets[one], manifest, files) for one in found_ids),
        target=platform,
        model=table.model,
        feeding=table.feeding,
    )
