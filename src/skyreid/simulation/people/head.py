"""Head, hair and hat."""

from skyreid.simulation.people.person import Hair, Hat, Person
from skyreid.simulation.people.skeleton import Skeleton
from skyreid.simulation.rendering.capsules import Capsule, Point
from skyreid.simulation.rendering.paint import Paint

_SIDEWAYS: Point = (0.0, 1.0, 0.0)
_UP: Point = (0.0, 0.0, 1.0)
_SKULL_UP_M = 0.712
"""Height of the skull's centre over the hips."""


def head(person: Person, joints: Skeleton) -> list[Capsule]:
    """Neck, skull, nose, and what grows and sits on it."""
    at, up, skin = joints.trunk, _SKULL_UP_M, Paint(person.skin)
    return [
        Capsule(start=at(-0.005, 0.0, 0.46), end=at(0.01, 0.0, 0.62), start_radius=0.056, end_radius=0.052, paint=skin),
        Capsule(
            start=at(0.008, 0.0, up),
            end=at(0.034, 0.0, up - 0.077),
            start_radius=0.096,
            end_radius=0.060,
            flat_axis=_SIDEWAYS,
            flatness=0.84,
            paint=skin,
        ),
        Capsule(
            start=at(0.105, 0.0, up - 0.01),
            end=at(0.115, 0.0, up - 0.04),
            start_radius=0.010,
            end_radius=0.016,
            paint=skin,
        ),
        *_hair(person, joints),
        *_hat(person, joints),
    ]


def _hair(person: Person, joints: Skeleton) -> list[Capsule]:
    """Hair sits behind and above the skull, so that the face stands out of it."""
    at, up = joints.trunk, _SKULL_UP_M
    paint = Paint(person.hair_colour, fold=0.12)
    crown = at(-0.014, 0.0, up + 0.016)

    def strand(start: Point, end: Point, start_radius: float, end_radius: float, flatness: float) -> Capsule:
        return Capsule(
            start=start,
            end=end,
            start_radius=start_radius,
            end_radius=end_radius,
            flat_axis=_SIDEWAYS,
            flatness=flatness,
            paint=paint,
        )

    short = strand(crown, at(-0.030, 0.0, up - 0.045), 0.100, 0.072, 0.88)
    match person.hair:
        case Hair.BALD:
            return []
        case Hair.SHORT:
            return [short]
        case Hair.BOB:
            return [strand(crown, at(-0.030, 0.0, up - 0.12), 0.105, 0.098, 0.96)]
        case Hair.LONG:
            nape = strand(crown, at(-0.040, 0.0, up - 0.12), 0.104, 0.095, 0.95)
            return [nape, strand(at(-0.05, 0.0, up - 0.08), at(-0.088, 0.0, up - 0.34), 0.090, 0.062, 1.25)]
        case Hair.PONYTAIL:
            bend = at(-0.145, 0.0, up - 0.06)
            return [
                short,
                strand(at(-0.10, 0.0, up + 0.03), bend, 0.032, 0.036, 1.0),
                strand(bend, at(-0.125, 0.0, up - 0.24), 0.036, 0.018, 1.0),
            ]
        case Hair.BUN:
            return [short, strand(at(-0.085, 0.0, up + 0.085), at(-0.09, 0.0, up + 0.09), 0.05, 0.05, 1.0)]


def _hat(person: Person, joints: Skeleton) -> list[Capsule]:
    at, up = joints.trunk, _SKULL_UP_M
    paint = Paint(person.hat_colour, fold=0.05)

    def crown(height: float, radius: float, rim: float) -> Capsule:
        return Capsule(
            start=at(-0.008, 0.0, up + 0.016),
            end=at(-0.012, 0.0, up + height),
            start_radius=0.112,
            end_radius=radius,
            flat_axis=_SIDEWAYS,
            flatness=0.9,
            cut_height=at(0.0, 0.0, up + rim)[2],
            paint=paint,
        )

    def flat(start: Point, end: Point, start_radius: float, end_radius: float, flatness: float) -> Capsule:
        return Capsule(
            start=start,
            end=end,
            start_radius=start_radius,
            end_radius=end_radius,
            flat_axis=_UP,
            flatness=flatness,
            paint=paint,
        )

    match person.hat:
        case Hat.NONE:
            return []
        case Hat.BEANIE:
            return [crown(0.045, 0.095, 0.01)]
        case Hat.CAP:
            peak = flat(at(0.06, 0.0, up + 0.042), at(0.14, 0.0, up + 0.034), 0.075, 0.060, 0.13)
            return [crown(0.03, 0.104, 0.035), peak]
        case Hat.SUNHAT:
            middle = at(-0.005, 0.0, up + 0.045)
            return [crown(0.03, 0.104, 0.03), flat(middle, middle, 0.205, 0.205, 0.07)]
