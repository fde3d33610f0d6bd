"""How far boxes cover each other, and which of two sets belong together."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment

Box: TypeAlias = tuple[float, float, float, float]
"""xyxy in pixels."""

MIN_IOU = 0.5
"""Of two boxes that show the same person."""
POINTS = 32
"""Along each side of a box whose covered share is measured."""


def matched_boxes(found: Sequence[Box], true: Sequence[Box]) -> dict[int, int]:
    """Pair boxes one to one, so that the sum of their intersections over unions is the largest.

    Returns:
        Place of a found box to place of its true box; who has no partner with at least MIN_IOU is absent.
    """
    if not found or not true:
        return {}
    overlap = intersections_over_unions(np.array(found), np.array(true))
    worth = np.where(overlap >= MIN_IOU, overlap, 0.0)
    pairs = zip(*linear_sum_assignment(worth, maximize=True), strict=True)
    return {int(row): int(column) for row, column in pairs if worth[row, column] > 0}


def intersections_over_unions(
    found: Float[np.ndarray, "found 4"], true: Float[np.ndarray, "true 4"]
) -> Float[np.ndarray, "found true"]:
    """Compare every box with every other."""
    low = np.maximum(found[:, None, :2], true[None, :, :2])
    high = np.minimum(found[:, None, 2:], true[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0.0), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (found, true)]
    return common / (areas[0][:, None] + areas[1][None, :] - common)


def points_in(box: Box) -> Float[np.ndarray, "point 2"]:
    """Spread points evenly over a box; the share of them in some region is the share of its area."""
    x, y = (
        start + (end - start) * (np.arange(POINTS) + 0.5) / POINTS for start, end in zip(box[:2], box[2:], strict=True)
    )
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def are_in_any(points: Float[np.ndarray, "point 2"], boxes: Sequence[Box]) -> Bool[np.ndarray, " point"]:
    """Say of each point whether one of the boxes holds it."""
    bounds = np.array(boxes, dtype=float).reshape(-1, 1, 4)
    within = np.all((points >= bounds[..., :2]) & (points < bounds[..., 2:]), axis=2)  # [box, point]
    return np.any(within, axis=0)


def touch(first: Box, second: Box) -> bool:
    """Say whether two boxes share any area."""
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]
