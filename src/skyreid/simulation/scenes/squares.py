"""Scenes on old squares: sights that tourists visit, and a market."""

import math

import numpy as np

from skyreid.simulation.rendering.capsules import Capsule
from skyreid.simulation.rendering.materials import (
    BRICK_PAVING,
    COBBLES,
    CREAM_PLASTER,
    GRANITE,
    KERB,
    LARGE_SLABS,
    OCHRE_PLASTER,
    PALE_BRICK,
    PAVING_STONES,
    PLASTER,
    SANDSTONE,
    SLATE,
    STEEL,
    WATER,
    WOOD,
    Material,
    Panes,
)
from skyreid.simulation.rendering.paint import Paint, from_srgb
from skyreid.simulation.scenes.buildings import house
from skyreid.simulation.scenes.props import bench, bollards, kiosk, lantern, litter_bin, planter, sign, stall, tree, van
from skyreid.simulation.scenes.site import Scene, Site

_ALONG_Y = math.pi / 2
_BRONZE = Paint(from_srgb(0x4A5548), fold=0.2)


def tourist_site(rng: np.random.Generator) -> Scene:
    """A cobbled square with a monument and a fountain before a cathedral."""
    site = Site(rng)
    for x in (-8.0, 0.0, 8.0):
        site.lay(LARGE_SLABS, x, 6.0, 0.9, 60.0)
    for y in (-5.0, 3.0, 11.0):
        site.lay(LARGE_SLABS, 0.0, y, 60.0, 0.9)
    _monument(site, -10.0, 13.5)
    _fountain(site, 9.5, 14.0)
    _cathedral(site, 4.0, 44.0)
    house(site, -33.0, 20.0, 19.2, 12.0, storeys=2, walls=OCHRE_PLASTER, turn=_ALONG_Y)
    house(site, -35.0, 42.0, 19.2, 14.4, storeys=3, walls=CREAM_PLASTER, turn=_ALONG_Y)
    house(site, 36.0, 16.0, 24.0, 12.0, storeys=2, walls=PALE_BRICK, turn=_ALONG_Y)
    house(site, 38.0, 46.0, 24.0, 14.4, storeys=3, walls=PLASTER, turn=_ALONG_Y)
    bollards(site, 0.0, -11.0, 16.0, 0.0, 6)
    for x, y in ((-13.5, -8.0), (13.5, -8.3), (-5.5, 9.0), (14.0, 9.5)):
        lantern(site, x, y)
    sign(site, 3.9, -15.0, -_ALONG_Y, 0x7A6A4E, 1.9)
    bench(site, -12.6, 8.3, -_ALONG_Y)
    bench(site, 0.0, 9.4, -_ALONG_Y)
    bench(site, -7.0, -12.4, _ALONG_Y)
    planter(site, 6.6, -12.8)
    planter(site, -15.5, 3.0)
    kiosk(site, 18.5, 3.0, math.pi)
    kiosk(site, -18.0, -3.0, 0.0)
    tree(site, 18.0, 22.0, 6.5)
    tree(site, -17.0, 22.5, 6.0)
    return Scene(
        name="tourist-site",
        surroundings=site.surroundings(COBBLES),
        walk_area=(-12.0, -7.0, 12.0, 7.0),
        ground_camera=(1.5, -30.0),
        ground_target=(0.0, 0.0),
    )


def _monument(site: Site, x: float, y: float) -> None:
    """A bronze figure on a column over steps."""
    spot, stone = site.at(x, y, -_ALONG_Y), GRANITE.surface(site.rng)
    for step in range(3):
        side = 5.0 - 0.9 * step
        spot.block((side, side, 0.2), stone, base=0.2 * step)
    spot.block((1.5, 1.5, 2.6), SANDSTONE.surface(site.rng), base=0.6, top_size=(1.2, 1.2))
    spot.block((1.7, 1.7, 0.25), stone, base=3.2)

    def limb(start: tuple[float, float, float], end: tuple[float, float, float], one: float, other: float) -> Capsule:
        return Capsule(start=start, end=end, start_radius=one, end_radius=other, paint=_BRONZE)

    spot.stand(
        [
            limb((0.0, 0.16, 3.5), (0.0, 0.13, 4.4), 0.12, 0.16),
            limb((0.1, -0.16, 3.5), (0.0, -0.13, 4.4), 0.12, 0.16),
            limb((0.0, 0.0, 4.4), (0.0, 0.0, 5.05), 0.26, 0.24),
            limb((0.0, 0.28, 5.1), (0.3, 0.34, 4.7), 0.1, 0.08),
            limb((0.0, -0.28, 5.1), (0.25, -0.5, 5.6), 0.1, 0.07),
            limb((0.02, 0.0, 5.42), (0.03, 0.0, 5.48), 0.15, 0.15),
        ]
    )


def _fountain(site: Site, x: float, y: float) -> None:
    """A round basin with a bowl in its middle."""
    site.lay(KERB, x, y, 6.6, 6.6, corner=3.3)
    site.lay(WATER, x, y, 5.6, 5.6, corner=2.8)
    rim = GRANITE.surface(site.rng)
    for number in range(12):
        angle = number * math.pi / 6
        site.at(x + 2.95 * math.cos(angle), y + 2.95 * math.sin(angle), angle).block((0.45, 1.62, 0.55), rim)
    stone = Paint(from_srgb(0x8C857A))
    site.at(x, y).stand(
        [
            Capsule(start=(0.0, 0.0, 0.0), end=(0.0, 0.0, 1.7), start_radius=0.3, end_radius=0.14, paint=stone),
            Capsule(
                start=(0.0, 0.0, 1.25),
                end=(0.0, 0.0, 1.35),
                start_radius=0.5,
                end_radius=1.0,
                flat_axis=(0.0, 0.0, 1.0),
                flatness=0.25,
                paint=stone,
            ),
            Capsule(start=(0.0, 0.0, 1.9), end=(0.0, 0.0, 2.0), start_radius=0.22, end_radius=0.12, paint=stone),
        ]
    )


def _cathedral(site: Site, x: float, y: float) -> None:
    """A nave with buttresses and a tower, its front to the square."""
    spot, rng = site.at(x, y, -_ALONG_Y), site.rng
    panes = Panes(spacing_m=(4.0, 9.0), size_m=(1.3, 5.2), colour=from_srgb(0x39404A))
    stone, slate = SANDSTONE.surface(rng), SLATE.surface(rng)
    spot.block((28.0, 16.0, 9.0), SANDSTONE.surface(rng, panes))
    spot.block((28.6, 16.8, 6.0), slate, base=9.0, top_size=(27.5, 0.1))
    for along in (-10.0, -6.0, -2.0, 2.0, 6.0, 10.0):
        spot.block((0.9, 18.6, 6.5), stone, along=along, top_size=(0.9, 16.4))
    spot.block((6.5, 6.5, 19.0), SANDSTONE.surface(rng), along=13.0, aside=-7.0)
    spot.block((7.0, 7.0, 7.5), slate, along=13.0, aside=-7.0, base=19.0, top_size=(0.1, 0.1))
    for base in (6.0, 11.0, 15.0):
        spot.block((6.7, 1.1, 2.6), SLATE.surface(rng), along=13.0, aside=-7.0, base=base)
    spot.block((0.6, 3.4, 4.6), WOOD.surface(rng), along=14.0)
    spot.block((0.7, 4.4, 0.5), stone, along=14.1, base=4.6)
    for step in range(3):
        spot.block((3.0 - 0.8 * step, 9.0 - 1.2 * step, 0.18), stone, along=14.4, base=0.18 * step)


def market(rng: np.random.Generator) -> Scene:
    """Stalls on both sides of a way on an old square."""
    site = Site(rng)
    site.lay(PAVING_STONES, 0.0, 0.0, 70.0, 2.2)
    site.lay(PAVING_STONES, -13.2, 0.0, 1.2, 40.0)
    site.lay(PAVING_STONES, 13.2, 0.0, 1.2, 40.0)
    for number in range(6):
        x = 4.4 * (number - 2.5)
        stall(site, x + float(rng.normal(0, 0.15)), 8.9 + float(rng.normal(0, 0.15)), -_ALONG_Y)
        stall(site, x + float(rng.normal(0, 0.15)), -8.9 + float(rng.normal(0, 0.15)), _ALONG_Y)
    for y in (-4.6, 4.6):
        stall(site, 17.0, y, math.pi)
    _crates(site, -15.0, 5.2)
    _crates(site, -14.7, -6.2)
    _crates(site, 14.6, -1.0)
    planter(site, -16.4, 1.6)
    lantern(site, -13.2, -2.0)
    lantern(site, 0.2, 6.6)
    lantern(site, 12.6, 6.8)
    litter_bin(site, -12.7, 7.6)
    van(site, 3.0, 14.0, 0.1)
    van(site, -9.0, -14.2, math.pi)
    tree(site, 21.5, -11.5, 6.0)
    tree(site, 21.0, 11.0, 6.5)
    tree(site, -16.6, -12.5, 5.5)
    house(site, 40.0, -13.0, 21.6, 12.0, storeys=3, walls=OCHRE_PLASTER, turn=_ALONG_Y)
    house(site, 40.0, 12.0, 24.0, 12.0, storeys=2, walls=CREAM_PLASTER, turn=_ALONG_Y)
    house(site, 14.0, 34.0, 26.4, 12.0, storeys=2, walls=PLASTER)
    house(site, -14.0, 34.0, 21.6, 12.0, storeys=2, walls=PALE_BRICK)
    house(site, 12.0, -34.0, 28.8, 12.0, storeys=2, walls=CREAM_PLASTER)
    house(site, -16.0, -34.0, 21.6, 12.0, storeys=2, walls=OCHRE_PLASTER)
    tower = site.at(62.0, 0.0, math.pi)
    tower.block((8.0, 8.0, 22.0), PALE_BRICK.surface(rng))
    tower.block((8.6, 8.6, 9.0), SLATE.surface(rng), base=22.0, top_size=(0.2, 0.2))
    return Scene(
        name="market",
        surroundings=site.surroundings(BRICK_PAVING),
        walk_area=(-12.0, -6.5, 12.0, 6.5),
        ground_camera=(-25.0, 0.0),
        ground_target=(0.0, 0.0),
    )


def _crates(site: Site, x: float, y: float) -> None:
    """A pile of boxes with fruit."""
    for number in range(4):
        turn = float(site.rng.normal(0, 0.15))
        spot = site.at(x + 0.65 * (number % 2), y + 0.45 * (number // 2), turn)
        fruit = (0x9A6A3A, 0x7C8A45, 0x8E4A3C)[number % 3]
        top = Material(fruit, fruit, 0.1, 0.6).surface(site.rng)
        for level in range(int(site.rng.integers(1, 4))):
            spot.block((0.6, 0.4, 0.28), site.surface(WOOD, STEEL), base=0.3 * level, top=top)
