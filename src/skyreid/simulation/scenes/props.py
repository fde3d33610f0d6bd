"""What stands about in scenes: lamp posts, signs, benches, shelters and stalls; trees and hedges; parked vehicles."""

import math

import numpy as np

from skyreid.simulation.rendering.capsules import Capsule, Point
from skyreid.simulation.rendering.materials import (
    CAR_GLASS,
    CONCRETE_PANELS,
    GLASS_FRONT,
    HEDGE,
    RUBBER,
    SOIL,
    STEEL,
    WHITE_STEEL,
    WOOD,
    Material,
    Panes,
)
from skyreid.simulation.rendering.paint import Paint, Pattern, from_srgb
from skyreid.simulation.scenes.site import Site, Spot

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


_LEAVES = ((0x51603C, 0x37442A), (0x5F6B3E, 0x414C2B), (0x48593F, 0x313E2B), (0x6B7042, 0x4B4F2E))
_BARKS = (0x4C4238, 0x5A5046, 0x3F3831)


def tree(site: Site, x: float, y: float, height: float, num_branches: int = 4) -> None:
    """A broad-leaved tree whose crown begins at about two fifths of its height."""
    rng = site.rng
    bark = Paint(from_srgb(_BARKS[int(rng.integers(len(_BARKS)))]))
    leaves, trunk_top = _leafy(site, 0.13), 0.48 * height
    lean_x, lean_y = rng.normal(0.0, 0.02 * height, 2)
    top = (float(lean_x), float(lean_y), trunk_top)
    trunk = 0.022 * height + 0.03
    parts = [
        Capsule(start=(0.0, 0.0, 0.0), end=top, start_radius=1.15 * trunk, end_radius=0.75 * trunk, paint=bark),
        _ball((float(lean_x), float(lean_y), 0.74 * height), 0.27 * height, leaves, 0.95),
    ]
    first = rng.uniform(0, 2 * math.pi)
    for number in range(num_branches):
        angle, out = first + number * 2 * math.pi / num_branches + rng.normal(0, 0.25), height * rng.uniform(0.13, 0.20)
        branch = (
            float(lean_x + out * math.cos(angle)),
            float(lean_y + out * math.sin(angle)),
            float(height * rng.uniform(0.56, 0.70)),
        )
        parts += [
            Capsule(start=top, end=branch, start_radius=0.55 * trunk, end_radius=0.25 * trunk, paint=bark),
            _ball(branch, height * float(rng.uniform(0.15, 0.21)), leaves),
        ]
    site.at(x, y, float(rng.uniform(0, 2 * math.pi))).stand(parts)


def conifer(site: Site, x: float, y: float, height: float) -> None:
    """A slim evergreen."""
    leaves, bark = _leafy(site, 0.1), Paint(from_srgb(_BARKS[0]))
    site.at(x, y).stand(
        [
            Capsule(start=(0.0, 0.0, 0.0), end=(0.0, 0.0, 1.0), start_radius=0.13, end_radius=0.1, paint=bark),
            Capsule(
                start=(0.0, 0.0, 0.3 * height),
                end=(0.0, 0.0, 0.97 * height),
                start_radius=0.19 * height,
                end_radius=0.03,
                paint=leaves,
            ),
        ]
    )


def bush(site: Site, x: float, y: float, height: float) -> None:
    """A round shrub."""
    leaves, spread = _leafy(site, 0.02), 0.45 * height
    parts = [
        _ball(
            (float(site.rng.normal(0, spread)), float(site.rng.normal(0, spread)), 0.42 * height),
            height * float(site.rng.uniform(0.42, 0.6)),
            leaves,
        )
        for _ in range(3)
    ]
    site.at(x, y).stand(parts)


def hedge(site: Site, x: float, y: float, length: float, turn: float = 0.0, height: float = 0.9) -> None:
    """A clipped hedge along a direction."""
    site.at(x, y, turn).block((length, 0.7, height), site.surface(HEDGE), top_size=(length - 0.1, 0.6))


def grove(site: Site, x: float, y: float, length: float, turn: float, num_trees: int, height: float) -> None:
    """A row of trees that closes the view, a little uneven."""
    for number in range(num_trees):
        along = length * ((number + 0.5) / num_trees - 0.5) + float(site.rng.normal(0, 0.8))
        aside, size = float(site.rng.normal(0, 1.0)), height * float(site.rng.uniform(0.8, 1.15))
        tree_x = x + along * math.cos(turn) - aside * math.sin(turn)
        tree(site, tree_x, y + along * math.sin(turn) + aside * math.cos(turn), size, num_branches=2)


def _leafy(site: Site, holes: float) -> Paint:
    colour, shade = _LEAVES[int(site.rng.integers(len(_LEAVES)))]
    return Paint(from_srgb(colour), from_srgb(shade), Pattern.LEAVES, holes=holes)


def _ball(centre: Point, radius: float, paint: Paint, flatness: float = 0.85) -> Capsule:
    return Capsule(
        start=centre,
        end=centre,
        start_radius=radius,
        end_radius=radius,
        flat_axis=(0.0, 0.0, 1.0),
        flatness=flatness,
        paint=paint,
    )


_BODIES = (0x9A9DA0, 0xB9BABA, 0x2B2E33, 0x4A5057, 0x5E3230, 0x33435A, 0xD0D0CC, 0x6D7A72, 0x3A3F3C)
_BUSES = (0xA9443A, 0xC0B48A, 0x4B7188, 0xB5B7B4)
_TYRE = Paint(from_srgb(0x1B1C1E))


def car(site: Site, x: float, y: float, turn: float) -> None:
    """A saloon, an estate or a hatchback."""
    spot, rng = site.at(x, y, turn), site.rng
    coat, glass = _coat(rng, _BODIES).surface(rng), CAR_GLASS.surface(rng)
    length, rear = float(rng.uniform(3.9, 4.6)), float(rng.uniform(0.0, 0.55))
    dark = RUBBER.surface(rng)
    spot.block((length, 1.76, 0.32), coat, base=0.24, top_size=(length - 0.06, 1.78))
    spot.block((length - 0.06, 1.78, 0.28), coat, base=0.56, top_size=(length - 0.5, 1.62))
    spot.block((length - 0.2, 1.5, 0.1), dark, base=0.15)
    cabin = length - 1.35 - rear
    spot.block(
        (cabin, 1.60, 0.50),
        glass,
        along=-0.42 + 0.4 * rear,
        base=0.84,
        top=coat,
        top_size=(cabin - 1.0, 1.28),
        shift=-0.12,
    )
    for is_front, code in ((True, 0xD8D6CB), (False, 0x8A2A28)):
        lamp = Material(code, code).surface(rng)
        for side in (-0.62, 0.62):
            along = (0.5 if is_front else -0.5) * (length - 0.12)
            spot.block((0.12, 0.34, 0.12), lamp, along=along, aside=side, base=0.56)
    _wheels(spot, 0.31 * length, 0.30 * length, 0.78, 0.31)


def van(site: Site, x: float, y: float, turn: float) -> None:
    """A delivery van."""
    spot, rng = site.at(x, y, turn), site.rng
    coat, glass = _coat(rng, (0xC9C9C5, 0xB9BABA, 0x8A9198, 0x5C6A5E)).surface(rng), CAR_GLASS.surface(rng)
    spot.block((5.2, 1.95, 0.75), coat, base=0.28)
    spot.block((3.9, 1.95, 1.15), coat, along=-0.65, base=1.03, top_size=(3.8, 1.75))
    spot.block((1.25, 1.85, 0.72), glass, along=1.75, base=1.03, top=coat, top_size=(0.5, 1.6), shift=-0.37)
    _wheels(spot, 1.7, 1.5, 0.86, 0.35)


def bus(site: Site, x: float, y: float, turn: float) -> None:
    """A city bus."""
    spot, rng = site.at(x, y, turn), site.rng
    coat = _coat(rng, _BUSES)
    panes = Panes(spacing_m=(1.2, 1.62), size_m=(1.06, 1.05), colour=from_srgb(0x343C43))
    roof = Material(0xAFB0AE, 0xA2A3A2).surface(rng)
    spot.block((11.0, 2.5, 0.9), coat.surface(rng), base=0.32)
    spot.block((11.0, 2.5, 1.62), coat.surface(rng, panes), base=1.22, top=roof, top_size=(10.9, 2.3))
    spot.block((3.2, 1.5, 0.22), roof, along=-1.5, base=2.84)
    _wheels(spot, 3.4, 2.9, 1.12, 0.48)


def _coat(rng: np.random.Generator, colours: tuple[int, ...]) -> Material:
    colour = colours[int(rng.integers(len(colours)))]
    return Material(colour, colour)


def _wheels(spot: Spot, forward: float, backward: float, half_track: float, radius: float) -> None:
    spot.stand(
        [
            Capsule(
                start=(along, aside, radius),
                end=(along, aside, radius),
                start_radius=radius,
                end_radius=radius,
                flat_axis=(0.0, 1.0, 0.0),
                flatness=0.45,
                paint=_TYRE,
            )
            for along in (forward, -backward)
            for aside in (half_track, -half_track)
        ]
    )
