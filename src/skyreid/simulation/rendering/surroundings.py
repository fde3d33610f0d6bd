"""What stands and lies around people: ground, blocks, trees and posts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from jaxtyping import Float, Shaped

from skyreid.simulation.rendering.camera import Camera
from skyreid.simulation.rendering.capsules import Capsules
from skyreid.simulation.rendering.kernels.bins import Bins, sort_into_bins
from skyreid.simulation.rendering.kernels.shading import REGION, WIDEST_EDGE_M
from skyreid.simulation.rendering.kernels.solids import BLOCK
from skyreid.simulation.rendering.materials import (
    ASPHALT,
    BRICK,
    BRICK_PAVING,
    CONCRETE_PANELS,
    CONCRETE_SLABS,
    GLASS_FRONT,
    GRASS,
    GRAVEL,
    HEDGE,
    KERB,
    PAVING_STONES,
    PLASTER,
    Material,
    Surface,
    stack_surfaces,
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """What buildings, cars, walls and stalls are made of.

    A box turned about the vertical whose top may be smaller than its foot and lie off its middle.
    """

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


@dataclass(frozen=True, kw_only=True)
class Region:
    """A rectangle of the ground, such as a pavement, lawn or painted line; it may have round corners, a ragged edge."""

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


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """A place without people; the ground is at z = 0."""

    ground: Surface
    """Wherever no region lies."""
    regions: tuple[Region, ...] = ()
    """Later ones lie on earlier ones."""
    blocks: tuple[Block, ...] = ()
    growths: tuple[Capsules, ...] = ()
    """Trees, posts and other things of capsules, each like a body."""

    @cached_property
    def surface_records(self) -> Shaped[np.ndarray, " surface"]:
        """Of the ground, then of the regions, then of each block's sides and top."""
        on_blocks = [surface for block in self.blocks for surface in (block.sides, block.top)]
        return stack_surfaces([self.ground, *(region.surface for region in self.regions), *on_blocks])

    @cached_property
    def laid_regions(self) -> tuple[Shaped[np.ndarray, " region"], Bins]:
        """The regions for the kernels, and where they lie."""
        return stack_regions(self.regions, range(1, 1 + len(self.regions)))

    @cached_property
    def block_records(self) -> Shaped[np.ndarray, " block"]:
        """The blocks for the kernels."""
        first = 1 + len(self.regions)
        return stack_blocks(self.blocks, [(first + 2 * n, first + 2 * n + 1) for n in range(len(self.blocks))])

    @cached_property
    def block_corners(self) -> Float[np.ndarray, "block 8 3"]:
        """In the world."""
        return np.array([block.corners() for block in self.blocks]).reshape(-1, 8, 3)


_KERB_M = 0.14
_VERGE_M = 400.0
_WALL_M = 8.0
_WALL_SEEN_BELOW_M = 5.0
_PAVINGS = (ASPHALT, CONCRETE_SLABS, PAVING_STONES, BRICK_PAVING, GRAVEL)
_WALLS = (BRICK, PLASTER, HEDGE, GLASS_FRONT, CONCRETE_PANELS)


def draw_surroundings(rng: np.random.Generator, camera: Camera) -> Surroundings:
    """A random place around the origin; a wall stands behind it as a low camera sees it."""
    ground, verge = _any_of(rng, _PAVINGS), _any_of(rng, (*_PAVINGS, GRASS, GRASS))
    azimuth, distance = float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(1.2, 6.0))
    is_low = camera.position[2] < _WALL_SEEN_BELOW_M
    view_azimuth = math.atan2(camera.axes[2, 1], camera.axes[2, 0])
    return Surroundings(
        ground=ground,
        regions=(
            _beyond(azimuth, distance - 0.5 * _KERB_M, KERB.surface(rng)),
            _beyond(azimuth, distance + 0.5 * _KERB_M, verge),
        ),
        blocks=(_wall(rng, view_azimuth),) if is_low else (),
    )


def _beyond(azimuth: float, distance: float, surface: Surface) -> Region:
    """All ground that lies farther than `distance` in a direction."""
    middle = distance + 0.5 * _VERGE_M
    return Region(
        x=middle * math.cos(azimuth),
        y=middle * math.sin(azimuth),
        length=_VERGE_M,
        width=2 * _VERGE_M,
        turn_rad=azimuth,
        surface=surface,
    )


def _wall(rng: np.random.Generator, view_azimuth: float) -> Block:
    surface, azimuth = _any_of(rng, _WALLS), view_azimuth + float(rng.uniform(-0.5, 0.5))
    distance, height = float(rng.uniform(5.0, 22.0)), float(rng.uniform(2.5, 9.0))
    middle = distance + 0.5 * _WALL_M
    return Block(
        x=middle * math.cos(azimuth),
        y=middle * math.sin(azimuth),
        length=_WALL_M,
        width=_VERGE_M,
        height=height,
        turn_rad=azimuth,
        sides=surface,
        top=surface,
    )


def _any_of(rng: np.random.Generator, materials: tuple[Material, ...]) -> Surface:
    return materials[int(rng.integers(len(materials)))].surface(rng)


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
