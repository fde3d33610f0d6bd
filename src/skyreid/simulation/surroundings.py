"""What stands around a person: the ground, a strip beside the way, a wall behind; no objects yet."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from skyreid.simulation.camera import Camera
from skyreid.simulation.paint import Colour, from_srgb

Grid = Float[np.ndarray, " point"]
GROUND, WALL, SKY = 0, 1, 2

_GRAIN_M = 0.06
_JOINT_M = 0.012
_KERB_M = 0.07
_KERB: Colour = (0.30, 0.29, 0.27)
_FARTHEST_M = 500.0


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A flat material that may be patchy, grainy and laid in slabs."""

    colour: Colour
    patch: Colour
    """What the colour drifts to in patches."""
    patch_m: float
    grain: float
    """Contrast of the fine grain, as a share of the colour."""
    slab_m: tuple[float, float] | None = None
    """Distance of the joints in both directions; None = none."""
    seed: int

    def colour_at(self, x: Grid, y: Grid, footprint: Grid) -> Float[np.ndarray, "3 point"]:
        """The colour at places in metres; what is finer than `footprint` metres is averaged away."""
        patches = _noise(x / self.patch_m, y / self.patch_m, self.seed)
        fine = _noise(x / _GRAIN_M, y / _GRAIN_M, self.seed + 1) - 0.5
        level = 1 + self.grain * fine * _kept(_GRAIN_M, footprint)
        if self.slab_m is not None:
            for place, spacing in ((x, self.slab_m[0]), (y, self.slab_m[1])):
                offset = place / spacing
                joint = np.abs(offset - np.round(offset)) * spacing < _JOINT_M
                level = level * (1 - 0.35 * joint * _kept(_JOINT_M * 3, footprint))
            tone = _hash(np.floor(x / self.slab_m[0]), np.floor(y / self.slab_m[1]), self.seed + 2) - 0.5
            level = level * (1 + 0.12 * tone * _kept(min(self.slab_m), footprint))
        one, other = np.array(self.colour, x.dtype)[:, None], np.array(self.patch, x.dtype)[:, None]
        return (one + (other - one) * patches) * level


def _kept(size: float, footprint: Grid) -> Grid:
    """How much of a detail of `size` metres survives pixels of `footprint` metres."""
    return 1 / (1 + (footprint / size) ** 2)


@dataclass(frozen=True, eq=False)
class Background:
    """Where rays end; for the sky only `kind` has a meaning."""

    points: Float[np.ndarray, "3 ray"]
    normals: Float[np.ndarray, "3 ray"]
    colours: Float[np.ndarray, "3 ray"]
    kind: Int[np.ndarray, " ray"]
    """`GROUND`, `WALL` or `SKY`."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The ground at z = 0 and what bounds it."""

    ground: Surface
    verge: Surface
    verge_azimuth_rad: float
    """Direction in which the verge lies."""
    verge_distance_m: float
    """From the origin to the kerb."""
    wall: Surface | None = None
    wall_azimuth_rad: float = 0.0
    wall_distance_m: float = math.inf
    wall_height_m: float = 0.0

    def meet(self, camera: Camera, directions: Float[np.ndarray, "3 ray"]) -> Background:
        """What rays from a camera end on if no person is in their way."""
        x, y, z = (float(value) for value in camera.position)
        with np.errstate(divide="ignore", invalid="ignore"):
            to_ground = np.where(directions[2] < 0, -z / directions[2], np.inf)
            to_wall = self._wall_depth(x, y, z, directions)
        depth = np.minimum(to_ground, to_wall)
        kind = np.where(np.isinf(depth), SKY, np.where(to_wall < to_ground, WALL, GROUND))
        depth = np.minimum(depth, _FARTHEST_M).astype(directions.dtype)
        points = np.stack([x + depth * directions[0], y + depth * directions[1], z + depth * directions[2]])
        footprint = depth / camera.focal_px
        colours, normals = np.zeros_like(points), np.zeros_like(points)
        ground = np.flatnonzero(kind == GROUND)
        normals[2, ground] = 1
        # A pixel is stretched where it meets the ground at a low angle; its side of equal area counts.
        stretched = footprint[ground] / np.sqrt(-directions[2, ground])
        colours[:, ground] = self._ground_colour(points[0, ground], points[1, ground], stretched)
        wall = np.flatnonzero(kind == WALL)
        if self.wall is not None and wall.size:
            cos, sin = math.cos(self.wall_azimuth_rad), math.sin(self.wall_azimuth_rad)
            normals[0, wall], normals[1, wall] = -cos, -sin
            along = cos * points[1, wall] - sin * points[0, wall]
            colours[:, wall] = self.wall.colour_at(along, points[2, wall], footprint[wall])
        return Background(points, normals, colours, kind)

    def _ground_colour(self, x: Grid, y: Grid, footprint: Grid) -> Float[np.ndarray, "3 point"]:
        beyond = math.cos(self.verge_azimuth_rad) * x + math.sin(self.verge_azimuth_rad) * y - self.verge_distance_m
        is_verge, is_kerb = beyond > _KERB_M, np.abs(beyond) <= _KERB_M
        colour = np.empty((3, x.size), x.dtype)
        colour[:] = np.array(_KERB, x.dtype)[:, None]
        for material, chosen in ((self.verge, is_verge), (self.ground, ~is_verge & ~is_kerb)):
            if chosen.any():
                colour[:, chosen] = material.colour_at(x[chosen], y[chosen], footprint[chosen])
        return colour

    def _wall_depth(self, x: float, y: float, z: float, directions: Float[np.ndarray, "3 point"]) -> Grid:
        cos, sin = math.cos(self.wall_azimuth_rad), math.sin(self.wall_azimuth_rad)
        away = cos * directions[0] + sin * directions[1]
        depth = (self.wall_distance_m - cos * x - sin * y) / away
        height = z + depth * directions[2]
        is_hit = (away > 0) & (depth > 0) & (height > 0) & (height < self.wall_height_m)
        return np.where(is_hit, depth, np.inf)


def draw_surroundings(rng: np.random.Generator, camera: Camera) -> Surroundings:
    """A random place around the origin; a wall stands behind it as a low camera sees it."""
    ground, verge = _material(rng, _PAVINGS), _material(rng, _PAVINGS + 2 * _GREENS)
    is_low = camera.position[2] < _WALL_SEEN_BELOW_M
    view_azimuth = math.atan2(camera.axes[2, 1], camera.axes[2, 0])
    return Surroundings(
        ground=ground,
        verge=verge,
        verge_azimuth_rad=float(rng.uniform(0, 2 * math.pi)),
        verge_distance_m=float(rng.uniform(1.2, 6.0)),
        wall=_material(rng, _WALLS) if is_low else None,
        wall_azimuth_rad=view_azimuth + float(rng.uniform(-0.5, 0.5)),
        wall_distance_m=float(rng.uniform(5.0, 22.0)),
        wall_height_m=float(rng.uniform(2.5, 9.0)),
    )


_WALL_SEEN_BELOW_M = 5.0

Material = tuple[int, int, float, float, tuple[float, float] | None]
"""sRGB of the colour and of its patches, size of a patch in metres, grain, slabs."""

_PAVINGS: tuple[Material, ...] = (
    (0x6F7070, 0x626363, 1.8, 0.30, None),  # asphalt
    (0x86847E, 0x7A7872, 1.4, 0.16, (0.5, 0.5)),  # concrete slabs
    (0x8E887E, 0x807A70, 0.9, 0.16, (0.3, 0.6)),  # paving stones
    (0x7D6A60, 0x705E56, 0.8, 0.20, (0.21, 0.105)),  # brick paving
    (0x8C8474, 0x7D7566, 0.5, 0.40, None),  # gravel
)
_GREENS: tuple[Material, ...] = ((0x5C6846, 0x4C5836, 0.35, 0.55, None),)  # grass
_WALLS: tuple[Material, ...] = (
    (0x77635A, 0x6A574E, 2.0, 0.15, (0.25, 0.08)),  # brick
    (0x98938A, 0x8A867E, 3.0, 0.06, None),  # plaster
    (0x4A5540, 0x36402C, 0.30, 0.60, None),  # hedge
    (0x5A636A, 0x6C757A, 2.2, 0.05, (1.5, 1.2)),  # glass front
    (0x858887, 0x7A7D7D, 1.5, 0.10, (2.4, 1.2)),  # concrete panels
)


def _material(rng: np.random.Generator, materials: tuple[Material, ...]) -> Surface:
    colour, patch, patch_m, grain, slab_m = materials[int(rng.integers(len(materials)))]
    return Surface(
        colour=from_srgb(colour),
        patch=from_srgb(patch),
        patch_m=patch_m,
        grain=grain,
        slab_m=slab_m,
        seed=int(rng.integers(1 << 16)),
    )


def _hash(column: Grid, row: Grid, seed: int) -> Grid:
    """A fixed number in 0-1 for every lattice place."""
    mixed = column.astype(np.int32).view(np.uint32) * np.uint32(0x9E3779B1)
    mixed ^= row.astype(np.int32).view(np.uint32) * np.uint32(0x85EBCA77)
    mixed ^= np.uint32(seed * 0xC2B2AE3D & 0xFFFFFFFF)
    mixed ^= mixed >> np.uint32(15)
    mixed *= np.uint32(0x2C1B3C6D)
    mixed ^= mixed >> np.uint32(13)
    return (mixed >> np.uint32(8)).astype(column.dtype) * column.dtype.type(2.0**-24)


def _noise(x: Grid, y: Grid, seed: int) -> Grid:
    """Smooth noise in 0-1 with bumps about one unit apart."""
    column, row = np.floor(x), np.floor(y)
    u, v = x - column, y - row
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    upper = _hash(column, row, seed) * (1 - u) + _hash(column + 1, row, seed) * u
    lower = _hash(column, row + 1, seed) * (1 - u) + _hash(column + 1, row + 1, seed) * u
    return upper * (1 - v) + lower * v
