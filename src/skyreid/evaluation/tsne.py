"""t-SNE, exact and without chance: every pair of points is compared, and it starts from the main directions.

Source: L. van der Maaten and G. Hinton, Visualizing Data using t-SNE, JMLR 9 (2008): equations 1 to 5 and
figure 2's schedule. Start and learning rate: D. Kobak and P. Berens, The art of using t-SNE for single-cell
transcriptomics, Nature Communications 10 (2019).
"""

import numpy as np
from jaxtyping import Float64

_PERPLEXITY = 30.0
_STEPS = 500
_EXAGGERATED_STEPS = 150
_EXAGGERATION = 12.0
_LEAST_POINTS = 8
"""Fewer have no neighbourhoods; their two main directions say it all."""


def main_directions(rows: Float64[np.ndarray, "row dim"], count: int) -> Float64[np.ndarray, "row direction"]:
    """Coordinates along the directions of greatest variance, at most `count` and as many as there are.

    The sign of each is fixed, so that the same rows give the same coordinates on every machine.
    """
    left, lengths, right = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    kept = max(2, min(count, int(np.count_nonzero(lengths > 1e-9 * lengths.max(initial=1e-300)))))
    signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])
    coordinates = (left * (lengths * signs))[:, :kept]
    return np.pad(coordinates, ((0, 0), (0, max(0, 2 - coordinates.shape[1]))))


def tsne(rows: Float64[np.ndarray, "row dim"]) -> Float64[np.ndarray, "row 2"]:
    """Two coordinates per row; the first two columns are where it starts.

    Memory and time grow with the square of the rows: 1,500 take some seconds.
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
