"""What stands on streets and squares: posts, signs, benches, bins, shelters, stalls."""

import math

from skyreid.simulation.rendering.capsules import Capsule, Point
from skyreid.simulation.rendering.materials import (
    CAR_GLASS,
    CONCRETE_PANELS,
    GLASS_FRONT,
    SOIL,
    STEEL,
    WHITE_STEEL,
    WOOD,
    Material,
)
from skyreid.simulation.rendering.paint import Paint, from_srgb
from skyreid.simulation.scenes.plants import bush
from skyreid.simulation.scenes.site import Site

_STEEL = Paint(from_srgb(0x4A4E52))
_GREEN_STEEL = Paint(from_srgb(0x2F3B34))
_LAMP = Paint(from_srgb(0xC9C7BC))
_AWNINGS = (0x8E4A42, 0x4E6A5A, 0xB7A888, 0x4A5F7C, 0xA9814B, 0x9A9690)


def _rod(start: Point, end: Point, radius: float, paint: Paint) -> Capsule:
    return Capsule(start=start, end=end, start_radius=radius, end_radius=radius, paint=paint)


def lamp_post(site: Site, x: float, y: float, turn: float = 0.0, height: float = 5.0) -> None:
    """A street light whose arm reaches forward."""
    site.at(x, y, turn).stand(
        [
            Capsule(start=(0.0, 0.0, 0.0), end=(0.0, 0.0, height), start_radius=0.08, end_radius=0.05, paint=_STEEL),
            _rod((0.0, 0.0, height), (0.9, 0.0, height + 0.15), 0.04, _STEEL),
            _rod((0.7, 0.0, height + 0.1), (1.2, 0.0, height + 0.15), 0.08, _LAMP),
        ]
    )


def lantern(site: Site, x: float, y: float) -> None:
    """An old-fashioned street light."""
    site.at(x, y).stand(
        [
            Capsule(start=(0.0, 0.0, 0.0), end=(0.0, 0.0, 0.7), start_radius=0.13, end_radius=0.07, paint=_GREEN_STEEL),
            _rod((0.0, 0.0, 0.7), (0.0, 0.0, 3.2), 0.05, _GREEN_STEEL),
            Capsule(start=(0.0, 0.0, 3.35), end=(0.0, 0.0, 3.6), start_radius=0.13, end_radius=0.17, paint=_LAMP),
            Capsule(
                start=(0.0, 0.0, 3.78), end=(0.0, 0.0, 3.95), start_radius=0.19, end_radius=0.03, paint=_GREEN_STEEL
            ),
        ]
    )


def bollards(site: Site, x: float, y: float, length: float, turn: float, count: int) -> None:
    """A row of short posts."""
    for number in range(count):
        along = length * (number / max(count - 1, 1) - 0.5)
        site.at(x + along * math.cos(turn), y + along * math.sin(turn)).stand(
            [_rod((0.0, 0.0, 0.0), (0.0, 0.0, 0.85), 0.075, _STEEL)]
        )


def sign(site: Site, x: float, y: float, turn: float, code: int, height: float = 2.4) -> None:
    """A board on a post that faces forward."""
    spot = site.at(x, y, turn)
    spot.stand([_rod((0.0, 0.0, 0.0), (0.0, 0.0, height), 0.04, _STEEL)])
    spot.block((0.06, 0.7, 0.7), Material(code, code).surface(site.rng), along=0.05, base=height - 0.7)


def traffic_light(site: Site, x: float, y: float, turn: float) -> None:
    """A mast whose lights face forward."""
    spot = site.at(x, y, turn)
    spot.stand(
        [
            _rod((0.0, 0.0, 0.0), (0.0, 0.0, 3.2), 0.07, _STEEL),
            _rod((0.12, 0.0, 2.95), (0.12, 0.0, 2.95), 0.09, Paint(from_srgb(0x9A3A34))),
        ]
    )
    spot.block((0.22, 0.28, 0.85), Material(0x25282A, 0x25282A).surface(site.rng), base=2.3)


def bench(site: Site, x: float, y: float, turn: float = 0.0) -> None:
    """A bench with a back; who sits on it looks forward."""
    spot, wood, steel = site.at(x, y, turn), site.surface(WOOD), site.surface(STEEL)
    spot.block((0.45, 1.7, 0.06), wood, base=0.40)
    spot.block((0.06, 1.7, 0.38), wood, along=-0.22, base=0.50, shift=-0.08)
    for side in (-0.65, 0.65):
        spot.block((0.40, 0.07, 0.42), steel, aside=side)


def litter_bin(site: Site, x: float, y: float) -> None:
    """A waste bin."""
    site.at(x, y).stand(
        [Capsule(start=(0.0, 0.0, 0.2), end=(0.0, 0.0, 0.75), start_radius=0.22, end_radius=0.25, paint=_GREEN_STEEL)]
    )


def planter(site: Site, x: float, y: float, turn: float = 0.0) -> None:
    """A concrete tub with a shrub."""
    site.at(x, y, turn).block((1.3, 1.3, 0.55), site.surface(CONCRETE_PANELS), top=site.surface(SOIL))
    bush(site, x, y, 1.1)


def bicycles(site: Site, x: float, y: float, turn: float, count: int) -> None:
    """Parked bicycles side by side, each pointing forward."""
    colours = (0x26282B, 0x6A2F2F, 0x2F4A66, 0x7C7F82, 0x3F5A48)
    for number in range(count):
        frame = Paint(from_srgb(colours[int(site.rng.integers(len(colours)))]))
        tyre, aside = Paint(from_srgb(0x4C4E50)), 0.6 * (number - 0.5 * (count - 1))
        wheels = [
            Capsule(
                start=(along, aside, 0.33),
                end=(along, aside, 0.33),
                start_radius=0.33,
                end_radius=0.33,
                flat_axis=(0.0, 1.0, 0.0),
                flatness=0.09,
                paint=tyre,
            )
            for along in (-0.52, 0.52)
        ]
        site.at(x, y, turn).stand(
            [
                *wheels,
                _rod((-0.5, aside, 0.36), (0.38, aside, 0.85), 0.025, frame),
                _rod((-0.15, aside, 0.35), (-0.22, aside, 0.95), 0.025, frame),
                _rod((0.52, aside, 0.36), (0.36, aside, 1.02), 0.025, frame),
                _rod((0.36, aside - 0.25, 1.02), (0.36, aside + 0.25, 1.02), 0.02, tyre),
                _rod((-0.33, aside, 0.97), (-0.12, aside, 0.97), 0.05, tyre),
            ]
        )


def bus_shelter(site: Site, x: float, y: float, turn: float) -> None:
    """A shelter that opens forward, with a bench and an advertisement."""
    spot, steel = site.at(x, y, turn), site.surface(STEEL)
    spot.block((1.7, 4.6, 0.12), steel, base=2.45)
    spot.block((0.05, 4.4, 1.9), site.surface(GLASS_FRONT), along=-0.72, base=0.45)
    advert = Material(0x7B5A66, 0x4C6A80, 0.6).surface(site.rng)
    spot.block((1.3, 0.14, 1.9), advert, aside=2.15, base=0.35)
    for side in (-2.2, 2.2):
        spot.block((0.10, 0.10, 2.45), steel, along=-0.72, aside=side)
        spot.block((0.10, 0.10, 2.45), steel, along=0.6, aside=side)
    spot.block((0.38, 2.6, 0.06), site.surface(WOOD), along=-0.4, aside=-0.4, base=0.45)


def kiosk(site: Site, x: float, y: float, turn: float) -> None:
    """A newsstand whose counter is in front."""
    spot = site.at(x, y, turn)
    code = _AWNINGS[int(site.rng.integers(len(_AWNINGS)))]
    spot.block((2.0, 3.0, 2.35), site.surface(WHITE_STEEL, WOOD, STEEL))
    spot.block((0.06, 2.4, 1.0), site.surface(CAR_GLASS), along=1.0, base=1.0)
    spot.block((2.8, 3.3, 0.14), Material(code, code).surface(site.rng), along=0.3, base=2.35)


def stall(site: Site, x: float, y: float, turn: float) -> None:
    """A market stall with goods under an awning; its counter is in front."""
    spot, rng = site.at(x, y, turn), site.rng
    code = _AWNINGS[int(rng.integers(len(_AWNINGS)))]
    cloth = Material(code, code, 0.6, 0.05).surface(rng)
    spot.block((2.3, 3.0, 0.55), cloth, base=2.15, top_size=(0.0, 2.7))
    spot.block((2.3, 3.0, 0.18), cloth, base=1.98)
    spot.stand(
        [_rod((along, aside, 0.0), (along, aside, 2.1), 0.03, _STEEL) for along in (-1.0, 1.0) for aside in (-1.4, 1.4)]
    )
    spot.block((0.9, 2.8, 0.78), site.surface(WOOD), along=0.45)
    goods = (0x9C5A3A, 0x8A8F4A, 0xA88A4E, 0x7C4448, 0x5D7A50, 0xB09A6A)
    for number in range(4):
        colour = goods[int(rng.integers(len(goods)))]
        heap = Material(colour, colour, 0.12, 0.6).surface(rng)
        spot.block((0.75, 0.6, 0.16), heap, along=0.45, aside=0.68 * (number - 1.5), base=0.78, top_size=(0.6, 0.45))
    spot.block((0.5, 0.7, 0.35), site.surface(WOOD), along=-0.6, aside=0.8)
