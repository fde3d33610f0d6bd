"""Flat materials: of the ground, of walls and roofs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from skyreid.simulation.rendering.kernels.textures import SURFACE
from skyreid.simulation.rendering.paint import Colour


@dataclass(frozen=True, kw_only=True)
class Panes:
    """Windows in rows, each in the middle of its field; some are darker than others."""

    spacing_m: tuple[float, float]
    """Width and height of a field."""
    size_m: tuple[float, float]
    colour: Colour


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A flat material that may be patchy, grainy, laid in slabs and have windows."""

    colour: Colour
    patch: Colour
    """What the colour drifts to in patches."""
    patch_m: float
    grain: float
    """Contrast of the fine grain, as a share of the colour."""
    slab_m: tuple[float, float] | None = None
    """Distance of the joints in both directions; None = none."""
    panes: Panes | None = None
    seed: int


def stack_surfaces(surfaces: Sequence[Surface]) -> Shaped[np.ndarray, " surface"]:
    """Materials as records for the kernels."""
    records = np.zeros(len(surfaces), SURFACE)
    for record, surface in zip(records, surfaces, strict=True):
        for field in ("colour", "patch", "patch_m", "grain", "seed"):
            record[field] = getattr(surface, field)
        record["slab_m"] = surface.slab_m or 0.0
        if surface.panes is not None:
            record["pane_spacing"] = surface.panes.spacing_m
            record["pane_size"] = surface.panes.size_m
            record["pane_colour"] = surface.panes.colour
    return records
