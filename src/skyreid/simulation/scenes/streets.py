"""Scenes with traffic: a crossroads, a bus stop, the stairs of an underground station, a car park."""

import math

import numpy as np

from skyreid.simulation.rendering.materials import (
    ASPHALT,
    BRICK,
    CONCRETE_PANELS,
    CONCRETE_SLABS,
    CREAM_PLASTER,
    FLAT_ROOF,
    GLASS_FRONT,
    GRANITE,
    GRASS,
    KERB,
    LARGE_SLABS,
    OLD_ASPHALT,
    PALE_BRICK,
    PAVING_STONES,
    PLASTER,
    ROAD_PAINT,
    RUBBER,
    STEEL,
    TACTILE_PAVING,
    WHITE_STEEL,
    Material,
)
from skyreid.simulation.scenes.buildings import flat_building, house, shop_row
from skyreid.simulation.scenes.props import (
    bench,
    bicycles,
    bollards,
    bus,
    bus_shelter,
    car,
    grove,
    hedge,
    kiosk,
    lamp_post,
    litter_bin,
    planter,
    sign,
    traffic_light,
    tree,
    van,
)
from skyreid.simulation.scenes.site import Scene, Site

_ALONG_Y = math.pi / 2


def _dashes(site: Site, x: float, y: float, length: float, turn: float) -> None:
    """The middle line of a road."""
    for number in range(int(length / 6)):
        along = 6.0 * number + 1.5 - 0.5 * length
        site.lay(ROAD_PAINT, x + along * math.cos(turn), y + along * math.sin(turn), 3.0, 0.14, turn=turn)


def _zebra(site: Site, x: float, y: float, length: float, turn: float) -> None:
    """Stripes for people who walk along `turn`, `length` metres from kerb to kerb."""
    for number in range(int(length)):
        along = number + 0.5 - 0.5 * int(length)
        site.lay(ROAD_PAINT, x + along * math.cos(turn), y + along * math.sin(turn), 0.5, 3.2, turn=turn)


def crossroads(rng: np.random.Generator) -> Scene:
    """Two streets meet; people cross everywhere at once."""
    site = Site(rng)
    corner = 46.0
    for side_x, side_y in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        x, y = side_x * (7.5 + 0.5 * corner), side_y * (5.5 + 0.5 * corner)
        site.lay(CONCRETE_SLABS, x, y, corner, corner, corner=3.0, kerb=KERB)
    for side in (-1, 1):
        _zebra(site, side * 9.6, 0.0, 11.0, _ALONG_Y)
        _zebra(site, 0.0, side * 7.6, 15.0, 0.0)
        site.lay(ROAD_PAINT, side * 12.2, -side * 2.7, 0.35, 5.0)
        site.lay(ROAD_PAINT, side * 3.6, side * 10.2, 7.0, 0.35)
        _dashes(site, side * 31.0, 0.0, 36.0, 0.0)
        _dashes(site, 0.0, side * 29.0, 36.0, _ALONG_Y)
    traffic_light(site, -8.6, -6.6, math.pi)
    traffic_light(site, 8.6, 6.6, 0.0)
    traffic_light(site, 8.8, -6.8, -_ALONG_Y)
    traffic_light(site, -8.8, 6.8, _ALONG_Y)
    car(site, 15.5, 2.7, math.pi)
    car(site, 22.0, 2.7, math.pi)
    (van if rng.random() < 0.5 else car)(site, 29.5, 2.7, math.pi)
    car(site, -16.4, -3.3, 0.0)
    car(site, 3.4, -14.5, _ALONG_Y)
    car(site, -3.4, 15.0, -_ALONG_Y)
    bus(site, -3.5, 25.0, -_ALONG_Y)
    flat_building(site, 35.0, 28.0, 24.0, 24.0, storeys=3, walls=PALE_BRICK)
    shop_row(site, 35.0, -27.0, 24.0, 24.0, storeys=3, walls=BRICK, turn=math.pi)
    flat_building(site, -30.0, 30.0, 24.0, 21.0, storeys=2, walls=CREAM_PLASTER)
    flat_building(site, 75.0, 2.0, 15.0, 40.0, storeys=6, walls=CONCRETE_PANELS, turn=math.pi)
    lamp_post(site, 11.0, 8.0, -2.4)
    lamp_post(site, -14.5, -6.9, 0.8)
    litter_bin(site, -15.6, 6.7)
    sign(site, 14.5, -6.5, math.pi, 0x6F7F96)
    for x, y in ((19.0, 9.0), (20.0, -9.5), (-17.0, 10.5)):
        tree(site, x, y, float(rng.uniform(5.5, 7.0)))
    return Scene(
        name="crossroads",
        surroundings=site.surroundings(ASPHALT),
        walk_area=(-12.0, -7.0, 12.0, 7.0),
        ground_camera=(-25.5, -7.5),
        ground_target=(0.0, 0.0),
    )


def bus_stop(rng: np.random.Generator) -> Scene:
    """A wide pavement with a shelter; a bus waits at its kerb."""
    site = Site(rng)
    site.lay(ASPHALT, 0.0, 17.3, 160.0, 13.0, kerb=KERB)
    site.lay(ROAD_PAINT, 0.0, 14.2, 26.0, 0.12)
    _dashes(site, 0.0, 17.6, 150.0, 0.0)
    site.lay(TACTILE_PAVING, 0.0, 10.1, 22.0, 0.5)
    site.lay(LARGE_SLABS, 0.0, 31.0, 160.0, 14.0, kerb=KERB)
    site.lay(GRASS, 0.0, -12.5, 60.0, 6.0, corner=1.0, rough=0.06, kerb=KERB)
    bus(site, 6.5, 12.5, 0.0)
    bus_shelter(site, 3.0, 8.6, _ALONG_Y)
    bus_shelter(site, -8.0, 8.6, _ALONG_Y)
    sign(site, 8.4, 9.2, math.pi, 0xA58A3C, 2.8)
    car(site, -17.0, 20.5, math.pi)
    car(site, 17.5, 20.6, math.pi)
    van(site, 28.0, 20.7, math.pi)
    for x in (-15.5, -5.0, 6.0, 17.0, 28.0):
        tree(site, x, -11.8, float(rng.uniform(5.0, 6.5)))
    bench(site, -6.0, -7.9, _ALONG_Y)
    bench(site, 6.0, -7.9, _ALONG_Y)
    bench(site, -16.0, 3.0, 0.0)
    litter_bin(site, 0.4, 8.3)
    litter_bin(site, -16.3, 5.0)
    bicycles(site, 15.5, -7.8, _ALONG_Y, 5)
    lamp_post(site, -14.0, 9.6, -_ALONG_Y)
    lamp_post(site, 14.0, 9.6, -_ALONG_Y)
    bollards(site, -16.0, -2.4, 2.4, _ALONG_Y, 3)
    flat_building(site, -8.0, -32.0, 24.0, 18.0, storeys=2, walls=PALE_BRICK, turn=_ALONG_Y)
    shop_row(site, 8.0, 46.0, 60.0, 12.0, storeys=3, walls=CREAM_PLASTER, turn=-_ALONG_Y)
    house(site, 48.0, -24.0, 9.6, 14.4, storeys=2, walls=BRICK, turn=math.pi)
    grove(site, 62.0, -2.0, 36.0, _ALONG_Y, 6, 9.0)
    return Scene(
        name="bus-stop",
        surroundings=site.surroundings(PAVING_STONES),
        walk_area=(-12.0, -7.0, 12.0, 7.0),
        ground_camera=(-25.0, 2.5),
        ground_target=(0.0, 0.3),
    )


def subway_entrance(rng: np.random.Generator) -> Scene:
    """A square over an underground station: stairs between low walls, a glass lift, bicycles."""
    site = Site(rng)
    site.lay(ASPHALT, 0.0, -18.0, 160.0, 14.0, kerb=KERB)
    _dashes(site, 0.0, -18.0, 150.0, 0.0)
    site.lay(LARGE_SLABS, 0.0, 1.0, 42.0, 17.0)
    site.lay(TACTILE_PAVING, 13.2, 0.0, 0.6, 15.0)
    site.lay(TACTILE_PAVING, 6.0, 8.0, 14.0, 0.4)
    for x in (17.5, 4.0):
        _stairs(site, x, 12.0 if x < 10 else 3.5, 0.0 if x > 10 else _ALONG_Y)
    lift = site.at(-5.5, 11.5)
    lift.block((2.6, 2.6, 2.8), GLASS_FRONT.surface(rng), top=STEEL.surface(rng))
    lift.block((0.1, 1.2, 2.2), STEEL.surface(rng), along=-1.3)
    sign(site, 0.6, 9.2, math.pi, 0x34507E, 3.2)
    sign(site, 16.0, 6.9, math.pi, 0x34507E, 3.2)
    bollards(site, 0.0, -9.8, 30.0, 0.0, 13)
    lamp_post(site, -13.5, -8.6, -_ALONG_Y, 6.0)
    lamp_post(site, 9.0, -8.6, -_ALONG_Y, 6.0)
    car(site, -18.0, -14.0, 0.0)
    car(site, 8.5, -14.1, 0.0)
    van(site, 22.0, -14.1, 0.0)
    kiosk(site, 21.0, -4.5, math.pi)
    bicycles(site, 12.5, 9.5, -_ALONG_Y, 6)
    planter(site, -15.3, 6.3)
    planter(site, -9.5, 10.4)
    litter_bin(site, -15.5, 4.9)
    bench(site, -16.5, -6.0, 0.4)
    shop_row(site, 4.0, 31.0, 48.0, 15.0, storeys=3, walls=GRANITE, turn=-_ALONG_Y)
    flat_building(site, 52.0, 6.0, 18.0, 36.0, storeys=5, walls=GLASS_FRONT, turn=math.pi, window_m=(2.4, 2.0))
    flat_building(site, 30.0, -42.0, 30.0, 15.0, storeys=3, walls=CONCRETE_PANELS, turn=_ALONG_Y)
    for x in (-14.0, -3.0, 15.0, 27.0):
        tree(site, x, -10.9, float(rng.uniform(4.8, 5.8)))
    return Scene(
        name="subway-entrance",
        surroundings=site.surroundings(PAVING_STONES),
        walk_area=(-12.0, -7.0, 12.0, 7.0),
        ground_camera=(-25.0, -1.5),
        ground_target=(0.0, 0.4),
    )


def _stairs(site: Site, x: float, y: float, turn: float) -> None:
    """Steps into the ground between three low walls; they begin at the back and go down forward."""
    spot, stone = site.at(x, y, turn), site.surface(GRANITE)
    cos, sin = math.cos(turn), math.sin(turn)
    for step in range(13):
        # No hole can be dug: each step is drawn darker than the one above it.
        level = int(0x8A * (1 - 0.065 * step))
        code = level << 16 | level << 8 | level
        along = 0.32 * step - 2.2
        site.lay(Material(code, code, 0.8, 0.15), x + along * cos, y + along * sin, 0.30, 2.6, turn=turn)
    site.lay(RUBBER, x + 2.3 * cos, y + 2.3 * sin, 0.8, 2.6, turn=turn)
    for aside in (-1.45, 1.45):
        spot.block((5.2, 0.28, 0.95), stone, along=0.2, aside=aside)
    spot.block((0.28, 3.2, 0.95), stone, along=2.8)
    spot.block((0.5, 3.1, 0.7), Material(0x2F4A75, 0x2F4A75).surface(site.rng), along=2.8, base=2.2)
    for aside in (-1.45, 1.45):
        spot.block((0.14, 0.14, 2.2), site.surface(STEEL), along=2.8, aside=aside)


def car_park(rng: np.random.Generator) -> Scene:
    """Before a supermarket: rows of cars on both sides of a wide way."""
    site = Site(rng)
    for y in (10.2, 23.0, -10.2, -23.0):
        for number in range(15):
            site.lay(ROAD_PAINT, 2.7 * (number - 7), y, 0.11, 5.0)
    for y in (-16.6, 16.6):
        site.lay(GRASS, 0.0, y, 44.0, 1.6, corner=0.7, rough=0.04, kerb=KERB)
        hedge(site, 0.0, y, 30.0)
    for y, turn in ((10.2, _ALONG_Y), (-10.2, -_ALONG_Y), (22.8, _ALONG_Y), (-22.8, -_ALONG_Y)):
        for number in range(14):
            if rng.random() < 0.72:
                model = van if rng.random() < 0.12 else car
                x = 2.7 * (number - 6.5) + float(rng.normal(0, 0.08))
                model(site, x, y + float(rng.normal(0, 0.15)), turn if rng.random() < 0.8 else -turn)
    site.lay(ROAD_PAINT, -2.0, 0.0, 2.2, 0.18)
    site.lay(ROAD_PAINT, 6.0, 2.6, 2.2, 0.18)
    _zebra(site, 16.5, 0.0, 12.0, _ALONG_Y)
    car(site, -16.9, -8.2, 0.3)
    van(site, -17.6, 7.4, 0.1)
    store = site.at(41.0, 0.0)
    store.block((24.0, 52.0, 5.4), site.surface(PLASTER, CONCRETE_PANELS), top=FLAT_ROOF.surface(rng))
    store.block((0.4, 30.0, 2.7), GLASS_FRONT.surface(rng), along=-12.1, base=0.2)
    code = (0x8C3B36, 0x3C5F7A, 0x4C6A48)[int(rng.integers(3))]
    store.block((3.2, 52.4, 0.9), Material(code, code).surface(rng), along=-12.6, base=4.0)
    store.block((0.3, 9.0, 1.2), WHITE_STEEL.surface(rng), along=-14.3, base=4.9)
    for aside in (-24.0, -12.0, 12.0, 24.0):
        store.block((0.4, 0.4, 4.0), STEEL.surface(rng), along=-13.9, aside=aside)
    for y in (-13.2, 13.2):
        for x in (-13.5, 8.0):
            lamp_post(site, x, y, -math.copysign(_ALONG_Y, y), 7.0)
    for x in (-19.0, -7.0, 5.0, 18.0):
        tree(site, x, 16.6, float(rng.uniform(4.2, 5.2)))
        tree(site, x + 3.0, -16.6, float(rng.uniform(4.2, 5.2)))
    trolleys = site.at(13.8, 8.6, _ALONG_Y)
    trolleys.block((0.06, 3.4, 1.1), site.surface(STEEL), along=-1.0)
    for number in range(7):
        trolleys.block((0.5, 0.42, 0.55), site.surface(STEEL), aside=0.44 * number - 1.4, base=0.45)
    sign(site, -14.6, 3.4, math.pi, 0x4A6A8C)
    grove(site, -2.0, 48.0, 90.0, 0.0, 11, 9.0)
    grove(site, 10.0, -46.0, 80.0, 0.0, 9, 8.0)
    return Scene(
        name="car-park",
        surroundings=site.surroundings(OLD_ASPHALT),
        walk_area=(-12.0, -7.0, 12.0, 7.0),
        ground_camera=(-25.0, 1.0),
        ground_target=(0.0, 0.0),
    )
