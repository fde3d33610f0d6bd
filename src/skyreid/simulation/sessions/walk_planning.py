"""Ways for a session's people, so that both cameras see everybody for long enough."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from skyreid.errors import SettingError
from skyreid.simulation.filming import FRAME_INTERVAL_S
from skyreid.simulation.people.person import Person
from skyreid.simulation.rendering.camera import Window
from skyreid.simulation.rendering.ray_caster import draw
from skyreid.simulation.sessions.choreography import Area, Walk, draw_walks, nearest_m
from skyreid.simulation.sessions.obstacles import Obstacles, obstacles_in
from skyreid.simulation.sessions.setting import FRAME, NEAREST_M, Setting
from skyreid.tracklet import PLATFORMS, Platform

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
        for place, party in enumerate(parties):
            if place not in walks:
                others = [walk for together in walks.values() for walk in together]
                walks[place] = _find_way(rng, setting, obstacles, party, views, others)
        hidden = _hidden_parties(setting, parties, [walks[place] for place in range(len(parties))])
        if not hidden:
            return tuple(walks[place] for place in range(len(parties)))
        for place in hidden:
            del walks[place]
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
    """Places of the parties with somebody whom one of the cameras sees too little of."""
    cast = [
        (place, person, walk)
        for place, (party, together) in enumerate(zip(parties, walks, strict=True))
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
        hidden |= {place for (place, _, _), seen in zip(cast, frames, strict=True) if seen < LEAST_FRAMES}
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
