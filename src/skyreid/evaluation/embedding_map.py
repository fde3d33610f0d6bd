"""Embeddings as points of a plane, near each other where they are alike."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

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


def main_directions(rows: Float64[np.ndarray, "row dim"], count: int) -> Float64[np.ndarray, "row direction"]:
    """Coordinates along the directions of greatest variance, at most `count` and as many as there are.

    The sign of each is fixed, so that the same rows give the same coordinates on every machine.
    """
    left, lengths, right = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    kept = max(2, min(count, int(np.count_nonzero(lengths > 1e-9 * lengths.max(initial=1e-300)))))
    signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])
    coordinates = (left * (lengths * signs))[:, :kept]
    return np.pad(coordinates, ((0, 0), (0, max(0, 2 - coordinates.shape[1]))))


_PERPLEXITY = 30.0
_STEPS = 500
_EXAGGERATED_STEPS = 150
_EXAGGERATION = 12.0
_LEAST_POINTS = 8
"""Fewer have no neighbourhoods; their two main directions say it all."""


def tsne(rows: Float64[np.ndarray, "row dim"]) -> Float64[np.ndarray, "row 2"]:
    """Two coordinates per row by t-SNE, exact and without chance: the first two columns are where it starts.

    Every pair of rows is compared: memory and time grow with the square of the rows, and 1,500 take some seconds.

    Source: L. van der Maaten and G. Hinton, Visualizing Data using t-SNE, JMLR 9 (2008): equations 1 to 5 and
    figure 2's schedule. Start and learning rate: D. Kobak and P. Berens, The art of using t-SNE for single-cell
    transcriptomics, Nature Communications 10 (2019).
    """
    count = len(rows)
    if count < _LEAST_POINTS:
        return rows[:, :2].copy()
    affinities = _joint_affinities(_squared_distances(rows), min(_PERPLEXITY, (count - 1) / 3))
    start = rows[:, :2]
    points = start / max(float(start.std(axis=0).max()), 1e-300) * 1e-4
    learning_rate = max(50.0, count / _EXAGGERATION / 4)
    velocity, gains = np.zeros_like(points), np.ones_like(points)
    for step in range(_STEPS):
        is_early = step < _EXAGGERATED_STEPS
        gradient = _gradient(affinities, points, _EXAGGERATION if is_early else 1.0)
        turns = np.sign(gradient) != np.sign(velocity)
        gains = np.maximum(np.where(turns, gains + 0.2, gains * 0.8), 0.01)
        velocity = (0.5 if is_early else 0.8) * velocity - learning_rate * gains * gradient
        points = points + velocity
        points -= points.mean(axis=0)
    return points


def _squared_distances(rows: Float64[np.ndarray, "row dim"]) -> Float64[np.ndarray, "row row"]:
    squares = np.square(rows).sum(axis=1)
    distances = squares[:, np.newaxis] + squares - 2 * rows @ rows.T
    np.fill_diagonal(distances, 0)
    return np.maximum(distances, 0, out=distances)


def _joint_affinities(squared: Float64[np.ndarray, "row row"], perplexity: float) -> Float64[np.ndarray, "row row"]:
    """Gaussian neighbourhoods, each as wide as makes its perplexity the wanted one, then made symmetric."""
    count = len(squared)
    squared = squared / max(float(squared.mean()), 1e-300)  # so that 1 is a fair first guess of the precision
    # The nearest neighbour always has weight 1: nothing underflows, whatever the precision.
    farther = squared - np.where(np.eye(count, dtype=bool), np.inf, squared).min(axis=1, keepdims=True)
    np.fill_diagonal(farther, 0)
    neighbourhoods = np.empty_like(squared)
    low, high, precision = np.zeros(count), np.full(count, np.inf), np.ones(count)
    for _ in range(50):
        np.exp(-farther * precision[:, np.newaxis], out=neighbourhoods)
        np.fill_diagonal(neighbourhoods, 0)
        sums = neighbourhoods.sum(axis=1)
        entropy = np.log(sums) + precision * np.einsum("ij,ij->i", neighbourhoods, farther) / sums
        is_wide = entropy > np.log(perplexity)
        low, high = np.where(is_wide, precision, low), np.where(is_wide, high, precision)
        precision = np.where(np.isinf(high), precision * 2, (low + high) / 2)
    neighbourhoods /= neighbourhoods.sum(axis=1, keepdims=True)
    joint = neighbourhoods + neighbourhoods.T
    return np.maximum(joint / joint.sum(), 1e-12)


def _gradient(
    affinities: Float64[np.ndarray, "row row"], points: Float64[np.ndarray, "row 2"], exaggeration: float
) -> Float64[np.ndarray, "row 2"]:
    kernel = 1 / (1 + _squared_distances(points))
    np.fill_diagonal(kernel, 0)
    pull = exaggeration * affinities
    pull -= kernel / kernel.sum()
    pull *= kernel
    return 4 * (pull.sum(axis=1)[:, np.newaxis] * points - pull @ points)
