"""Where the joints of a walking person are.

Everything is of a person of `BUILT_FOR_M`, in metres along the body's axes: x forward, y to its left, z up;
the lower sole touches z = 0. Whoever is taller or shorter is this one enlarged or reduced.
"""

import math
from dataclasses import dataclass

from skyreid.simulation.rendering.capsules import Point

BUILT_FOR_M = 1.75
LEFT, RIGHT = 0, 1
SIDES = ((LEFT, 1), (RIGHT, -1))
"""Index into pairs of joints, and the sign of y."""
SOLE_M = 0.037
"""From the middle of a shoe to its sole."""
LEG_M = 0.86
_AVERAGE_SWING_RAD = 0.38

Pair = tuple[Point, Point]


@dataclass(frozen=True, kw_only=True)
class Stride:
    """One person's way of walking."""

    swing_rad: float
    """Half of the thigh's swing."""
    arm_swing_rad: float
    cadence_hz: float
    """Strides (two steps) a second."""
    lean_rad: float
    """Of the trunk, forwards."""


@dataclass(frozen=True, kw_only=True)
class Skeleton:
    """Joint centres; pairs are (left, right)."""

    hips: Pair
    knees: Pair
    ankles: Pair
    heels: Pair
    toes: Pair
    shoulders: Pair
    elbows: Pair
    wrists: Pair
    fingers: Pair
    hip_height: float
    lean_rad: float

    def trunk(self, forward: float, left: float, up: float) -> Point:
        """A place on trunk or head, given from the middle between the hips of one who does not lean."""
        return _leaning(forward, left, up, self.hip_height, self.lean_rad)

    def leg_at(self, side: int, height: float) -> Point:
        """Where the axis of a leg passes a height."""
        hip, knee, ankle = self.hips[side], self.knees[side], self.ankles[side]
        upper, lower = (hip, knee) if height > knee[2] else (knee, ankle)
        return between(upper, lower, (upper[2] - height) / (upper[2] - lower[2]))


def stand(shoulders: float, stride: Stride, phase: float) -> Skeleton:
    """The joints at `phase` (0-1, cyclic) of the stride; 0 is the left heel's touch-down.

    `shoulders` is their width against an average of 1. The angles are sums of bumps, fitted by eye to the
    textbook pattern of level walking.
    """
    legs = [_leg(sign, _bend(stride, phase + 0.5 * side)) for side, sign in SIDES]
    lift = SOLE_M - min(joint[2] for leg in legs for joint in (leg.heel, leg.toe))
    twist = -0.13 * math.cos(2 * math.pi * phase)
    arms = []
    for side, sign in SIDES:
        out = 0.168 * shoulders
        shoulder = _leaning(sign * twist * out, sign * out, 0.455, lift, stride.lean_rad)
        swing = 0.06 - stride.arm_swing_rad * math.cos(2 * math.pi * (phase + 0.5 * side - 0.02))
        arms.append(_arm(sign, shoulder, swing))

    def raised(left: Point, right: Point) -> Pair:
        return (left[0], left[1], left[2] + lift), (right[0], right[1], right[2] + lift)

    return Skeleton(
        hips=raised(legs[LEFT].hip, legs[RIGHT].hip),
        knees=raised(legs[LEFT].knee, legs[RIGHT].knee),
        ankles=raised(legs[LEFT].ankle, legs[RIGHT].ankle),
        heels=raised(legs[LEFT].heel, legs[RIGHT].heel),
        toes=raised(legs[LEFT].toe, legs[RIGHT].toe),
        shoulders=(arms[LEFT].shoulder, arms[RIGHT].shoulder),
        elbows=(arms[LEFT].elbow, arms[RIGHT].elbow),
        wrists=(arms[LEFT].wrist, arms[RIGHT].wrist),
        fingers=(arms[LEFT].fingers, arms[RIGHT].fingers),
        hip_height=lift,
        lean_rad=stride.lean_rad,
    )


def between(one: Point, other: Point, share: float) -> Point:
    """The point that lies `share` (0-1) of the way from one to the other."""
    return (
        one[0] + share * (other[0] - one[0]),
        one[1] + share * (other[1] - one[1]),
        one[2] + share * (other[2] - one[2]),
    )


@dataclass(frozen=True)
class _Bend:
    """Radians from hanging straight down; forwards is positive."""

    thigh: float
    knee: float
    """Backwards."""
    foot: float
    """Against the level; toe up is positive."""


@dataclass(frozen=True)
class _Leg:
    """Joints from a hip at height 0."""

    hip: Point
    knee: Point
    ankle: Point
    heel: Point
    toe: Point


@dataclass(frozen=True)
class _Arm:
    shoulder: Point
    elbow: Point
    wrist: Point
    fingers: Point


def _bend(stride: Stride, phase: float) -> _Bend:
    scale = stride.swing_rad / _AVERAGE_SWING_RAD
    thigh = 0.12 + stride.swing_rad * math.cos(2 * math.pi * (phase - 0.95))
    knee = 0.07 + scale * (0.26 * _bump(phase, 0.14, 0.07) + 0.98 * _bump(phase, 0.72, 0.12))
    foot = scale * (0.30 * _bump(phase, 0.98, 0.05) - 0.80 * _bump(phase, 0.60, 0.10))
    return _Bend(thigh, knee, foot)


def _bump(phase: float, centre: float, width: float) -> float:
    """A smooth bump of height 1 on the circle of phases."""
    return math.exp(-((((phase - centre + 0.5) % 1 - 0.5) / width) ** 2))


def _leg(sign: int, bend: _Bend) -> _Leg:
    hip = (0.0, sign * 0.088, 0.0)
    knee = _hang(hip, LEG_M / 2, bend.thigh, -sign * 0.03)
    ankle = _hang(knee, LEG_M / 2, bend.thigh - bend.knee, -sign * 0.03)
    cos, sin = math.cos(bend.foot), math.sin(bend.foot)

    def foot(forward: float, left: float, up: float) -> Point:
        x, y, z = ankle
        return (x + forward * cos - up * sin, y + left, z + forward * sin + up * cos)

    return _Leg(hip, knee, ankle, heel=foot(-0.045, 0.0, -0.033), toe=foot(0.13, sign * 0.025, -0.038))


def _arm(sign: int, shoulder: Point, swing: float) -> _Arm:
    elbow = _hang(shoulder, 0.295, swing, sign * 0.14)
    forearm = swing + 0.18 + 0.35 * max(swing, 0.0)
    wrist = _hang(elbow, 0.26, forearm, sign * 0.02)
    return _Arm(shoulder, elbow, wrist, fingers=_hang(wrist, 0.09, forearm + 0.1, -sign * 0.05))


def _hang(joint: Point, length: float, forward_rad: float, left_rad: float) -> Point:
    """The end of a bone that hangs from a joint, swung forwards and to the left."""
    x, y, z = joint
    down = length * math.cos(left_rad)
    return (
        x + down * math.sin(forward_rad),
        y + length * math.sin(left_rad),
        z - down * math.cos(forward_rad),
    )


def _leaning(forward: float, left: float, up: float, hip_height: float, lean_rad: float) -> Point:
    cos, sin = math.cos(lean_rad), math.sin(lean_rad)
    return (forward * cos + up * sin, left, hip_height + up * cos - forward * sin)
