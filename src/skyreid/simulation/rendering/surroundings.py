"""What stands and lies around people: ground, blocks, trees and posts."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Shaped

from skyreid.simulation.rendering.blocks import Block, stack_blocks
from skyreid.simulation.rendering.camera import Camera
from skyreid.simulation.rendering.capsules import Capsules
from skyreid.simulation.rendering.ground import Region, stack_regions
from skyreid.simulation.rendering.kernels.bins import Bins
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
)
from skyreid.simulation.rendering.surface import Surface, stack_surfaces

_KERB_M = 0.14


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


_VERGE_M = 400.0
_WALL_M = 8.0
_WALL_SEEN_BELOW_M = 5.0

_PAVINGS = (ASPHALT, CONCRETE_SLABS, PAVING_STONES, BRICK_PAVING, GRAVEL)
_WALLS = (BRICK, PLASTER, HEDGE, GLASS_FRONT, CONCRETE_PANELS)


def _any_of(rng: np.random.Generator, materials: tuple[Material, ...]) -> Surface:
    return materials[int(rng.integers(len(materials)))].surface(rng)
