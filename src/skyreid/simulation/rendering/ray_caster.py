"""Draw people in their surroundings: rays, surfaces, sun and sky light, shadows.

Solids are met one after the other, each only by the rays inside the exact box of its outline: the cost
follows the area that they cover.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from skyreid.simulation.rendering.camera import Camera, Window
from skyreid.simulation.rendering.capsules import Capsules, image_boxes, join, parallel_boxes, stack
from skyreid.simulation.rendering.kernels.bins import sort_into_bins
from skyreid.simulation.rendering.kernels.hits import nearest_hits, see_sun, seen_bodies
from skyreid.simulation.rendering.kernels.shading import (
    CONTACT_REACH_M,
    ground_colours,
    ground_shares,
    shade_blocks,
    shade_ground,
    shade_parts,
    shade_sky,
    sky_shares,
)
from skyreid.simulation.rendering.light import Light
from skyreid.simulation.rendering.surroundings import Surroundings, parallel_block_boxes

_STANDS_BELOW_M = 0.45
"""Blocks whose foot is higher than that hang in the air."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A crop or a whole frame before it went through a sensor."""

    radiance: Float[np.ndarray, "height width 3"]
    """Linear light, the means of the pixels."""
    body: Int[np.ndarray, "row column"]
    """Which body each ray meets first, -1 for none; there are several rays a pixel in both directions."""
    part: Int[np.ndarray, "row column"]
    """Which part of that body, -1 for none."""
    alone: Int[np.ndarray, " body"]
    """How many rays would meet each body if nothing hid it."""

    def coverage(self, body: int) -> Float[np.ndarray, "height width"]:
        """The share of every pixel that a body visibly covers."""
        height, width, _ = self.radiance.shape
        samples = self.body.shape[0] // height
        seen = (self.body == body).reshape(height, samples, width, samples)
        return seen.mean(axis=(1, 3), dtype=np.float32)


def draw(
    camera: Camera,
    window: Window,
    bodies: Sequence[Capsules],
    surroundings: Surroundings,
    light: Light,
    *,
    samples: int,
) -> Picture:
    """Draw with `samples` x `samples` rays a pixel everywhere. The same arguments give the same bytes."""
    columns, rows = camera.sample_grid(window, samples)
    rays = (camera.pinhole, columns, rows)
    groups = [*bodies, *surroundings.growths]
    counts = [len(group.paints) for group in groups]
    standing, blocks = join(groups), surroundings.block_records
    parts, corners = stack(standing, counts), surroundings.block_corners
    spans = [_spans(boxes, columns, rows) for boxes in (image_boxes(standing, camera), camera.outlines(corners))]
    depth, met, alone = nearest_hits(*rays, parts, spans[0], blocks, spans[1], len(bodies))

    sun_axes = light.axes
    from_sun = [parallel_boxes(standing, sun_axes[:2]), parallel_block_boxes(corners, sun_axes[:2])]
    from_sun = np.concatenate(from_sun)
    shades = sort_into_bins(from_sun)
    sunlit = see_sun(*rays, depth, met, parts, blocks, sun_axes, from_sun, shades.grid, shades.first, shades.boxes)

    radiance = np.zeros((window.height, window.width, 3), np.float32)
    sources, surfaces = np.array([light.direction, light.sun, light.sky]), surroundings.surface_records
    shade_parts(radiance, *rays, depth, met, sunlit, parts, sources)
    shade_blocks(radiance, *rays, depth, met, sunlit, parts.size, blocks, surfaces, sources)
    ground, sunny, sky = ground_shares(met, sunlit, samples)
    regions, laid = surroundings.laid_regions
    colours, ground_depth = ground_colours(*rays, ground, regions, laid.grid, laid.first, laid.boxes, surfaces)
    first_part = np.cumsum([0, *counts])
    contacts = sort_into_bins(_contact_boxes(standing, first_part, surroundings))
    open_sky = sky_shares(*rays, ground, parts, first_part, blocks, contacts.grid, contacts.first, contacts.boxes)
    shade_ground(radiance, ground, sunny, colours, ground_depth, open_sky, sources)
    shade_sky(radiance, *rays, sky, sources)
    return Picture(radiance, *seen_bodies(met, parts, len(bodies)), alone)


def _spans(
    boxes: Float[np.ndarray, "box 4"], columns: Float[np.ndarray, " column"], rows: Float[np.ndarray, " row"]
) -> Int[np.ndarray, "box 4"]:
    """The rays inside each box, as half-open ranges (left, top, right, bottom) of the grid."""
    grid = (columns, rows, columns, rows)
    return np.stack([np.searchsorted(places, side) for places, side in zip(grid, boxes.T, strict=True)], axis=1)


def _contact_boxes(
    standing: Capsules, first_part: Int[np.ndarray, " body_and_one"], surroundings: Surroundings
) -> Float[np.ndarray, "solid 4"]:
    """Where the ground sees less sky: round bodies, then round blocks; nowhere for a block that hangs high."""
    middles = 0.5 * (standing.start[:, :2] + standing.end[:, :2])
    corners = surroundings.block_corners[:, :, :2]
    low, high = (
        np.concatenate(
            [end.reduceat(middles, first_part[:-1]) if len(middles) else middles, end.reduce(corners, axis=1)]
        )
        for end in (np.minimum, np.maximum)
    )
    boxes = np.concatenate([low - CONTACT_REACH_M, high + CONTACT_REACH_M], axis=1)
    blocks = boxes[len(first_part) - 1 :]
    blocks[surroundings.block_corners[:, :, 2].min(axis=1) > _STANDS_BELOW_M] = (
        math.inf,
        math.inf,
        -math.inf,
        -math.inf,
    )
    return boxes
