"""Blocks: what buildings, cars, walls and stalls are made of."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float, Shaped

from skyreid.simulation.rendering.kernels.solids import BLOCK
from skyreid.simulation.rendering.surface import Surface


@dataclass(frozen=True, kw_only=True)
class Block:
    """A box turned about the vertical whose top may be smaller than its foot and lie off its middle."""

    x: float
    """Of the middle of the foot, as `y`."""
    y: float
    base: float = 0.0
    """Height of the foot over the ground."""
    length: float
    """Along the direction `turn_rad`."""
    width: float
    height: float
    turn_rad: float = 0.0
    top_length: float | None = None
    """None = as long as the foot; 0 makes a ridge, as of a roof."""
    top_width: float | None = None
    top_shift: float = 0.0
    """How far the top's middle lies ahead of the foot's."""
    sides: Surface
    top: Surface

    def corners(self) -> Float[np.ndarray, "8 3"]:
        """In the world; numbered by three bits: front, left, top."""
        top_length = self.length if self.top_length is None else self.top_length
        top_width = self.width if self.top_width is None else self.top_width
        cos, sin = math.cos(self.turn_rad), math.sin(self.turn_rad)
        corners = []
        for front, left, is_top in product((-0.5, 0.5), (-0.5, 0.5), (False, True)):
            along = front * top_length + self.top_shift if is_top else front * self.length
            aside = left * (top_width if is_top else self.width)
            corners.append(
                (
                    self.x + cos * along - sin * aside,
                    self.y + sin * along + cos * aside,
                    self.base + self.height * is_top,
                )
            )
        return np.array(corners)


def stack_blocks(blocks: Sequence[Block], surfaces: Sequence[tuple[int, int]]) -> Shaped[np.ndarray, " block"]:
    """Blocks as records for the kernels; `surfaces` are the numbers of their sides' and top's surfaces."""
    records = np.zeros(len(blocks), BLOCK)
    for record, block, (sides, top) in zip(records, blocks, surfaces, strict=True):
        record["normals"] = _normals(block)
        # One corner on every face.
        record["offsets"] = (record["normals"] * block.corners()[[4, 0, 2, 0, 1, 0]]).sum(axis=1)
        record["foot"] = block.x, block.y, block.base
        record["turn"] = math.cos(block.turn_rad), math.sin(block.turn_rad)
        record["half"], record["height"] = (0.5 * block.length, 0.5 * block.width), block.height
        record["side_surface"], record["top_surface"] = sides, top
    return records


def _normals(block: Block) -> Float[np.ndarray, "6 3"]:
    """Outward unit normals: front, back, left, right, top, bottom."""
    shrink = 0.5 * (block.length - (block.length if block.top_length is None else block.top_length))
    narrow = 0.5 * (block.width - (block.width if block.top_width is None else block.top_width))
    own = np.array(
        [
            (block.height, 0.0, shrink - block.top_shift),
            (-block.height, 0.0, shrink + block.top_shift),
            (0.0, block.height, narrow),
            (0.0, -block.height, narrow),
            (0.0, 0.0, 1.0),
            (0.0, 0.0, -1.0),
        ]
    )
    own /= np.sqrt((own**2).sum(axis=1, keepdims=True))
    cos, sin = math.cos(block.turn_rad), math.sin(block.turn_rad)
    return np.stack([cos * own[:, 0] - sin * own[:, 1], sin * own[:, 0] + cos * own[:, 1], own[:, 2]], axis=1)


def parallel_block_boxes(
    corners: Float[np.ndarray, "block 8 3"], across: Float[np.ndarray, "2 3"]
) -> Float[np.ndarray, "block 4"]:
    """The xyxy box of every block seen from infinity, along two unit vectors square to the view."""
    seen = (corners[:, :, None, :] * across).sum(axis=3)
    return np.concatenate([seen.min(axis=1), seen.max(axis=1)], axis=1)
