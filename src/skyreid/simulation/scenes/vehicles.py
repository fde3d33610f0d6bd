"""Cars, vans and buses that stand still."""

import numpy as np

from skyreid.simulation.rendering.capsules import Capsule
from skyreid.simulation.rendering.materials import CAR_GLASS, RUBBER, Material, Panes
from skyreid.simulation.rendering.paint import Paint, from_srgb
from skyreid.simulation.scenes.site import Site, Spot

_BODIES = (0x9A9DA0, 0xB9BABA, 0x2B2E33, 0x4A5057, 0x5E3230, 0x33435A, 0xD0D0CC, 0x6D7A72, 0x3A3F3C)
_BUSES = (0xA9443A, 0xC0B48A, 0x4B7188, 0xB5B7B4)
_TYRE = Paint(from_srgb(0x1B1C1E))


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
