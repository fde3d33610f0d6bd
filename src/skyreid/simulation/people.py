"""Bodies: a person's proportions, hair and clothes, and the tapered capsules of one moment of the walk."""

from dataclasses import dataclass
from enum import Enum, auto

from skyreid.simulation.capsules import NO_CUT, Capsule, Point
from skyreid.simulation.paint import Colour, Paint
from skyreid.simulation.skeleton import LEFT, RIGHT, SOLE_M, Skeleton, Stride, between, stand

_SIDES = ((LEFT, 1), (RIGHT, -1))
_FORWARD: Point = (1.0, 0.0, 0.0)
_SIDEWAYS: Point = (0.0, 1.0, 0.0)
_UP: Point = (0.0, 0.0, 1.0)


class Hair(Enum):
    BALD = auto()
    SHORT = auto()
    BOB = auto()
    LONG = auto()
    PONYTAIL = auto()
    BUN = auto()


class Hat(Enum):
    NONE = auto()
    CAP = auto()
    BEANIE = auto()
    SUNHAT = auto()


class Bag(Enum):
    NONE = auto()
    BACKPACK = auto()
    SHOULDER = auto()
    TOTE = auto()


class Upper(Enum):
    TSHIRT = auto()
    JUMPER = auto()
    JACKET = auto()
    COAT = auto()


class Lower(Enum):
    TROUSERS = auto()
    SHORTS = auto()
    SKIRT = auto()
    LONG_SKIRT = auto()


@dataclass(frozen=True, kw_only=True)
class Person:
    """One identity: everything about a look that lasts through the day."""

    height_m: float
    girth: float
    """Thickness of trunk and limbs; 1 is average, as for the two widths."""
    shoulders: float
    hips: float
    skin: Colour
    hair: Hair
    hair_colour: Colour
    upper: Upper
    upper_paint: Paint
    sleeve_paint: Paint
    lower: Lower
    lower_paint: Paint
    shoes: Colour
    hat: Hat
    hat_colour: Colour
    bag: Bag
    bag_colour: Colour
    bag_side: int
    """`LEFT` or `RIGHT`, for a bag that hangs on one side."""
    stride: Stride


def body(person: Person, phase: float) -> list[Capsule]:
    """The parts of a person who walks along x over the origin, at `phase` (0-1, cyclic) of the stride."""
    joints = stand(person.height_m, person.shoulders, person.stride, phase)
    return [
        *_trunk(person, joints),
        *_legs(person, joints),
        *_skirts(person, joints),
        *_arms(person, joints),
        *_head(person, joints),
        *_hair(person, joints),
        *_hat(person, joints),
        *_bag(person, joints),
    ]


def _trunk(person: Person, joints: Skeleton) -> list[Capsule]:
    size, girth = joints.size, person.girth
    thick = _THICKNESS[person.upper]
    at = joints.trunk
    garment_axis = (at(0, 0, 0.05), at(0, 0, 0.55))

    def piece(
        start: Point, end: Point, start_radius: float, end_radius: float, flatness: float, hem: float = NO_CUT
    ) -> Capsule:
        return Capsule(
            start=start,
            end=end,
            start_radius=(start_radius + thick) * size,
            end_radius=(end_radius + thick) * size,
            flatness=flatness,
            cut_height=hem,
            paint=person.upper_paint,
            pattern_axis=garment_axis,
        )

    hem = at(0, 0, _HEM[person.upper])[2]
    shoulder = 0.056 * girth
    parts = [
        Capsule(
            start=at(0, 0, 0.055),
            end=at(0, 0, 0.17),
            start_radius=0.156 * person.hips * size,
            end_radius=0.132 * girth * size,
            flatness=0.70,
            paint=person.lower_paint,
        ),
        piece(at(0, 0, 0.06), at(0, 0, 0.17), 0.160 * person.hips, 0.134 * girth, 0.72, hem),
        piece(at(0, 0, 0.13), at(0.01, 0, 0.36), 0.134 * girth, 0.128 * girth, 0.74),
        piece(joints.shoulders[LEFT], joints.shoulders[RIGHT], shoulder, shoulder, 1.0),
    ]
    for side, sign in _SIDES:
        near_shoulder = between(joints.shoulders[side], at(0, 0, 0.47), 0.12)
        chest = 0.075 * person.shoulders * sign
        parts += [
            piece(at(0, sign * 0.02, 0.15), at(0, chest, 0.38), 0.115 * girth, 0.098 * girth, 0.9),
            piece(at(-0.005, sign * 0.035, 0.50), near_shoulder, 0.045, 0.05, 1.0),
        ]
    return parts


_HEM = {Upper.TSHIRT: 0.02, Upper.JUMPER: 0.0, Upper.JACKET: -0.04, Upper.COAT: -0.04}
"""Lower edge over the hips' centre, metres; a coat's skirt goes on below."""
_THICKNESS = {Upper.TSHIRT: 0.004, Upper.JUMPER: 0.009, Upper.JACKET: 0.016, Upper.COAT: 0.018}
"""Of the cloth and the air below it, metres."""


def _legs(person: Person, joints: Skeleton) -> list[Capsule]:
    size, girth = joints.size, person.girth
    skin = Paint(person.skin)
    has_trousers = person.lower is Lower.TROUSERS
    wide = 0.012 * size if has_trousers else 0.0
    cloth = person.lower_paint if has_trousers else skin
    parts = []
    for side, _ in _SIDES:
        hip, knee, ankle = joints.hips[side], joints.knees[side], joints.ankles[side]
        parts += [
            Capsule(
                start=hip,
                end=knee,
                start_radius=0.078 * girth * size + wide,
                end_radius=0.052 * girth * size + wide,
                paint=cloth,
            ),
            Capsule(
                start=knee,
                end=between(knee, ankle, 0.35),
                start_radius=0.052 * girth * size + wide,
                end_radius=0.053 * girth * size + wide,
                paint=cloth,
            ),
            Capsule(
                start=between(knee, ankle, 0.35),
                end=between(knee, ankle, 0.95 if has_trousers else 1.0),
                start_radius=0.053 * girth * size + wide,
                end_radius=0.036 * girth * size + 1.5 * wide,
                paint=cloth,
            ),
            Capsule(
                start=joints.heels[side],
                end=joints.toes[side],
                start_radius=0.041 * size,
                end_radius=SOLE_M * size,
                paint=Paint(person.shoes),
            ),
        ]
        if person.lower is Lower.SHORTS:
            parts.append(
                Capsule(
                    start=hip,
                    end=between(hip, knee, 0.82),
                    start_radius=(0.078 * girth + 0.014) * size,
                    end_radius=(0.060 * girth + 0.022) * size,
                    paint=person.lower_paint,
                )
            )
    return parts


def _skirts(person: Person, joints: Skeleton) -> list[Capsule]:
    """Skirt and coat: a cone round either leg and one between, so that the hem widens with the stride."""
    size, girth, hips = joints.size, person.girth, person.hips
    knee_height = 0.5 * size
    layers: list[tuple[float, float, Paint]] = []
    if person.lower in (Lower.SKIRT, Lower.LONG_SKIRT):
        hem = (0.54 if person.lower is Lower.LONG_SKIRT else 1.10) * knee_height
        layers.append((hem, 0.0, person.lower_paint))
    if person.upper is Upper.COAT:
        layers.append((1.16 * knee_height, 0.02, person.upper_paint))
    return [part for hem, loose, paint in layers for part in _cones(person, joints, hem, loose, paint)]


def _cones(person: Person, joints: Skeleton, hem: float, loose: float, paint: Paint) -> list[Capsule]:
    """Cloth from the hips to the hem along the left leg, the right leg and between; bent where a knee is."""
    size, girth = joints.size, person.girth
    axis = (joints.trunk(0, 0, 0.05), joints.trunk(0, 0, 0.55))
    legs = []
    for side, sign in _SIDES:
        knee = joints.knees[side]
        legs.append([joints.trunk(0, sign * 0.055, 0.02), knee, joints.leg_at(side, min(hem, knee[2]))])
    middle = [between(left, right, 0.5) for left, right in zip(*legs, strict=True)]
    parts = []
    for path, top, low, flatness in (
        (legs[LEFT], 0.114 * girth, 0.102 * girth, 1.0),
        (legs[RIGHT], 0.114 * girth, 0.102 * girth, 1.0),
        (middle, 0.150 * person.hips, 0.160 * girth, 0.8),
    ):
        for start, end, start_radius in ((path[0], path[1], top), (path[1], path[2], low)):
            parts.append(
                Capsule(
                    start=start,
                    end=end,
                    start_radius=(start_radius + loose) * size,
                    end_radius=(low + loose) * size,
                    flatness=flatness,
                    cut_height=hem,
                    paint=paint,
                    pattern_axis=axis,
                )
            )
    return parts


def _arms(person: Person, joints: Skeleton) -> list[Capsule]:
    size, girth = joints.size, person.girth
    skin = Paint(person.skin)
    is_short = person.upper is Upper.TSHIRT
    thick = 0.0 if is_short else _THICKNESS[person.upper] * size
    cloth = skin if is_short else person.sleeve_paint
    parts = []
    for side, _ in _SIDES:
        shoulder, elbow, wrist = joints.shoulders[side], joints.elbows[side], joints.wrists[side]
        parts += [
            Capsule(
                start=shoulder,
                end=elbow,
                start_radius=0.048 * girth * size + thick,
                end_radius=0.038 * girth * size + thick,
                paint=cloth,
            ),
            Capsule(
                start=elbow,
                end=wrist,
                start_radius=0.038 * girth * size + thick,
                end_radius=0.026 * girth * size + thick,
                paint=cloth,
            ),
            Capsule(
                start=wrist,
                end=joints.fingers[side],
                start_radius=0.032 * size,
                end_radius=0.024 * size,
                paint=skin,
            ),
        ]
        if is_short:
            parts.append(
                Capsule(
                    start=shoulder,
                    end=between(shoulder, elbow, 0.55),
                    start_radius=(0.056 * girth + 0.004) * size,
                    end_radius=(0.048 * girth + 0.010) * size,
                    paint=person.sleeve_paint,
                )
            )
    return parts


_CRANIUM_UP = 0.712
"""Height of the skull's centre over the hips, metres."""


def _head(person: Person, joints: Skeleton) -> list[Capsule]:
    size = joints.size
    skin = Paint(person.skin)
    return [
        Capsule(
            start=joints.trunk(-0.005, 0, 0.46),
            end=joints.trunk(0.01, 0, 0.62),
            start_radius=0.056 * size,
            end_radius=0.052 * size,
            paint=skin,
        ),
        Capsule(
            start=joints.trunk(0.008, 0, _CRANIUM_UP),
            end=joints.trunk(0.034, 0, 0.635),
            start_radius=0.096 * size,
            end_radius=0.060 * size,
            flat_axis=_SIDEWAYS,
            flatness=0.84,
            paint=skin,
        ),
        Capsule(
            start=joints.trunk(0.105, 0, _CRANIUM_UP - 0.01),
            end=joints.trunk(0.115, 0, _CRANIUM_UP - 0.04),
            start_radius=0.010 * size,
            end_radius=0.016 * size,
            paint=skin,
        ),
    ]


def _hair(person: Person, joints: Skeleton) -> list[Capsule]:
    """Hair sits behind and above the skull, so that the face stands out of it."""
    if person.hair is Hair.BALD:
        return []
    size, up = joints.size, _CRANIUM_UP
    paint = Paint(person.hair_colour, fold=0.12)
    crown = joints.trunk(-0.014, 0, up + 0.016)

    def strand(start: Point, end: Point, start_radius: float, end_radius: float, flatness: float) -> Capsule:
        return Capsule(
            start=start,
            end=end,
            start_radius=start_radius * size,
            end_radius=end_radius * size,
            flat_axis=_SIDEWAYS,
            flatness=flatness,
            paint=paint,
        )

    short = strand(crown, joints.trunk(-0.030, 0, up - 0.045), 0.100, 0.072, 0.88)
    if person.hair is Hair.SHORT:
        return [short]
    if person.hair is Hair.BOB:
        return [strand(crown, joints.trunk(-0.030, 0, up - 0.12), 0.105, 0.098, 0.96)]
    if person.hair is Hair.LONG:
        return [
            strand(crown, joints.trunk(-0.040, 0, up - 0.12), 0.104, 0.095, 0.95),
            strand(joints.trunk(-0.05, 0, up - 0.08), joints.trunk(-0.088, 0, up - 0.34), 0.09, 0.062, 1.25),
        ]
    if person.hair is Hair.PONYTAIL:
        return [
            short,
            strand(joints.trunk(-0.10, 0, up + 0.03), joints.trunk(-0.145, 0, up - 0.06), 0.032, 0.036, 1.0),
            strand(joints.trunk(-0.145, 0, up - 0.06), joints.trunk(-0.125, 0, up - 0.24), 0.036, 0.018, 1.0),
        ]
    return [short, strand(joints.trunk(-0.085, 0, up + 0.085), joints.trunk(-0.09, 0, up + 0.09), 0.05, 0.05, 1.0)]


def _hat(person: Person, joints: Skeleton) -> list[Capsule]:
    if person.hat is Hat.NONE:
        return []
    size, up = joints.size, _CRANIUM_UP
    paint = Paint(person.hat_colour, fold=0.05)
    rim = {Hat.CAP: 0.035, Hat.BEANIE: 0.01, Hat.SUNHAT: 0.03}[person.hat]
    parts = [
        Capsule(
            start=joints.trunk(-0.008, 0, up + 0.016),
            end=joints.trunk(-0.012, 0, up + (0.045 if person.hat is Hat.BEANIE else 0.03)),
            start_radius=0.112 * size,
            end_radius=(0.095 if person.hat is Hat.BEANIE else 0.104) * size,
            flat_axis=_SIDEWAYS,
            flatness=0.9,
            cut_height=joints.trunk(0, 0, up + rim)[2],
            paint=paint,
        )
    ]
    if person.hat is Hat.CAP:
        parts.append(
            Capsule(
                start=joints.trunk(0.06, 0, up + 0.042),
                end=joints.trunk(0.14, 0, up + 0.034),
                start_radius=0.075 * size,
                end_radius=0.060 * size,
                flat_axis=_UP,
                flatness=0.13,
                paint=paint,
            )
        )
    if person.hat is Hat.SUNHAT:
        brim = joints.trunk(-0.005, 0, up + 0.045)
        parts.append(
            Capsule(
                start=brim,
                end=brim,
                start_radius=0.205 * size,
                end_radius=0.205 * size,
                flat_axis=_UP,
                flatness=0.07,
                paint=paint,
            )
        )
    return parts


def _bag(person: Person, joints: Skeleton) -> list[Capsule]:
    size = joints.size
    paint = Paint(person.bag_colour, fold=0.06)
    sign = 1 if person.bag_side == LEFT else -1

    def strap(*places: Point) -> list[Capsule]:
        return [
            Capsule(start=one, end=other, start_radius=0.016 * size, end_radius=0.016 * size, paint=paint)
            for one, other in zip(places, places[1:], strict=False)
        ]

    def pouch(
        start: Point, end: Point, start_radius: float, end_radius: float, axis: Point, flatness: float
    ) -> Capsule:
        return Capsule(
            start=start,
            end=end,
            start_radius=start_radius * size,
            end_radius=end_radius * size,
            flat_axis=axis,
            flatness=flatness,
            paint=paint,
        )

    at = joints.trunk
    if person.bag is Bag.BACKPACK:
        back = -0.09 - 0.075 * person.girth
        parts = [
            pouch(at(back - 0.01, 0, 0.16), at(back, 0, 0.37), 0.150, 0.125, _FORWARD, 0.58),
            pouch(at(back - 0.07, 0, 0.13), at(back - 0.07, 0, 0.20), 0.09, 0.09, _FORWARD, 0.5),
        ]
        for side in (1, -1):
            parts += strap(
                at(back + 0.05, side * 0.09, 0.49),
                at(0.0, side * 0.092, 0.525),
                at(0.095, side * 0.092, 0.43),
                at(0.125, side * 0.095, 0.27),
            )
        return parts
    if person.bag is Bag.SHOULDER:
        hang = sign * (0.15 * person.hips + 0.065)
        return [
            pouch(at(-0.09, hang, -0.01), at(0.09, hang, -0.01), 0.10, 0.10, _SIDEWAYS, 0.5),
            *strap(at(0.07, hang * 0.9, 0.06), at(0.125, hang * 0.25, 0.28), at(0.02, -sign * 0.10, 0.525)),
            *strap(at(-0.07, hang * 0.9, 0.06), at(-0.125, hang * 0.25, 0.28), at(0.02, -sign * 0.10, 0.525)),
        ]
    if person.bag is Bag.TOTE:
        x, y, z = joints.fingers[person.bag_side]
        low = z - 0.24 * size
        return [
            pouch((x, y, low + 0.08), (x, y, low - 0.03), 0.135, 0.150, _SIDEWAYS, 0.36),
            *strap((x, y, z), (x + 0.09, y, low + 0.12)),
            *strap((x, y, z), (x - 0.09, y, low + 0.12)),
        ]
    return []
