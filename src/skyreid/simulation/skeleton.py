"""Where the joints of a walking person are: proportions and one moment of the stride.

Axes of the body: x forward, y to its left, z up, in metres; the lower sole touches z = 0.
"""

import math
from dataclasses import dataclass

from skyreid.simulation.capsules import Point

LEFT, RIGHT = 0, 1


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

    hips: tuple[Point, Point]
    knees: tuple[Point, Point]
    ankles: tuple[Point, Point]
    heels: tuple[Point, Point]
    toes: tuple[Point, Point]
    shoulders: tuple[Point, Point]
    elbows: tuple[Point, Point]
    wrists: tuple[Point, Point]
    fingers: tuple[Point, Point]
    hip_height: float
    size: float
    """Of this person against one of 1.75 m; other lengths scale with it."""
    lean_rad: float

    def trunk(self, forward: float, left: float, up: float) -> Point:
        """A place on the trunk or head: metres from the hips' centre of a person of 1.75 m who stands straight."""
        forward, left, up = forward * self.size, left * self.size, up * self.size
        cos, sin = math.cos(self.lean_rad), math.sin(self.lean_rad)
        return (forward * cos + up * sin, left, self.hip_height + up * cos - forward * sin)

    def leg_at(self, side: int, height: float) -> Point:
        """Where the axis of a leg passes a height."""
        hip, knee, ankle = self.hips[side], self.knees[side], self.ankles[side]
        upper, lower = (hip, knee) if height > knee[2] else (knee, ankle)
        return between(upper, lower, (upper[2] - height) / (upper[2] - lower[2]))


def stand(height_m: float, shoulders: float, stride: Stride, phase: float) -> Skeleton:
    """The joints of a person at `phase` (0-1, cyclic) of the stride; 0 is the left heel's touch-down.

    Args:
        height_m: Barefoot and upright.
        shoulders: Width against the average of 1.
        stride: How the person walks.
        phase: Any number; only its fraction counts.

    The joint curves are sums of bumps fitted by eye to the textbook pattern of level walking.
    """
    size = height_m / 1.75
    thigh, shin, foot = 0.43 * size, 0.43 * size, size
    lower: list[list[Point]] = []
    for side, sign in ((LEFT, 1), (RIGHT, -1)):
        bend = _bend(stride, phase + 0.5 * side)
        hip = (0.0, sign * 0.088 * size, 0.0)
        knee = _hang(hip, thigh, bend.thigh, -sign * 0.03)
        ankle = _hang(knee, shin, bend.thigh - bend.knee, -sign * 0.03)
        heel = _turned(ankle, -0.045 * foot, -0.033 * foot, bend.foot, 0.0)
        toe = _turned(ankle, 0.13 * foot, -0.038 * foot, bend.foot, sign * 0.025 * foot)
        lower.append([hip, knee, ankle, heel, toe])
    lift = -min(joint[2] - SOLE_M * size for leg in lower for joint in leg[3:])

    hip_height = lift
    twist = -0.13 * math.cos(2 * math.pi * phase)
    upper: list[list[Point]] = []
    cos, sin = math.cos(stride.lean_rad), math.sin(stride.lean_rad)
    for side, sign in ((LEFT, 1), (RIGHT, -1)):
        along = 0.168 * shoulders * size
        up = 0.455 * size
        shoulder = (sign * twist * along + up * sin, sign * along, hip_height + up * cos)
        swing = 0.06 - stride.arm_swing_rad * math.cos(2 * math.pi * (phase + 0.5 * side - 0.02))
        elbow = _hang(shoulder, 0.295 * size, swing, sign * 0.14)
        forearm = swing + 0.18 + 0.35 * max(swing, 0.0)
        wrist = _hang(elbow, 0.26 * size, forearm, sign * 0.02)
        upper.append([shoulder, elbow, wrist, _hang(wrist, 0.09 * size, forearm + 0.1, -sign * 0.05)])

    def pair(limbs: list[list[Point]], joint: int, raised: float) -> tuple[Point, Point]:
        left, right = limbs[LEFT][joint], limbs[RIGHT][joint]
        return (left[0], left[1], left[2] + raised), (right[0], right[1], right[2] + raised)

    return Skeleton(
        hips=pair(lower, 0, lift),
        knees=pair(lower, 1, lift),
        ankles=pair(lower, 2, lift),
        heels=pair(lower, 3, lift),
        toes=pair(lower, 4, lift),
        shoulders=pair(upper, 0, 0.0),
        elbows=pair(upper, 1, 0.0),
        wrists=pair(upper, 2, 0.0),
        fingers=pair(upper, 3, 0.0),
        hip_height=hip_height,
        size=size,
        lean_rad=stride.lean_rad,
    )


SOLE_M = 0.037
"""From the centre line of a shoe to its sole, for a person of 1.75 m."""
_AVERAGE_SWING = 0.38


@dataclass(frozen=True)
class _Bend:
    """Radians from hanging straight down; forwards is positive."""

    thigh: float
    knee: float
    foot: float
    """Against the level; toe up is positive."""


def _bend(stride: Stride, phase: float) -> _Bend:
    scale = stride.swing_rad / _AVERAGE_SWING
    thigh = 0.12 + stride.swing_rad * math.cos(2 * math.pi * (phase - 0.95))
    knee = 0.07 + scale * (0.26 * _bump(phase, 0.14, 0.07) + 0.98 * _bump(phase, 0.72, 0.12))
    foot = scale * (0.30 * _bump(phase, 0.98, 0.05) - 0.80 * _bump(phase, 0.60, 0.10))
    return _Bend(thigh, knee, foot)


def _bump(phase: float, centre: float, width: float) -> float:
    """A smooth bump of height 1 on the circle of phases."""
    return math.exp(-((((phase - centre + 0.5) % 1 - 0.5) / width) ** 2))


def _hang(joint: Point, length: float, forward_rad: float, left_rad: float) -> Point:
    """The end of a bone that hangs from a joint, swung forwards and to the left."""
    x, y, z = joint
    down = length * math.cos(left_rad)
    return (
        x + down * math.sin(forward_rad),
        y + length * math.sin(left_rad),
        z - down * math.cos(forward_rad),
    )


def _turned(joint: Point, forward: float, up: float, pitch_rad: float, left: float) -> Point:
    """A place of the foot around the ankle."""
    cos, sin = math.cos(pitch_rad), math.sin(pitch_rad)
    x, y, z = joint
    return (x + forward * cos - up * sin, y + left, z + forward * sin + up * cos)


def between(one: Point, other: Point, share: float) -> Point:
    """The point that lies `share` (0-1) of the way from one to the other."""
    return (
        one[0] + share * (other[0] - one[0]),
        one[1] + share * (other[1] - one[1]),
        one[2] + share * (other[2] - one[2]),
    )
