"""Embeddings as points of a plane, near each other where they are alike."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from skyreid.evaluation.tsne import main_directions, tsne
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.tracklet import DISTRACTOR_PID, PLATFORMS

MAX_POINTS = 1_500
_MAIN_DIRECTIONS = 50
_SHOWN_PEOPLE = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingMap:
    """What is drawn: a point for each tracklet."""

    points: Float64[np.ndarray, "tracklet 2"]
    pids: Int64[np.ndarray, " tracklet"]
    platforms: Int64[np.ndarray, " tracklet"]
    """0 ground, 1 aerial."""
    tracklet_ids: Shaped[np.ndarray, " tracklet"]
    is_query: Bool[np.ndarray, " tracklet"]
    """Tracklets that asked, and could have found their person."""
    is_failure: Bool[np.ndarray, " tracklet"]
    """Queries that found somebody else first."""
    shown_pids: tuple[int, ...]
    """People to be told apart by colour, in this order."""
    num_tracklets: int
    """How many there are; more than points where people were left out."""
    method: str
    """How the points were found."""


def map_embeddings(
    table: EmbeddingTable, first_places: Int64[np.ndarray, " tracklet"], *, max_points: int = MAX_POINTS
) -> EmbeddingMap:
    """Lay the tracklets of a table out on a plane; the same table always gives the same map.

    Of a larger table whole people are kept, spread evenly over the pids. Those to be told apart by colour are
    spread evenly from the person whose platforms look most alike to the one whose platforms look least alike.

    Args:
        table: queries and gallery together.
        first_places: per row, where its person stood first, from 0; -1 = it did not ask, or could not find.
        max_points: tracklets to draw; a dozen seconds for 1,500.
    """
    rows = _sampled_rows(table.pids, max_points)
    unit = table.unit_embeddings[rows].astype(np.float64)
    directions = main_directions(unit, _MAIN_DIRECTIONS)
    return EmbeddingMap(
        points=tsne(directions),
        pids=table.pids[rows],
        platforms=table.platforms[rows],
        tracklet_ids=table.tracklet_ids[rows],
        is_query=first_places[rows] >= 0,
        is_failure=first_places[rows] > 0,
        shown_pids=_spread_people(unit, table.pids[rows], table.platforms[rows]),
        num_tracklets=len(table),
        method=f"t-SNE of {directions.shape[1]} principal components",
    )


def _sampled_rows(pids: Int64[np.ndarray, " tracklet"], max_points: int) -> Int64[np.ndarray, " row"]:
    """All rows, or those of as many evenly spread people as fit."""
    if len(pids) <= max_points:
        return np.arange(len(pids))
    people, sizes = np.unique(pids, return_counts=True)
    num_people = len(people)
    while True:
        kept = np.unique(np.linspace(0, len(people) - 1, num_people).round().astype(int))
        if num_people == 1 or sizes[kept].sum() <= max_points:
            return np.flatnonzero(np.isin(pids, people[kept]))[:max_points]
        # Fewer in proportion to the excess, and one at least.
        num_people = max(1, min(num_people - 1, int(num_people * max_points / sizes[kept].sum())))


def _spread_people(
    unit: Float64[np.ndarray, "row embed"], pids: Int64[np.ndarray, " row"], platforms: Int64[np.ndarray, " row"]
) -> tuple[int, ...]:
    """People seen from both platforms, from the most alike to the least alike."""
    likeness = {}
    for pid in np.unique(pids[pids > DISTRACTOR_PID]):
        seen = [unit[(pids == pid) & (platforms == platform.number)] for platform in PLATFORMS]
        if all(map(len, seen)):
            ground, aerial = (embeddings.mean(axis=0) for embeddings in seen)
            likeness[int(pid)] = float(ground @ aerial / (np.linalg.norm(ground) * np.linalg.norm(aerial) + 1e-12))
    by_likeness = sorted(likeness, key=lambda pid: (-likeness[pid], pid))
    shown = min(_SHOWN_PEOPLE, len(by_likeness))
    return tuple(by_likeness[place] for place in np.linspace(0, len(by_likeness) - 1, shown).round().astype(int))
