"""What people carry."""

from itertools import pairwise

from skyreid.simulation.people.person import Bag, Person
from skyreid.simulation.people.skeleton import SIDES, Skeleton
from skyreid.simulation.rendering.capsules import Capsule, Point
from skyreid.simulation.rendering.paint import Paint

_FORWARD: Point = (1.0, 0.0, 0.0)
_SIDEWAYS: Point = (0.0, 1.0, 0.0)
_STRAP_M = 0.016


def bag(person: Person, joints: Skeleton) -> list[Capsule]:
    """A person's bag and its straps; nothing for who has none."""
    at = joints.trunk
    paint = Paint(person.bag_colour, fold=0.06)
    sign = SIDES[person.bag_side][1]

    def strap(*places: Point) -> list[Capsule]:
        return [
            Capsule(start=one, end=other, start_radius=_STRAP_M, end_radius=_STRAP_M, paint=paint)
            for one, other in pairwise(places)
        ]

    def pouch(
        start: Point, end: Point, start_radius: float, end_radius: float, flat_axis: Point, flatness: float
    ) -> Capsule:
        return Capsule(
            start=start,
            end=end,
            start_radius=start_radius,
            end_radius=end_radius,
            flat_axis=flat_axis,
            flatness=flatness,
            paint=paint,
        )

    match person.bag:
        case Bag.NONE:
            return []
        case Bag.BACKPACK:
            back = -0.09 - 0.075 * person.girth
            straps = [
                part
                for _, side in SIDES
                for part in strap(
                    at(back + 0.05, side * 0.09, 0.49),
                    at(0.0, side * 0.092, 0.525),
                    at(0.095, side * 0.092, 0.43),
                    at(0.125, side * 0.095, 0.27),
                )
            ]
            return [
                pouch(at(back - 0.01, 0.0, 0.16), at(back, 0.0, 0.37), 0.150, 0.125, _FORWARD, 0.58),
                pouch(at(back - 0.07, 0.0, 0.13), at(back - 0.07, 0.0, 0.20), 0.09, 0.09, _FORWARD, 0.5),
                *straps,
            ]
        case Bag.SHOULDER:
            side = sign * (0.15 * person.hips + 0.065)
            other_shoulder = at(0.02, -sign * 0.10, 0.525)
            return [
                pouch(at(-0.09, side, -0.01), at(0.09, side, -0.01), 0.10, 0.10, _SIDEWAYS, 0.5),
                *strap(at(0.07, side * 0.9, 0.06), at(0.125, side * 0.25, 0.28), other_shoulder),
                *strap(at(-0.07, side * 0.9, 0.06), at(-0.125, side * 0.25, 0.28), other_shoulder),
            ]
        case Bag.TOTE:
            x, y, z = joints.fingers[person.bag_side]
            return [
                pouch((x, y, z - 0.16), (x, y, z - 0.27), 0.135, 0.150, _SIDEWAYS, 0.36),
                *strap((x, y, z), (x + 0.09, y, z - 0.12)),
                *strap((x, y, z), (x - 0.09, y, z - 0.12)),
            ]
