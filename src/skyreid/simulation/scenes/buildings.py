"""Houses around a scene, seen from the street and from above."""

from skyreid.simulation.rendering.materials import (
    CAR_GLASS,
    CONCRETE_PANELS,
    FLAT_ROOF,
    GRANITE,
    ROOF_TILES,
    SLATE,
    STEEL,
    WOOD,
    Material,
    Panes,
)
from skyreid.simulation.rendering.paint import from_srgb
from skyreid.simulation.scenes.site import Site

_STOREY_M = 3.1
_DARK_GLASS = from_srgb(0x3A444C)


def flat_building(
    site: Site,
    x: float,
    y: float,
    length: float,
    width: float,
    *,
    storeys: int,
    walls: Material,
    turn: float = 0.0,
    window_m: tuple[float, float] = (1.5, 1.5),
    field_m: float = 3.0,
) -> None:
    """Storeys of equal windows under a flat roof with a parapet; the ground floor stands on a plinth."""
    spot, rng = site.at(x, y, turn), site.rng
    panes = Panes(spacing_m=(field_m, _STOREY_M), size_m=window_m, colour=_DARK_GLASS)
    height = storeys * _STOREY_M
    # Whole fields only, or windows would be cut at the corners.
    length, width = max(round(length / field_m), 1) * field_m, max(round(width / field_m), 1) * field_m
    spot.block((length, width, height), walls.surface(rng, panes))
    spot.block((length + 0.1, width + 0.1, 0.45), site.surface(GRANITE))
    spot.block((length + 0.5, width + 0.5, 0.5), walls.surface(rng), base=height, top=site.surface(FLAT_ROOF))
    for _ in range(2):
        along, aside = rng.uniform(-0.3, 0.3, 2) * (length, width)
        hut = (float(rng.uniform(1.5, 3.5)), float(rng.uniform(1.5, 3.0)), 1.2)
        spot.block(hut, site.surface(CONCRETE_PANELS, STEEL), along=float(along), aside=float(aside), base=height + 0.5)
    _entrance(site, x, y, turn, 0.5 * length)


def _entrance(site: Site, x: float, y: float, turn: float, forward: float) -> None:
    spot = site.at(x, y, turn)
    spot.block((0.2, 2.2, 2.5), site.surface(CAR_GLASS, WOOD), along=forward)
    spot.block((1.4, 3.0, 0.18), site.surface(CONCRETE_PANELS), along=forward + 0.6, base=2.65)


def house(
    site: Site,
    x: float,
    y: float,
    length: float,
    width: float,
    *,
    storeys: int,
    walls: Material,
    turn: float = 0.0,
) -> None:
    """A house with a tiled roof whose ridge runs along it; doors and windows face all ways."""
    spot, rng = site.at(x, y, turn), site.rng
    panes = Panes(spacing_m=(2.4, _STOREY_M), size_m=(1.0, 1.5), colour=_DARK_GLASS)
    height = storeys * _STOREY_M
    length, width = max(round(length / 2.4), 1) * 2.4, max(round(width / 2.4), 1) * 2.4
    spot.block((length, width, height), walls.surface(rng, panes))
    spot.block((length + 0.08, width + 0.08, 0.5), site.surface(GRANITE))
    roof = site.surface(ROOF_TILES, ROOF_TILES, SLATE)
    spot.block((length + 0.6, width + 0.7, 0.32 * width), roof, base=height, top_size=(length - 0.4, 0.1))
    spot.block((0.7, 0.7, 1.2), walls.surface(rng), along=0.3 * length, aside=0.12 * width, base=height + 0.22 * width)
    _entrance(site, x, y, turn, 0.5 * length)


def shop_row(
    site: Site, x: float, y: float, length: float, depth: float, *, storeys: int, walls: Material, turn: float = 0.0
) -> None:
    """A long building along y (before turning) with shop windows and awnings on its front."""
    flat_building(site, x, y, depth, length, storeys=storeys, walls=walls, turn=turn, window_m=(1.1, 1.6))
    spot, rng = site.at(x, y, turn), site.rng
    front = 0.5 * max(round(depth / 3.0), 1) * 3.0
    shops = max(int(length // 6), 1)
    for number in range(shops):
        aside = 6.0 * (number - 0.5 * (shops - 1))
        codes = (0x6E3B38, 0x3F5347, 0x4A4F5A, 0x8C7B58, 0x5B4A5E)
        code = codes[int(rng.integers(len(codes)))]
        board = Material(code, code).surface(rng)
        glass = Material(0x2F363B, 0x4E5659, 1.3, 0.05).surface(rng)
        spot.block((0.24, 5.2, 2.4), glass, along=front, aside=aside, base=0.2)
        spot.block((0.34, 5.6, 0.6), board, along=front, aside=aside, base=2.6)
        if rng.random() < 0.6:
            spot.block(
                (1.7, 5.0, 0.5), board, along=front + 0.6, aside=aside, base=2.2, top_size=(0.3, 5.0), shift=-0.7
            )
