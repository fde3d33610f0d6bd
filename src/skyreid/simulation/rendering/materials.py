"""What streets, lawns and houses are made of: flat surfaces, and the materials that they are pieces of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from skyreid.simulation.rendering.kernels.textures import SURFACE
from skyreid.simulation.rendering.paint import Colour, from_srgb


@dataclass(frozen=True, kw_only=True)
class Panes:
    """Windows in rows, each in the middle of its field; some are darker than others."""

    spacing_m: tuple[float, float]
    """Width and height of a field."""
    size_m: tuple[float, float]
    colour: Colour


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A flat material that may be patchy, grainy, laid in slabs and have windows."""

    colour: Colour
    patch: Colour
    """What the colour drifts to in patches."""
    patch_m: float
    grain: float
    """Contrast of the fine grain, as a share of the colour."""
    slab_m: tuple[float, float] | None = None
    """Distance of the joints in both directions; None = none."""
    panes: Panes | None = None
    seed: int


@dataclass(frozen=True)
class Material:
    """A kind of surface; every piece of it has its own patches and grain."""

    colour: int
    """sRGB, as `patch`."""
    patch: int
    patch_m: float = 1.0
    grain: float = 0.0
    slab_m: tuple[float, float] | None = None

    def surface(self, rng: np.random.Generator, panes: Panes | None = None) -> Surface:
        """A piece of it."""
        return Surface(
            colour=from_srgb(self.colour),
            patch=from_srgb(self.patch),
            patch_m=self.patch_m,
            grain=self.grain,
            slab_m=self.slab_m,
            panes=panes,
            seed=int(rng.integers(1 << 16)),
        )


def stack_surfaces(surfaces: Sequence[Surface]) -> Shaped[np.ndarray, " surface"]:
    """Materials as records for the kernels."""
    records = np.zeros(len(surfaces), SURFACE)
    for record, surface in zip(records, surfaces, strict=True):
        for field in ("colour", "patch", "patch_m", "grain", "seed"):
            record[field] = getattr(surface, field)
        record["slab_m"] = surface.slab_m or 0.0
        if surface.panes is not None:
            record["pane_spacing"] = surface.panes.spacing_m
            record["pane_size"] = surface.panes.size_m
            record["pane_colour"] = surface.panes.colour
    return records


ASPHALT = Material(0x6F7070, 0x626363, 1.8, 0.30)
OLD_ASPHALT = Material(0x7A7975, 0x6B6A68, 2.6, 0.30)
CONCRETE_SLABS = Material(0x86847E, 0x7A7872, 1.4, 0.16, (0.5, 0.5))
LARGE_SLABS = Material(0x8F8C85, 0x827F79, 2.2, 0.12, (1.2, 0.8))
PAVING_STONES = Material(0x8E887E, 0x807A70, 0.9, 0.16, (0.3, 0.6))
BRICK_PAVING = Material(0x7D6A60, 0x705E56, 0.8, 0.20, (0.21, 0.105))
COBBLES = Material(0x8A857C, 0x78736B, 0.7, 0.28, (0.16, 0.16))
GRAVEL = Material(0x8C8474, 0x7D7566, 0.5, 0.40)
SAND = Material(0x968B76, 0x877C68, 1.1, 0.25)
GRASS = Material(0x5C6846, 0x4C5836, 0.35, 0.55)
DRY_GRASS = Material(0x6A7049, 0x58623D, 1.6, 0.50)
SOIL = Material(0x4E4336, 0x42382D, 0.4, 0.50)
WATER = Material(0x4B5A5C, 0x556668, 1.5, 0.05)
KERB = Material(0x9A968F, 0x8E8A84, 1.2, 0.10, (1.0, 1.0))
ROAD_PAINT = Material(0xC4C3BC, 0xA3A29C, 0.35, 0.25)
TACTILE_PAVING = Material(0xA58A4C, 0x977D45, 0.8, 0.15, (0.4, 0.4))

BRICK = Material(0x77635A, 0x6A574E, 2.0, 0.15, (0.25, 0.08))
PALE_BRICK = Material(0x998A74, 0x8A7C68, 2.0, 0.12, (0.25, 0.08))
PLASTER = Material(0x98938A, 0x8A867E, 3.0, 0.06)
CREAM_PLASTER = Material(0xB3A88F, 0xA39982, 3.0, 0.06)
OCHRE_PLASTER = Material(0xA58A63, 0x967D5A, 2.5, 0.06)
SANDSTONE = Material(0xA3967C, 0x92866E, 1.2, 0.14, (0.9, 0.4))
HEDGE = Material(0x4A5540, 0x36402C, 0.30, 0.60)
GLASS_FRONT = Material(0x5A636A, 0x6C757A, 2.2, 0.05, (1.5, 1.2))
CONCRETE_PANELS = Material(0x858887, 0x7A7D7D, 1.5, 0.10, (2.4, 1.2))
GRANITE = Material(0x6E6C6B, 0x615F5E, 0.5, 0.25, (0.8, 0.4))
ROOF_TILES = Material(0x7A5142, 0x694638, 0.9, 0.22, (0.3, 0.35))
SLATE = Material(0x50545A, 0x464A50, 1.0, 0.18, (0.3, 0.3))
FLAT_ROOF = Material(0x77767A, 0x6A696C, 2.5, 0.20)
WOOD = Material(0x7C6248, 0x6C553E, 0.3, 0.18)
STEEL = Material(0x54585C, 0x4C5054)
WHITE_STEEL = Material(0xB4B5B4, 0xA6A8A7)
CAR_GLASS = Material(0x2A3036, 0x3C454C, 0.8)
RUBBER = Material(0x26272A, 0x1E1F22, 0.3)
