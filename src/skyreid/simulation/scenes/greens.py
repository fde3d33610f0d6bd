"""Scenes with lawns: a campus, a park, the forecourt of a library."""

import math
from itertools import pairwise

import numpy as np

from skyreid.simulation.rendering.capsules import Capsule
from skyreid.simulation.rendering.materials import (
    BRICK,
    CONCRETE_PANELS,
    CONCRETE_SLABS,
    DRY_GRASS,
    FLAT_ROOF,
    GLASS_FRONT,
    GRASS,
    GRAVEL,
    KERB,
    LARGE_SLABS,
    PALE_BRICK,
    PAVING_STONES,
    SAND,
    SANDSTONE,
    SLATE,
    SOIL,
    WATER,
    WOOD,
)
from skyreid.simulation.rendering.paint import Paint, from_srgb
from skyreid.simulation.scenes.buildings import flat_building
from skyreid.simulation.scenes.props import (
    bench,
    bicycles,
    bollards,
    bush,
    conifer,
    grove,
    hedge,
    lamp_post,
    lantern,
    litter_bin,
    planter,
    sign,
    tree,
)
from skyreid.simulation.scenes.site import Scene, Site

_ALONG_Y = math.pi / 2


def campus(rng: np.random.Generator) -> Scene:
    """Paved ways between lawns, teaching buildings behind."""
    site = Site(rng)
    site.lay(CONCRETE_SLABS, 2.0, 0.0, 60.0, 7.0, kerb=KERB)
    site.lay(CONCRETE_SLABS, 3.0, 0.0, 5.0, 70.0, kerb=KERB)
    site.lay(CONCRETE_SLABS, -6.0, 12.0, 34.0, 3.0, turn=-0.75, kerb=KERB)
    site.lay(LARGE_SLABS, 3.0, 0.0, 13.0, 13.0, corner=6.5, kerb=KERB)
    site.lay(SOIL, -14.5, 9.5, 5.0, 2.4, corner=1.2, rough=0.05, kerb=KERB)
    for x in (-16.0, -14.8, -13.3):
        bush(site, x, 9.5 + float(rng.normal(0, 0.3)), float(rng.uniform(0.8, 1.2)))
    for x in (-15.5, -7.0, 12.5, 21.0):
        for y in (-9.8, 10.6):
            tree(site, x + float(rng.normal(0, 0.8)), y + float(rng.normal(0, 0.5)), float(rng.uniform(5.2, 7.0)))
    tree(site, -16.5, -4.6, 6.2)
    for x, y, turn in ((-5.0, 4.3, -_ALONG_Y), (-11.0, -4.3, _ALONG_Y), (10.8, 4.3, -_ALONG_Y)):
        bench(site, x, y, turn)
    lamp_post(site, -9.0, 4.1, -_ALONG_Y)
    lamp_post(site, 13.0, -4.1, _ALONG_Y)
    litter_bin(site, -9.6, -4.1)
    bicycles(site, 21.5, 5.6, math.pi, 6)
    sign(site, -15.8, 3.9, math.pi, 0x566B7D)
    flat_building(site, 41.0, 0.0, 15.0, 48.0, storeys=3, walls=BRICK, turn=math.pi, window_m=(1.9, 1.7))
    flat_building(site, 4.0, 42.0, 12.0, 36.0, storeys=3, walls=PALE_BRICK, turn=-_ALONG_Y, window_m=(1.2, 1.9))
    flat_building(site, 2.0, -40.0, 12.0, 30.0, storeys=2, walls=CONCRETE_PANELS, turn=_ALONG_Y, window_m=(2.5, 1.4))
    return Scene(
        name="campus",
        surroundings=site.surroundings(GRASS),
        walk_area=(-12.0, -7.0, 12.0, 7.0),
        ground_camera=(-25.0, 0.6),
        ground_target=(0.0, 0.0),
    )


def park(rng: np.random.Generator) -> Scene:
    """Gravel ways round a lawn, old trees, a pond, a pavilion."""
    site = Site(rng)
    site.lay(WATER, 27.0, 9.0, 18.0, 13.0, turn=0.3, corner=6.0, rough=0.5, kerb=SAND)
    site.lay(GRAVEL, 0.0, 2.4, 130.0, 3.4, turn=-0.12, rough=0.18)
    site.lay(GRAVEL, 4.0, 0.0, 3.0, 80.0, turn=-0.35, rough=0.18)
    site.lay(GRAVEL, 3.4, 1.8, 10.5, 10.5, corner=5.25, rough=0.15)
    site.lay(GRASS, 3.4, 1.8, 3.4, 3.4, corner=1.7, rough=0.1, kerb=KERB)
    for x, y, height in (
        (-16.3, 5.4, 7.5), (-8.0, 11.5, 8.0), (8.5, 12.5, 7.0), (18.0, -8.5, 8.5), (-3.0, -12.0, 7.5),
        (9.0, -13.5, 9.0), (30.0, -3.0, 9.0), (-17.0, -9.0, 7.0), (38.0, 20.0, 9.0), (-12.0, 20.0, 9.0),
        (2.0, 24.0, 8.5), (-10.0, -22.0, 9.0), (26.0, -18.0, 9.0),
    ):  # fmt: skip
        tree(site, x + float(rng.normal(0, 0.6)), y + float(rng.normal(0, 0.6)), height * float(rng.uniform(0.85, 1.1)))
    for x, y in ((15.8, 8.7), (14.0, -9.6), (20.0, 19.0), (-13.5, -9.3), (36.0, 2.5)):
        bush(site, x, y, float(rng.uniform(0.9, 1.7)))
    for x, y in ((24.0, -13.0), (33.0, -10.0), (-20.0, 15.0)):
        conifer(site, x, y, float(rng.uniform(5.0, 8.0)))
    for x, y, turn in ((-4.5, 6.3, -_ALONG_Y), (9.6, 5.6, -2.4), (-8.5, -0.9, _ALONG_Y), (-15.4, -1.2, 0.1)):
        bench(site, x, y, turn)
    lantern(site, -10.6, 6.0)
    lantern(site, 6.5, -5.4)
    lantern(site, -17.0, 2.0)
    litter_bin(site, -7.0, 6.4)
    pavilion = site.at(33.0, -26.0, 0.4)
    pavilion.block((7.0, 7.0, 0.4), CONCRETE_PANELS.surface(rng))
    for along in (-3.0, 3.0):
        for aside in (-3.0, 3.0):
            pavilion.block((0.25, 0.25, 3.2), WOOD.surface(rng), along=along, aside=aside)
    pavilion.block((8.0, 8.0, 1.9), SLATE.surface(rng), base=3.2, top_size=(0.6, 0.6))
    grove(site, 58.0, 0.0, 90.0, _ALONG_Y, 10, 11.0)
    grove(site, 10.0, 52.0, 90.0, 0.0, 9, 10.0)
    grove(site, 10.0, -52.0, 90.0, 0.0, 9, 10.0)
    return Scene(
        name="park",
        surroundings=site.surroundings(DRY_GRASS),
        walk_area=(-12.0, -7.0, 12.0, 7.0),
        ground_camera=(-25.2, -2.0),
        ground_target=(0.0, 0.2),
    )


def library(rng: np.random.Generator) -> Scene:
    """Broad steps and columns of a reading hall, a basin and flower beds before it."""
    site = Site(rng)
    site.lay(LARGE_SLABS, 2.0, 0.0, 46.0, 30.0)
    site.lay(PAVING_STONES, 2.0, 0.0, 46.0, 3.0)
    for y in (-11.3, 11.3):
        site.lay(GRASS, -1.0, y, 30.0, 5.0, corner=0.4, rough=0.04, kerb=KERB)
        hedge(site, -1.0, math.copysign(8.4, y), 26.0, height=0.55)
        for x in (-12.0, -4.0, 4.0, 12.0):
            conifer(site, x, math.copysign(11.8, y), float(rng.uniform(3.6, 4.4)))
    site.lay(WATER, 17.6, 8.4, 5.0, 9.0, kerb=KERB)
    site.lay(WATER, 17.6, -8.4, 5.0, 9.0, kerb=KERB)
    hall = site.at(33.0, 0.0)
    stone = SANDSTONE.surface(rng)
    for step in range(6):
        hall.block((20.0 - 0.36 * 2 * step, 36.0, 0.16), stone, base=0.16 * step)
    hall.block((12.0, 33.0, 6.4), GLASS_FRONT.surface(rng), along=1.5, base=0.96)
    for number in range(9):
        hall.block((0.6, 0.6, 6.4), stone, along=-6.3, aside=4.0 * (number - 4), base=0.96)
    hall.block((17.0, 36.0, 1.3), stone, along=0.4, base=7.36, top=FLAT_ROOF.surface(rng))
    hall.block((6.0, 12.0, 1.6), GLASS_FRONT.surface(rng), along=2.0, base=8.66, top_size=(0.3, 11.0))
    for y in (-4.8, 4.8):
        planter(site, -15.6, y)
        planter(site, 15.6, math.copysign(2.6, y))
    for x, y, turn in ((-7.0, 6.6, -_ALONG_Y), (3.0, 6.6, -_ALONG_Y), (-2.0, -6.6, _ALONG_Y), (8.5, -6.6, _ALONG_Y)):
        bench(site, x, y, turn)
    _book_sculpture(site, -17.2, -2.6)
    lamp_post(site, -13.0, 7.8, -_ALONG_Y, 4.0)
    lamp_post(site, 10.5, 7.8, -_ALONG_Y, 4.0)
    lamp_post(site, 0.0, -7.9, _ALONG_Y, 4.0)
    bollards(site, -15.5, 0.6, 4.4, _ALONG_Y, 4)
    bicycles(site, -18.0, 9.0, -_ALONG_Y, 5)
    tree(site, -17.5, -11.0, 6.0)
    tree(site, 19.5, 17.5, 7.0)
    tree(site, 19.5, -17.5, 7.0)
    grove(site, 0.0, 34.0, 60.0, 0.0, 7, 8.0)
    grove(site, 0.0, -34.0, 60.0, 0.0, 7, 8.0)
    grove(site, 60.0, 0.0, 80.0, _ALONG_Y, 8, 11.0)
    return Scene(
        name="library",
        surroundings=site.surroundings(GRASS),
        walk_area=(-12.0, -7.0, 12.0, 7.0),
        ground_camera=(-25.0, -0.8),
        ground_target=(0.0, 0.0),
    )


def _book_sculpture(site: Site, x: float, y: float) -> None:
    """A bronze ring on a plinth."""
    spot, bronze = site.at(x, y, 0.5), Paint(from_srgb(0x5A4A38), fold=0.1)
    spot.block((0.8, 0.8, 0.5), site.surface(CONCRETE_PANELS))
    places = [(0.0, 0.5 * math.sin(angle), 1.05 + 0.5 * math.cos(angle)) for angle in np.linspace(0, 2 * math.pi, 9)]
    places = [(x, float(y), float(z)) for x, y, z in places]
    spot.stand(
        [
            Capsule(start=one, end=other, start_radius=0.09, end_radius=0.09, paint=bronze)
            for one, other in pairwise(places)
        ]
    )
