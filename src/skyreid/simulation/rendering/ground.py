"""What lies on the ground: pavements, lawns, kerbs, painted lines."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from skyreid.simulation.rendering.kernels.bins import Bins, sort_into_bins
from skyreid.simulation.rendering.kernels.shading import REGION, WIDEST_EDGE_M
from skyreid.simulation.rendering.surface import Surface


@dataclass(frozen=True, kw_only=True)
class Region:
    """A rectangle of the ground, which may have round corners and a ragged edge."""

    x: float
    """Of the middle, as `y`."""
    y: float
    length: float
    """Along the direction `turn_rad`."""
    width: float
    turn_rad: float = 0.0
    corner_m: float = 0.0
    """Radius of the corners; half of the smaller side at most."""
    rough_m: float = 0.0
    """How far the edge strays: a lawn's."""
    surface: Surface


def stack_regions(regions: Sequence[Region], surfaces: Sequence[int]) -> tuple[Shaped[np.ndarray, " region"], Bins]:
    """Regions as records for the kernels, and where they lie; `surfaces` are the numbers of their surfaces."""
    records = np.zeros(len(regions), REGION)
    for number, (record, region) in enumerate(zip(records, regions, strict=True)):
        record["middle"] = region.x, region.y
        record["turn"] = math.cos(region.turn_rad), math.sin(region.turn_rad)
        record["half"] = 0.5 * region.length, 0.5 * region.width
        record["corner"], record["rough"] = region.corner_m, region.rough_m
        record["seed"], record["surface"] = 2 * number, surfaces[number]
    turn, half = np.abs(records["turn"]), records["half"]
    reach = np.stack([(turn * half).sum(axis=1), (turn * half[:, ::-1]).sum(axis=1)], axis=1)
    reach += records["rough"][:, None] + 0.5 * WIDEST_EDGE_M
    return records, sort_into_bins(np.concatenate([records["middle"] - reach, records["middle"] + reach], axis=1))
