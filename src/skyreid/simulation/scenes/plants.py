"""Trees, bushes and hedges."""

import math

from skyreid.simulation.rendering.capsules import Capsule, Point
from skyreid.simulation.rendering.materials import HEDGE
from skyreid.simulation.rendering.paint import Paint, Pattern, from_srgb
from skyreid.simulation.scenes.site import Site

_LEAVES = ((0x51603C, 0x37442A), (0x5F6B3E, 0x414C2B), (0x48593F, 0x313E2B), (0x6B7042, 0x4B4F2E))
_BARKS = (0x4C4238, 0x5A5046, 0x3F3831)


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
