"""The tapered capsules of one person at one moment of the walk: trunk, limbs, head, and what they wear and carry.

Lengths are metres of a person of `BUILT_FOR_M`; `size` tells by how much a person differs.
"""

import math
from itertools import pairwise

from skyreid.simulation.people.person import Bag, Hair, Hat, Lower, Person, Upper
from skyreid.simulation.people.skeleton import BUILT_FOR_M, LEFT, LEG_M, RIGHT, SIDES, SOLE_M, Skeleton, between, stand
from skyreid.simulation.rendering.capsules import NO_CUT, Capsule, Point
from skyreid.simulation.rendering.paint import Paint

_CLOTH_M = {Upper.TSHIRT: 0.004, Upper.JUMPER: 0.009, Upper.JACKET: 0.016, Upper.COAT: 0.018}
"""Thickness of the cloth and the air below it."""
_WAISTBAND_UP_M = {Upper.TSHIRT: 0.02, Upper.JUMPER: 0.0, Upper.JACKET: -0.04, Upper.COAT: -0.04}
"""Lower edge on the trunk, over the hips' centre; a coat goes on below as a skirt."""
_TROUSERS_M = 0.012
_COAT_SKIRT_M = 0.02
_HEM_HEIGHT_M = {Lower.SKIRT: 0.55, Lower.LONG_SKIRT: 0.27}
_COAT_HEM_HEIGHT_M = 0.58


def body(person: Person, phase: float) -> list[Capsule]:
    """The parts of a person who walks along x over the origin, at `phase` (0-1, cyclic) of the stride."""
    joints = stand(person.shoulders, person.stride, phase)
    parts = [*_trunk(person, joints), *_legs(person, joints), *_arms(person, joints)]
    if person.clothes.lower in _HEM_HEIGHT_M:
        parts += _skirt(person, joints, _HEM_HEIGHT_M[person.clothes.lower], 0.0, person.clothes.lower_paint)
    if person.clothes.upper is Upper.COAT:
        parts += _skirt(person, joints, _COAT_HEM_HEIGHT_M, _COAT_SKIRT_M, person.clothes.upper_paint)
    return [*parts, *head(person, joints), *bag(person, joints)]


def size(person: Person) -> float:
    """The scale at which to `place` this person's body."""
    return person.height_m / BUILT_FOR_M


def stride_m(person: Person, swing: float = 1.0) -> float:
    """How far a stride takes a person whose legs swing `swing` times as far as in their own walk.

    A stride is two steps, and a step twice what one leg swings to the front.
    """
    return 4 * LEG_M * size(person) * math.sin(person.stride.swing_rad * swing)


def _garment_axis(joints: Skeleton) -> tuple[Point, Point]:
    """Where the pattern of everything on the trunk counts from and to."""
    return joints.trunk(0.0, 0.0, 0.05), joints.trunk(0.0, 0.0, 0.55)


def _trunk(person: Person, joints: Skeleton) -> list[Capsule]:
    at, girth, cloth = joints.trunk, person.girth, _CLOTH_M[person.clothes.upper]

    def piece(
        start: Point,
        end: Point,
        start_radius: float,
        end_radius: float,
        flatness: float = 1.0,
        cut_height: float = NO_CUT,
    ) -> Capsule:
        return Capsule(
            start=start,
            end=end,
            start_radius=start_radius + cloth,
            end_radius=end_radius + cloth,
            paint=person.clothes.upper_paint,
            flatness=flatness,
            cut_height=cut_height,
            pattern_axis=_garment_axis(joints),
        )

    pelvis = Capsule(
        start=at(0.0, 0.0, 0.055),
        end=at(0.0, 0.0, 0.17),
        start_radius=0.156 * person.hips,
        end_radius=0.132 * girth,
        flatness=0.70,
        paint=person.clothes.lower_paint,
    )
    waistband = at(0.0, 0.0, _WAISTBAND_UP_M[person.clothes.upper])[2]
    shoulder = 0.056 * girth
    parts = [
        pelvis,
        piece(at(0.0, 0.0, 0.06), at(0.0, 0.0, 0.17), 0.160 * person.hips, 0.134 * girth, 0.72, waistband),
        piece(at(0.0, 0.0, 0.13), at(0.01, 0.0, 0.36), 0.134 * girth, 0.128 * girth, 0.74),
        piece(joints.shoulders[LEFT], joints.shoulders[RIGHT], shoulder, shoulder),
    ]
    for side, sign in SIDES:
        chest = at(0.0, sign * 0.075 * person.shoulders, 0.38)
        near_shoulder = between(joints.shoulders[side], at(0.0, 0.0, 0.47), 0.12)
        parts += [
            piece(at(0.0, sign * 0.02, 0.15), chest, 0.115 * girth, 0.098 * girth, 0.9),
            piece(at(-0.005, sign * 0.035, 0.50), near_shoulder, 0.045, 0.05),
        ]
    return parts


def _legs(person: Person, joints: Skeleton) -> list[Capsule]:
    girth, skin, shoe = person.girth, Paint(person.skin), Paint(person.shoes)
    has_trousers = person.clothes.lower is Lower.TROUSERS
    cloth = _TROUSERS_M if has_trousers else 0.0
    paint = person.clothes.lower_paint if has_trousers else skin
    thigh, knee_radius, calf = 0.078 * girth + cloth, 0.052 * girth + cloth, 0.053 * girth + cloth
    ankle_radius = 0.036 * girth + 1.5 * cloth
    parts = []
    for side, _ in SIDES:
        hip, knee, ankle = joints.hips[side], joints.knees[side], joints.ankles[side]
        middle, low = between(knee, ankle, 0.35), between(knee, ankle, 0.95)
        parts += [
            Capsule(start=hip, end=knee, start_radius=thigh, end_radius=knee_radius, paint=paint),
            Capsule(start=knee, end=middle, start_radius=knee_radius, end_radius=calf, paint=paint),
            Capsule(start=middle, end=low, start_radius=calf, end_radius=ankle_radius, paint=paint),
            Capsule(
                start=joints.heels[side],
                end=joints.toes[side],
                start_radius=SOLE_M,
                end_radius=SOLE_M,
                paint=shoe,
            ),
        ]
        if person.clothes.lower is Lower.SHORTS:
            parts.append(
                Capsule(
                    start=hip,
                    end=between(hip, knee, 0.82),
                    start_radius=thigh + 0.014,
                    end_radius=0.060 * girth + 0.022,
                    paint=person.clothes.lower_paint,
                )
            )
    return parts


def _skirt(person: Person, joints: Skeleton, hem: float, loose: float, paint: Paint) -> list[Capsule]:
    """Cloth from the hips to a hem: round the left leg, round the right one and between.

    The three are bent where the knees are, so that the hem widens with the stride and no leg pokes through.
    """
    legs = []
    for side, sign in SIDES:
        knee = joints.knees[side]
        legs.append([joints.trunk(0.0, sign * 0.060, 0.02), knee, joints.leg_at(side, min(hem, knee[2]))])
    middle = [between(left, right, 0.5) for left, right in zip(*legs, strict=True)]
    top, low = 0.020 + 0.094 * person.girth, 0.102 * person.girth
    middle_top, middle_low = 0.150 * person.hips, 0.160 * person.girth
    cones = []
    for path, radii, flatness in (
        (legs[LEFT], (top, low, low), 1.0),
        (legs[RIGHT], (top, low, low), 1.0),
        (middle, (middle_top, middle_low, middle_low), 0.8),
    ):
        for upper in (0, 1):
            cones.append(
                Capsule(
                    start=path[upper],
                    end=path[upper + 1],
                    start_radius=radii[upper] + loose,
                    end_radius=radii[upper + 1] + loose,
                    paint=paint,
                    flatness=flatness,
                    cut_height=hem,
                    pattern_axis=_garment_axis(joints),
                )
            )
    return cones


def _arms(person: Person, joints: Skeleton) -> list[Capsule]:
    girth, skin = person.girth, Paint(person.skin)
    is_short = person.clothes.upper is Upper.TSHIRT
    cloth = 0.0 if is_short else _CLOTH_M[person.clothes.upper]
    paint = skin if is_short else person.clothes.sleeve_paint
    upper, elbow_radius, lower = 0.048 * girth + cloth, 0.038 * girth + cloth, 0.026 * girth + cloth
    parts = []
    for side, _ in SIDES:
        shoulder, elbow, wrist = joints.shoulders[side], joints.elbows[side], joints.wrists[side]
        parts += [
            Capsule(start=shoulder, end=elbow, start_radius=upper, end_radius=elbow_radius, paint=paint),
            Capsule(start=elbow, end=wrist, start_radius=elbow_radius, end_radius=lower, paint=paint),
            Capsule(start=wrist, end=joints.fingers[side], start_radius=0.032, end_radius=0.024, paint=skin),
        ]
        if is_short:
            parts.append(
                Capsule(
                    start=shoulder,
                    end=between(shoulder, elbow, 0.55),
                    start_radius=0.058 * girth + 0.004,
                    end_radius=0.048 * girth + 0.010,
                    paint=person.clothes.sleeve_paint,
                )
            )
    return parts


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


_FORWARD: Point = (1.0, 0.0, 0.0)
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
