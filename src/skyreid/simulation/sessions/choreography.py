"""Who walks where and when: gently curved ways over a place, alone or in twos, some with a stop."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from skyreid.simulation.people.body import body, size
from skyreid.simulation.people.person import Person
from skyreid.simulation.people.skeleton import LEG_M
from skyreid.simulation.rendering.capsules import Capsules, place

Area = tuple[float, float, float, float]
"""Lowest x and y, highest x and y, in metres."""
Steps = Float[np.ndarray, " step"]

STEP_S = 0.05
_HALF_GAP_M = 0.38
"""From the middle between two who walk together to each of them."""
_STOP_CHANCE = 0.3
_STOP_S = (2.0, 4.5)
_HALT_S = 0.9
"""From walking to standing, and back."""
_MAX_CURVES = 300


@dataclass(frozen=True, eq=False, kw_only=True)
class Walk:
    """One person's way through a session, `STEP_S` from one value to the next."""

    x: Steps
    y: Steps
    heading_rad: Steps
    phase: Steps
    """Of the stride; grows with the distance, so that no foot slides."""
    swing: Steps
    """What the legs and arms swing, as a share of what they do in this person's own walk; 0 stands."""

    def at(self, time_s: float) -> tuple[float, float]:
        """Where the person is, in metres."""
        return _between(self.x, time_s), _between(self.y, time_s)

    def heading_at(self, time_s: float) -> float:
        """Where the person looks, anticlockwise from the world's x."""
        return _between(self.heading_rad, time_s)

    def body_at(self, person: Person, time_s: float) -> Capsules:
        """The person's body at this time."""
        swing = _between(self.swing, time_s)
        stride = dataclasses.replace(
            person.stride,
            swing_rad=person.stride.swing_rad * swing,
            arm_swing_rad=person.stride.arm_swing_rad * swing,
        )
        x, y = self.at(time_s)
        return place(
            body(dataclasses.replace(person, stride=stride), _between(self.phase, time_s)),
            scale=size(person),
            x=x,
            y=y,
            heading_rad=self.heading_at(time_s),
        )


def draw_walks(rng: np.random.Generator, party: Sequence[Person], area: Area, duration_s: float) -> tuple[Walk, ...]:
    """A random way over `area` for one person, or for two side by side; it lasts `duration_s`.

    Raises:
        ValueError: the area has no room for such a way, about 6 m x 6 m.
    """
    times = np.arange(0.0, duration_s + STEP_S, STEP_S)
    pace = rng.uniform(0.85, 1.08) * min(_stride_m(person, 1.0) * person.stride.cadence_hz for person in party)
    going = _going(rng, times)
    rhythm = 1 + 0.06 * np.sin(2 * math.pi * (times / rng.uniform(4.0, 9.0) + rng.random()))
    # Strides get shorter and rarer together.
    advance = STEP_S * pace * rhythm * going**2
    x, y, headings = _way(rng, advance, area)
    sides = [0.0] if len(party) == 1 else [_HALF_GAP_M, -_HALF_GAP_M]
    return tuple(
        _walk(person, pace, going, x - side * np.sin(headings), y + side * np.cos(headings), headings, rng.random())
        for person, side in zip(party, sides, strict=True)
    )


def nearest_m(one: Walk, other: Walk) -> float:
    """How near two people come to each other, from middle to middle."""
    return float(np.hypot(one.x - other.x, one.y - other.y).min())


def _walk(person: Person, pace: float, going: Steps, x: Steps, y: Steps, headings: Steps, phase: float) -> Walk:
    own_pace = _stride_m(person, 1.0) * person.stride.cadence_hz
    swing = math.sqrt(pace / own_pace) * going
    strides = np.array([_stride_m(person, float(share)) for share in swing])
    moved = np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0]))
    turned = np.divide(moved, strides, out=np.zeros_like(moved), where=strides > 0.02)
    return Walk(x=x, y=y, heading_rad=headings, phase=phase + np.cumsum(turned), swing=swing)


def _stride_m(person: Person, swing: float) -> float:
    """A stride is two steps, and a step twice what one leg swings to the front."""
    return 4 * LEG_M * size(person) * math.sin(person.stride.swing_rad * swing)


def _going(rng: np.random.Generator, times: Steps) -> Steps:
    """1 while a person walks, 0 while one stands, and what is between."""
    if rng.random() >= _STOP_CHANCE:
        return np.ones_like(times)
    lasts_s = rng.uniform(*_STOP_S)
    starts_s = rng.uniform(0.0, times[-1] - lasts_s)
    outside_s = np.maximum(starts_s - times, times - starts_s - lasts_s)
    share = np.clip(outside_s / _HALT_S, 0.0, 1.0)
    return share * share * (3 - 2 * share)


def _way(rng: np.random.Generator, advance: Steps, area: Area) -> tuple[Steps, Steps, Steps]:
    """Places and headings of a curve in the area, which bends the more the less room there is."""
    left, low, right, high = area
    distance = np.cumsum(advance)
    for attempt in range(_MAX_CURVES):
        bend = rng.normal(0.0, 0.5 + 0.03 * attempt)
        sway = 0.25 * np.sin(2 * math.pi * (distance / rng.uniform(9.0, 16.0) + rng.random()))
        headings = rng.uniform(0.0, 2 * math.pi) + bend * distance / max(distance[-1], 1.0) + sway
        x, y = np.cumsum(advance * np.cos(headings)), np.cumsum(advance * np.sin(headings))
        width, height = np.ptp(x), np.ptp(y)
        if width <= right - left and height <= high - low:
            x += left - x.min() + rng.random() * (right - left - width)
            y += low - y.min() + rng.random() * (high - low - height)
            return x, y, headings
    raise ValueError(f"a walk of {distance[-1]:.1f} m has no room in an area of {right - left:g} m x {high - low:g} m")


def _between(values: Steps, time_s: float) -> float:
    return float(np.interp(time_s / STEP_S, np.arange(values.size), values))
