"""Who may be found in a table at all, decided before anything is ranked, with the number that each rule left out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from skyreid.arguments import kind_of
from skyreid.datasets.manifest import Manifest, read_manifest
from skyreid.errors import NothingFoundError, SettingError, TableError
from skyreid.retrieval.embedding_table import EmbeddingTable, platform_counts
from skyreid.retrieval.filters import Filters, LeftOut, filter_sightings
from skyreid.retrieval.impossible import MAX_SPEED, Seen, impossible_rows
from skyreid.retrieval.manifest_agreement import tracklets_of
from skyreid.retrieval.sighting import Sighting, camera_names, find_sighting
from skyreid.tracklet import Platform, Tracklet


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which tracklets of a table a search may find."""

    platform: Platform | None = None
    """None = both."""
    exclude: Collection[str | int] = ()
    """Ids of tracklets that must not be found, such as those rejected before."""
    filters: Filters = field(default_factory=Filters)
    possible_only: bool = False
    """Whether candidates are left out that cannot be the person of a tracklet that was asked with."""
    max_speed: float | int = MAX_SPEED
    """Of a person, in metres a second."""

    def __post_init__(self) -> None:
        if isinstance(self.exclude, str):
            raise TableError(f"exclude is a list of tracklet ids; got {kind_of(self.exclude)}")

    @property
    def needs_manifest(self) -> bool:
        """Whether the table alone cannot tell who fulfils it."""
        return self.possible_only or self.filters != Filters()


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenRows:
    """Where and when the tracklets of a table were seen, row by row."""

    manifest: Manifest
    tracklets: tuple[Tracklet, ...]
    sightings: tuple[Sighting, ...]

    @classmethod
    def of(cls, table: EmbeddingTable, manifest: Manifest, videos: Mapping[str, Path]) -> "SeenRows":
        """Look the tracklets of a table up in its manifest.

        Args:
            table: whose rows.
            manifest: of it.
            videos: by file name, those to link to.

        Raises:
            TableError: a tracklet of the table is not in the manifest.
            ManifestError: `info` names cameras or sources in another way than `skyreid build` does.
        """
        tracklets = tuple(tracklets_of(table, manifest.tracklets))
        sightings = tuple(find_sighting(tracklet, manifest, videos) for tracklet in tracklets)
        return cls(manifest=manifest, tracklets=tracklets, sightings=sightings)

    def __getitem__(self, row: int) -> Seen:
        return Seen(tracklet=self.tracklets[row], sighting=self.sightings[row])


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """The rows of a table that a search compares."""

    rows: Bool[np.ndarray, " row"]
    left_out: tuple[LeftOut, ...]
    """What each rule left out, in the order in which they were applied."""
    impossible: Mapping[int, str]
    """Why a candidate cannot be the person of a tracklet that was asked with, by row. They are among the candidates,
    unless they were to be left out."""


def choose_candidates(
    table: EmbeddingTable, scope: Scope, *, asked: Sequence[int], seen: SeenRows | None = None
) -> Candidates:
    """Tell who may be found.

    Args:
        table: what is searched.
        scope: who may be found.
        asked: rows of the tracklets that ask; they never find themselves.
        seen: where and when they were seen; None = it is looked up when the scope needs it.

    Raises:
        TableError: an id to exclude that is not in the table, or a table that names no manifest where one is needed.
        ManifestError: the manifest is gone or damaged.
        NothingFoundError: nobody is left.
        SettingError: no such camera, no time of day where one is asked for, or no tracklet asked for `possible_only`.
    """
    rows = np.ones(len(table), dtype=bool)
    rows[list(asked)] = False
    for tracklet_id in scope.exclude:
        found = table.tracklet_ids == tracklet_id
        if not np.any(found):
            raise TableError(f"cannot exclude tracklet {tracklet_id!r}: the table has no such id")
        rows &= ~found
    told: list[LeftOut] = []
    if scope.platform is not None:
        on_platform = table.platforms == scope.platform.number
        told.append(LeftOut(filter=f"platform {scope.platform}", count=int(np.count_nonzero(rows & ~on_platform))))
        rows &= on_platform
    if seen is None and scope.needs_manifest:
        seen = _looked_up(table)
    impossible: dict[int, str] = {}
    if seen is not None:
        cameras = camera_names(seen.manifest)
        rows, by_filters = filter_sightings(scope.filters, rows, seen.tracklets, seen.sightings, cameras=cameras)
        told += by_filters
        asking = [seen[row] for row in asked]
        impossible = impossible_rows(asking, rows, seen.tracklets, seen.sightings, max_speed=scope.max_speed)
    if scope.possible_only:
        if not asked:
            raise SettingError(
                "who is possible is told by when and where the query was seen; ask with a tracklet of the table too"
            )
        rows[list(impossible)] = False
        told.append(LeftOut(filter=f"possible at {scope.max_speed:g} m/s", count=len(impossible)))
        impossible = {}
    if not rows.any():
        raise NothingFoundError(_nobody_left(table, scope, told))
    return Candidates(rows=rows, left_out=tuple(told), impossible=impossible)


def _looked_up(table: EmbeddingTable) -> SeenRows:
    if table.manifest is None:
        raise TableError(
            "where and when its tracklets were seen stands in the manifest that a table names; this one names none; "
            "embed a folder of 'skyreid build'"
        )
    return SeenRows.of(table, read_manifest(Path(table.manifest)), {})


def _nobody_left(table: EmbeddingTable, scope: Scope, told: Sequence[LeftOut]) -> str:
    wanted = "other" if scope.platform is None else scope.platform
    filters = [f"{one.filter}: {one.in_words()}" for one in told if one.count and not one.filter.startswith("platform")]
    return f"no {wanted} tracklet is left to search: the table has {platform_counts(table)}, {len(scope.exclude)} " + (
        f"excluded; {'; '.join(filters)}"
        if filters
        else "excluded; search the other platform, or a table of more footage"
    )
