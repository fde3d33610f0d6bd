"""Tapered capsules of all kinds, near (0, 0, 0.6)."""

from skyreid.simulation.rendering.capsules import Capsule
from skyreid.simulation.rendering.paint import Paint

GREY_PAINT = Paint((0.5, 0.5, 0.5))
DIAGONAL = (0.6, 0.0, 0.8)
SHAPES = {
    "cone": Capsule(start=(0.0, 0.0, 0.2), end=(0.1, 0.2, 1.0), start_radius=0.3, end_radius=0.1, paint=GREY_PAINT),
    "growing": Capsule(start=(0.0, 0.0, 0.5), end=(0.4, 0.0, 0.7), start_radius=0.1, end_radius=0.25, paint=GREY_PAINT),
    "flat": Capsule(
        start=(0.0, 0.0, 0.3), end=(0.0, 0.1, 0.9), start_radius=0.3, end_radius=0.2, flatness=0.4, paint=GREY_PAINT
    ),
    "flat askew": Capsule(
        start=(0.0, 0.0, 0.3),
        end=(0.3, 0.1, 0.9),
        start_radius=0.2,
        end_radius=0.3,
        flat_axis=DIAGONAL,
        flatness=0.5,
        paint=GREY_PAINT,
    ),
    "cut": Capsule(
        start=(0.0, 0.0, 1.0), end=(0.1, 0.0, 0.5), start_radius=0.15, end_radius=0.3, cut_height=0.5, paint=GREY_PAINT
    ),
    "ball": Capsule(start=(0.0, 0.0, 0.6), end=(0.0, 0.0, 0.6), start_radius=0.3, end_radius=0.3, paint=GREY_PAINT),
    "ball in ball": Capsule(
        start=(0.0, 0.0, 0.6), end=(0.0, 0.1, 0.6), start_radius=0.1, end_radius=0.4, paint=GREY_PAINT
    ),
    "ball before ball": Capsule(
        start=(0.0, 0.0, 0.6), end=(0.0, 0.1, 0.6), start_radius=0.4, end_radius=0.1, paint=GREY_PAINT
    ),
}
