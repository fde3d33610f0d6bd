"""Who walks where and when in a session, so that both cameras see everybody for long enough.

The ways are gently curved, alone or in twos, some with a stop, and go round everything that stands there.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from skyreid.errors import SettingError
from skyreid.simulation.filming import FRAME_INTERVAL_S
from skyreid.simulation.people.body import body, size, stride_m
from skyreid.simulation.people.person import Person
from skyreid.simulation.rendering.camera import Window
from skyreid.simulation.rendering.capsules import Capsules, place
from skyreid.simulation.rendering.ray_caster import draw
from skyreid.simulation.rendering.surroundings import Surroundings
from skyreid.simulation.sessions.setting import FRAME, NEAREST_M, Setting
from skyreid.tracklet import PLATFORMS, Platform

Area = tuple[float, float, float, float]
"""Lowest x and y, highest x and y, in metres."""
Steps = Float[np.ndarray, " step"]
STEP_S = 0.05


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


def _between(values: Steps, time_s: float) -> float:
    return float(np.interp(time_s / STEP_S, np.arange(values.size), values))


@dataclass(frozen=True, eq=False)
class Obstacles:
    """Footprints on the ground."""

    rectangles: Float[np.ndarray, "block 6"]
    """Middle x and y, cosine and sine of the turn, half length, half width."""
    rods: Float[np.ndarray, "part 5"]
    """Start x and y, end x and y, radius."""

    def clearance_m(self, x: Steps, y: Steps) -> Steps:
        """How far places are from the nearest footprint, up to a metre at least; 0 on it."""
        nearest = np.full(x.shape, math.inf)
        for middle_x, middle_y, cos, sin, length, width in self.rectangles:
            along = np.abs(cos * (x - middle_x) + sin * (y - middle_y)) - length
            aside = np.abs(cos * (y - middle_y) - sin * (x - middle_x)) - width
            nearest = np.minimum(nearest, np.hypot(np.maximum(along, 0), np.maximum(aside, 0)))
        for start_x, start_y, end_x, end_y, radius in self.rods:
            to_x, to_y = end_x - start_x, end_y - start_y
            share = ((x - start_x) * to_x + (y - start_y) * to_y) / max(to_x**2 + to_y**2, 1e-9)
            share = np.clip(share, 0, 1)
            apart = np.hypot(x - start_x - share * to_x, y - start_y - share * to_y)
            nearest = np.minimum(nearest, np.maximum(apart - radius, 0))
        return nearest


LEAST_SHOWN = 0.5
"""Share of a person that has to show, for a frame to count as one that sees the person."""
LEAST_FRAMES = 7
"""That see a person, of those that lie `FRAME_INTERVAL_S` apart: 3 s at least."""
_SPARE_SHARE = 0.1
"""Rehearsals are drawn coarsely."""
_COARSER = {Platform.GROUND: 3, Platform.AERIAL: 2}
_BEYOND_PX = 40
"""Drawn around the coarse picture, for what of a person lies outside it."""
_SPARE_FRAMES = 2
"""Of those in which a person is in the picture, for what trees and others hide."""
_GAP_M = 0.55
_HALF_WIDTH_M = 0.45
_ELBOW_ROOM_M = 0.4
"""To whatever stands there."""
_ROAM_CHANCE = 0.5
"""That a party enters the ground camera's picture late, or leaves it early."""
_ROAM_M = 9.0
"""How far beyond the area such a party walks."""
_ABSENT_FRAMES = 3
_MAX_WAYS = 2000
_MAX_REHEARSALS = 25
Party = Sequence[Person]
"""Who walks together: one or two."""


def plan_walks(rng: np.random.Generator, setting: Setting, parties: Sequence[Party]) -> tuple[tuple[Walk, ...], ...]:
    """A walk for everybody of every party: through nothing and nobody, and seen by both cameras.

    Of the frames `FRAME_INTERVAL_S` apart, at least `LEAST_FRAMES` of each camera show `LEAST_SHOWN` of a person.

    Raises:
        SettingError: nobody finds such ways here.
    """
    obstacles = obstacles_in(setting.scene.surroundings, _roaming_area(setting))
    views = [_View.of(setting, platform) for platform in PLATFORMS]
    walks: dict[int, tuple[Walk, ...]] = {}
    for _ in range(_MAX_REHEARSALS):
        for number, party in enumerate(parties):
            if number not in walks:
                others = [walk for together in walks.values() for walk in together]
                walks[number] = _find_way(rng, setting, obstacles, party, views, others)
        hidden = _hidden_parties(setting, parties, [walks[number] for number in range(len(parties))])
        if not hidden:
            return tuple(walks[number] for number in range(len(parties)))
        for number in hidden:
            del walks[number]
    raise SettingError(
        f"{setting.scene.name}: no ways were found on which both cameras see all {sum(map(len, parties))} people; "
        "choose another seed"
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _View:
    """What one camera has in its picture over the session."""

    times: Float[np.ndarray, " time"]
    position: Float[np.ndarray, "time 3"]
    axes: Float[np.ndarray, "time 3 3"]
    focal_px: float
    nearest_m: float

    @classmethod
    def of(cls, setting: Setting, platform: Platform) -> "_View":
        times = np.arange(0.0, setting.duration_s, FRAME_INTERVAL_S)
        cameras = [setting.camera_at(platform, float(time)) for time in times]
        return cls(
            times=times,
            position=np.stack([camera.position for camera in cameras]),
            axes=np.stack([camera.axes for camera in cameras]),
            focal_px=cameras[0].focal_px,
            nearest_m=NEAREST_M if platform is Platform.GROUND else 0.0,
        )

    def frames_with(self, walk: Walk, height_m: float) -> int:
        """In how many frames the person is whole in the picture; 0 if the person comes too near."""
        places = np.array([walk.at(float(time)) for time in self.times])
        if np.hypot(*(places - self.position[:, :2]).T).min() < self.nearest_m:
            return 0
        whole = np.ones(self.times.size, bool)
        for height in (0.0, height_m):
            points = np.column_stack([places, np.full(self.times.size, height)])
            right, down, depth = ((points - self.position)[:, None, :] * self.axes).sum(axis=2).T
            if depth.min() < 1.0:
                return 0
            whole &= self.focal_px * (np.abs(right) + _HALF_WIDTH_M) < FRAME.width / 2 * depth
            whole &= self.focal_px * (np.abs(down) + 0.1) < FRAME.height / 2 * depth
        return int(whole.sum())


def _find_way(
    rng: np.random.Generator,
    setting: Setting,
    obstacles: Obstacles,
    party: Party,
    views: Sequence[_View],
    others: Sequence[Walk],
) -> tuple[Walk, ...]:
    """The first way that keeps clear of the others, or, in a crowd, that which keeps clearest."""
    roams = rng.random() < _ROAM_CHANCE
    area = _roaming_area(setting) if roams else setting.scene.walk_area
    best, widest = None, -1.0
    for attempt in range(_MAX_WAYS):
        walks = draw_walks(rng, party, area, setting.duration_s)
        if any(obstacles.clearance_m(walk.x[::4], walk.y[::4]).min() < _ELBOW_ROOM_M for walk in walks):
            continue
        gap = min((nearest_m(walk, other) for walk in walks for other in others), default=np.inf)
        if gap <= widest:
            continue
        frames = min(
            view.frames_with(walk, person.height_m) for view in views for walk, person in zip(walks, party, strict=True)
        )
        # In some places there is no way out of the picture: then any way will do.
        most = views[0].times.size - (_ABSENT_FRAMES if roams and attempt < _MAX_WAYS // 2 else 0)
        if LEAST_FRAMES + _SPARE_FRAMES <= frames <= most:
            best, widest = walks, gap
            if gap >= _GAP_M:
                break
    if best is None:
        raise SettingError(f"{setting.scene.name}: nobody finds a way that both cameras see; choose another seed")
    return best


def _roaming_area(setting: Setting) -> Area:
    left, low, right, high = setting.scene.walk_area
    return left - _ROAM_M, low - _ROAM_M, right + _ROAM_M, high + _ROAM_M


def _hidden_parties(setting: Setting, parties: Sequence[Party], walks: Sequence[tuple[Walk, ...]]) -> set[int]:
    """Numbers of the parties with somebody whom one of the cameras sees too little of."""
    cast = [
        (number, person, walk)
        for number, (party, together) in enumerate(zip(parties, walks, strict=True))
        for person, walk in zip(party, together, strict=True)
    ]
    hidden: set[int] = set()
    for platform in PLATFORMS:
        frames = np.zeros(len(cast), int)
        for time_s in np.arange(0.0, setting.duration_s, FRAME_INTERVAL_S).tolist():
            shares = _shown(setting, platform, time_s, [(person, walk) for _, person, walk in cast])
            frames += shares >= LEAST_SHOWN + _SPARE_SHARE
            if frames.min() >= LEAST_FRAMES:
                break
        hidden |= {number for (number, _, _), seen in zip(cast, frames, strict=True) if seen < LEAST_FRAMES}
    return hidden


def _shown(
    setting: Setting, platform: Platform, time_s: float, cast: Sequence[tuple[Person, Walk]]
) -> Float[np.ndarray, " person"]:
    """Share of each person that is neither hidden nor outside the picture, drawn with few rays."""
    camera, coarser = setting.camera_at(platform, time_s), _COARSER[platform]
    picture = draw(
        dataclasses.replace(camera, focal_px=camera.focal_px / coarser),
        Window(
            left=FRAME.left // coarser,
            top=FRAME.top // coarser,
            width=FRAME.width // coarser,
            height=FRAME.height // coarser,
        ).padded(_BEYOND_PX),
        [walk.body_at(person, time_s) for person, walk in cast],
        setting.scene.surroundings,
        setting.light,
        samples=1,
    )
    inside = picture.body[_BEYOND_PX:-_BEYOND_PX, _BEYOND_PX:-_BEYOND_PX]
    shown = np.bincount(inside.ravel() + 1, minlength=len(cast) + 1)[1:]
    return shown / np.maximum(picture.alone, 1)


_HALF_GAP_M = 0.38
"""From the middle between two who walk together to each of them."""
_STOP_CHANCE = 0.3
_STOP_S = (2.0, 4.5)
_HALT_S = 0.9
"""From walking to standing, and back."""
_MAX_CURVES = 300


def draw_walks(rng: np.random.Generator, party: Sequence[Person], area: Area, duration_s: float) -> tuple[Walk, ...]:
    """A random way over `area` for one person, or for two side by side; it lasts `duration_s`.

    Raises:
        ValueError: the area has no room for such a way, about 6 m x 6 m.
    """
    times = np.arange(0.0, duration_s + STEP_S, STEP_S)
    pace = rng.uniform(0.85, 1.08) * min(stride_m(person) * person.stride.cadence_hz for person in party)
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
    own_pace = stride_m(person) * person.stride.cadence_hz
    swing = math.sqrt(pace / own_pace) * going
    strides = np.array([stride_m(person, float(share)) for share in swing])
    moved = np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0]))
    turned = np.divide(moved, strides, out=np.zeros_like(moved), where=strides > 0.02)
    return Walk(x=x, y=y, heading_rad=headings, phase=phase + np.cumsum(turned), swing=swing)


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


_HEADROOM_M = 2.0
_MARGIN_M = 1.0


def obstacles_in(surroundings: Surroundings, area: Area) -> Obstacles:
    """The obstacles in an area and at its edge."""
    rectangles = [
        (block.x, block.y, math.cos(block.turn_rad), math.sin(block.turn_rad), block.length / 2, block.width / 2)
        for block in surroundings.blocks
        if block.base < _HEADROOM_M and _reaches(area, block.x, block.y, math.hypot(block.length, block.width) / 2)
    ]
    rods = []
    for growth in surroundings.growths:
        for start, end, radius in zip(
            growth.start, growth.end, np.maximum(growth.start_radius, growth.end_radius), strict=True
        ):
            x, y = 0.5 * (start + end)[:2]
            reach = radius + 0.5 * math.dist(start, end)
            if min(start[2], end[2]) - radius < _HEADROOM_M and _reaches(area, x, y, reach):
                rods.append((*start[:2], *end[:2], radius))
    return Obstacles(np.array(rectangles).reshape(-1, 6), np.array(rods).reshape(-1, 5))


def _reaches(area: Area, x: float, y: float, reach: float) -> bool:
    left, low, right, high = area
    reach += _MARGIN_M
    return bool(left - reach < x < right + reach and low - reach < y < high + reach)
