"""A search in a table on disk, by one or several things that were asked with: what was found, where and when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from skyreid.datasets.manifest import read_manifest
from skyreid.errors import TableError
from skyreid.feeding import Feeding
from skyreid.retrieval.candidates import Scope, Seen, SeenRows, choose_candidates
from skyreid.retrieval.manifest_agreement import check_same_pictures
from skyreid.retrieval.search import Asked, Ranking, directions_of, rank_candidates
from skyreid.retrieval.sharded_table import Table
from skyreid.retrieval.sighting import Sighting, find_videos
from skyreid.tracklet import Platform, Tracklet


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What a search found, with all that can be shown of it."""

    queries: tuple[Seen, ...]
    """Tracklets of the table that were asked with."""
    asked: tuple[Asked, ...]
    """What else was asked with."""
    ranking: Ranking
    tracklets: tuple[Tracklet, ...]
    """Of the ranking, in its order."""
    sightings: tuple[Sighting, ...]
    """Where and when they were seen."""
    target: Platform | None
    """The platform that was searched; None = both."""
    num_impossible: int
    """How many candidates cannot be the person of a tracklet that was asked with, and are ranked all the same."""
    model: str | None
    """sha256 of the weights that made the embeddings; None = unknown."""
    feeding: Feeding | None
    """How those weights were fed; None = unknown."""

    @property
    def words(self) -> list[str]:
        """What was asked with, a few words each."""
        return [*(one.tracklet.tracklet_id for one in self.queries), *(one.words for one in self.asked)]

    @property
    def remarks(self) -> list[str]:
        """What somebody must know who reads the ranking, a sentence each."""
        told = [note for one in self.asked for note in one.notes]
        if len(self.queries) + len(self.asked) > 1:
            told.append("Asked with all of these as one: by the mean of their cosines, each with the same weight.")
        told += [f"{one.filter}: {one.in_words()}." for one in self.ranking.left_out]
        if self.num_impossible:
            told.append(
                f"{self.num_impossible} of {self.ranking.num_searched} candidates cannot be the person by time and "
                "place, and are ranked and marked all the same (--possible-only leaves them out)."
            )
        return list(dict.fromkeys(told))


def search_table(
    table: Table,
    queries: Sequence[str],
    *,
    table_path: Path,
    asked: Sequence[Asked] = (),
    scope: Scope | None = None,
    top_k: int = 20,
    videos: Path | Mapping[str, Path] | None = None,
) -> Found:
    """Rank the tracklets of a table by likeness to what is asked with, and look up where each was seen.

    Args:
        table: what `skyreid embed` wrote.
        queries: tracklets of the table.
        table_path: where the table lies; for messages, and for the videos beside it.
        asked: what else is asked with. All of it asks as one, by the mean of the cosines.
        scope: who may be found; None = everybody.
        top_k: how many to find.
        videos: the footage, for links to the moment: by the name of the source, or the folder with it; None = the
            folders of the table, of its manifest and above it.

    Raises:
        TableError: no such tracklet, or a table that does not know its manifest or no longer fits it.
        ManifestError: the manifest is gone or damaged.
        NothingFoundError: nobody may be found.
        SettingError: a scope that cannot be.
    """
    scope = scope or Scope()
    if table.manifest is None:
        raise TableError(
            f"{table_path} does not say where its pictures are, as tables of what 'skyreid build' made do (skyreid "
            "embed); any table is searched without pictures in Python: skyreid.search"
        )
    folder = Path(table.manifest).parent
    manifest = read_manifest(Path(table.manifest))
    directions, rows = directions_of(table, [*queries, *asked])
    try:
        check_same_pictures(table, manifest.tracklets)
    except TableError as refusal:
        raise TableError(f"{table_path}, beside {table.manifest}: {refusal}") from None
    if not isinstance(videos, Mapping):
        places = (table_path.parent, folder, folder.parent) if videos is None else (videos,)
        videos = find_videos(manifest, places)
    seen = SeenRows.of(table, manifest, videos)
    candidates = choose_candidates(table, scope, asked=rows, seen=seen)
    ranking = rank_candidates(table, directions, candidates, top_k=top_k)
    found = [int(row) for row in ranking.rows]
    return Found(
        queries=tuple(seen[row] for row in rows),
        asked=tuple(asked),
        ranking=ranking,
        tracklets=tuple(seen.tracklets[row] for row in found),
        sightings=tuple(seen.sightings[row] for row in found),
        target=scope.platform,
        num_impossible=len(candidates.impossible),
        model=table.model,
        feeding=table.feeding,
    )
