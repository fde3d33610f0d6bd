"""A map from the vectors of one model to those of another, learned from tracklets that have both.

    bridged(x) = x M + b, for the unit vector x of a tracklet; M [old embed, new embed], b takes mean to mean

Three fifths of the pairs give two maps: the rotation that brings them nearest (orthogonal Procrustes: M = U Vᵀ of
XᵀY = U S Vᵀ, both centred) and the least squares of a ridge regression. The fourth fifth says which of them, the last
one how much is lost: of the `DEEP` most similar by the new model alone, how many are among those of the bridge.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from skyreid.files.strict_json import Json

DEEP = 10
RIDGE = 0.1
"""Of the mean square of a direction, added to all."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearMap:
    """M and b."""

    matrix: Float32[np.ndarray, "old new"]
    offset: Float32[np.ndarray, " new"]

    def across(self, old: Float32[np.ndarray, "row old"]) -> Float32[np.ndarray, "row new"]:
        """Bring unit vectors over; their lengths mean nothing."""
        return old @ self.matrix + self.offset


@dataclass(frozen=True, kw_only=True, eq=False)
class Bridge:
    """A map, and what it was worth on tracklets that had no part in it."""

    map: LinearMap
    recall: float
    """What `share_found` gives for the new model among what was brought over."""
    recall_of_old: float
    """The same by the old vectors, which cannot be asked by the new model."""
    num_judged: int
    """Among so many: who is looked for among more is found less often."""

    def to_json(self) -> dict[str, Json]:
        """Say to a program what it was worth."""
        return {"recall": self.recall, "recall_of_old": self.recall_of_old, "judged_among": self.num_judged}


def build_bridge(old: Float32[np.ndarray, "pair old"], new: Float32[np.ndarray, "pair new"]) -> Bridge:
    """Learn and judge a map from unit vectors of the same tracklets, in a random order; more than five times `DEEP`."""
    first, second = len(old) * 3 // 5, len(old) * 4 // 5
    maps = [learn(old[:first], new[:first]) for learn in (_rotation, _least_squares)]
    chosen = max(maps, key=lambda one: share_found(one.across(old[first:second]), new[first:second], new[first:second]))
    judged = old[second:], new[second:]
    return Bridge(
        map=chosen,
        recall=share_found(chosen.across(judged[0]), judged[1], judged[1]),
        recall_of_old=share_found(judged[0], judged[0], judged[1]),
        num_judged=len(judged[0]),
    )


def share_found(
    gallery: Float32[np.ndarray, "judged embed"],
    asked: Float32[np.ndarray, "judged embed"],
    new: Float32[np.ndarray, "judged new"],
) -> float:
    """Of the ten most similar by the new model, the share found in a gallery of the same tracklets, 0 to 1."""
    units = gallery / np.linalg.norm(gallery, axis=1, keepdims=True)
    found, right = _nearest(asked @ units.T), _nearest(new @ new.T)
    return float(np.mean([len(set(ours) & set(theirs)) / DEEP for ours, theirs in zip(found, right, strict=True)]))


def _rotation(old: Float32[np.ndarray, "pair old"], new: Float32[np.ndarray, "pair new"]) -> LinearMap:
    left, _, right = np.linalg.svd((old - old.mean(axis=0)).T @ (new - new.mean(axis=0)), full_matrices=False)
    return _between_means(left @ right, old, new)


def _least_squares(old: Float32[np.ndarray, "pair old"], new: Float32[np.ndarray, "pair new"]) -> LinearMap:
    centred = old - old.mean(axis=0)
    square = centred.T @ centred
    damping = RIDGE * np.trace(square) / len(square) * np.eye(len(square), dtype=square.dtype)
    return _between_means(np.linalg.solve(square + damping, centred.T @ (new - new.mean(axis=0))), old, new)


def _between_means(
    matrix: np.ndarray, old: Float32[np.ndarray, "pair old"], new: Float32[np.ndarray, "pair new"]
) -> LinearMap:
    matrix = matrix.astype(np.float32)
    return LinearMap(matrix=matrix, offset=new.mean(axis=0) - old.mean(axis=0) @ matrix)


def _nearest(scores: Float32[np.ndarray, "judged judged"]) -> Int64[np.ndarray, "judged deep"]:
    np.fill_diagonal(scores, -np.inf)  # nobody is looked for with themselves
    return np.argsort(-scores, axis=1, kind="stable")[:, :DEEP]
