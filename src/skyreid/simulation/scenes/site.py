"""A scene, and the building site on which it is put together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from skyreid.simulation.rendering.capsules import Capsule, Capsules, place
from skyreid.simulation.rendering.materials import Material, Surface
from skyreid.simulation.rendering.surroundings import Block, Region, Surroundings

Size = tuple[float, float, float]
"""Length, width, height."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A place where people walk, and where its ground camera stands."""

    name: str
    surroundings: Surroundings
    walk_area: tuple[float, float, float, float]
    """x0, y0, x1, y1 in metres; nothing stands in it but thin posts and benches."""
    ground_camera: tuple[float, float]
    """x and y; it is 2.0 m high. Source: paper section 3.1."""
    ground_target: tuple[float, float]


@dataclass(frozen=True)
class Site:
    """What has been laid and built so far."""

    rng: np.random.Generator
    regions: list[Region] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    growths: list[Capsules] = field(default_factory=list)

    def surface(self, *materials: Material) -> Surface:
        """A piece of one of some materials."""
        return materials[int(self.rng.integers(len(materials)))].surface(self.rng)

    def lay(
        self,
        material: Material,
        x: float,
        y: float,
        length: float,
        width: float,
        *,
        turn: float = 0.0,
        corner: float = 0.0,
        rough: float = 0.0,
        kerb: Material | None = None,
    ) -> None:
        """Cover a rectangle of the ground, with a kerb of 14 cm round it or none."""
        layers = [(material.surface(self.rng), 0.0)]
        if kerb is not None:
            layers.insert(0, (kerb.surface(self.rng), 0.14))
        for surface, more in layers:
            self.regions.append(
                Region(
                    x=x,
                    y=y,
                    length=length + 2 * more,
                    width=width + 2 * more,
                    turn_rad=turn,
                    corner_m=corner + more if corner else 0.0,
                    rough_m=rough,
                    surface=surface,
                )
            )

    def at(self, x: float, y: float, turn: float = 0.0) -> "Spot":
        """A place to build on."""
        return Spot(self, x, y, turn)

    def surroundings(self, ground: Material) -> Surroundings:
        """The finished place."""
        return Surroundings(
            ground=ground.surface(self.rng),
            regions=tuple(self.regions),
            blocks=tuple(self.blocks),
            growths=tuple(self.growths),
        )


@dataclass(frozen=True)
class Spot:
    """A place on a site with axes of its own: x forward, y to its left."""

    site: Site
    x: float
    y: float
    turn: float

    def block(
        self,
        size: Size,
        sides: Surface,
        *,
        along: float = 0.0,
        aside: float = 0.0,
        base: float = 0.0,
        top: Surface | None = None,
        top_size: tuple[float, float] | None = None,
        shift: float = 0.0,
    ) -> None:
        """Put up a block `along` forward and `aside` to the left; its top is as the sides unless told."""
        cos, sin = math.cos(self.turn), math.sin(self.turn)
        self.site.blocks.append(
            Block(
                x=self.x + cos * along - sin * aside,
                y=self.y + sin * along + cos * aside,
                base=base,
                length=size[0],
                width=size[1],
                height=size[2],
                turn_rad=self.turn,
                top_length=None if top_size is None else top_size[0],
                top_width=None if top_size is None else top_size[1],
                top_shift=shift,
                sides=sides,
                top=top or sides,
            )
        )

    def stand(self, parts: Sequence[Capsule]) -> None:
        """Put up something made of capsules."""
        self.site.growths.append(place(parts, x=self.x, y=self.y, heading_rad=self.turn))
