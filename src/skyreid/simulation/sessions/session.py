"""One session: the same people in the same minute, filmed from the ground and from a drone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skyreid.simulation.difficulty import USUAL
from skyreid.simulation.filming import FRAME_INTERVAL_S, identity
from skyreid.simulation.people.body import bag, head
from skyreid.simulation.people.person import Person
from skyreid.simulation.people.skeleton import stand
from skyreid.simulation.rendering.capsules import Capsules
from skyreid.simulation.scenes import SCENES
from skyreid.simulation.sessions.setting import Setting, draw_setting
from skyreid.simulation.sessions.walk_planning import Walk, plan_walks

MAX_PEOPLE = 10
"""In one session."""
_USUAL_PEOPLE = 5
"""Fewer come together only where a world has not more; a further scene costs as much as five people."""
_SHORTEST_S, _LONGEST_S = 12.0, 18.0
_PAIR_CHANCE = 1 / 3
_PLACE_SEEDS = 1_000_000
"""Beyond all identity numbers, whose generators stand beside those of the places."""


@dataclass(frozen=True, kw_only=True)
class SessionPlan:
    """Who comes together where."""

    scene: str
    number: int
    """Of the session at its scene, from 1."""
    pids: tuple[int, ...]

    @property
    def name(self) -> str:
        """`campus-01`."""
        return f"{self.scene}-{self.number:02d}"

    @property
    def duration_s(self) -> float:
        """A whole number of sampling intervals; longer the more people there are."""
        share = (len(self.pids) - 1) / (MAX_PEOPLE - 1)
        return FRAME_INTERVAL_S * round((_SHORTEST_S + share * (_LONGEST_S - _SHORTEST_S)) / FRAME_INTERVAL_S)


def session_plans(identities: int) -> tuple[SessionPlan, ...]:
    """Everybody dealt to scenes in turn, all nine from 45 people on, and at each to sessions of nearly equal size."""
    plans = []
    scenes = list(SCENES)[: math.ceil(identities / _USUAL_PEOPLE)]
    for place, scene in enumerate(scenes):
        pids = range(place + 1, identities + 1, len(scenes))
        for number, group in enumerate(np.array_split(pids, math.ceil(len(pids) / MAX_PEOPLE))):
            plans.append(SessionPlan(scene=scene, number=number + 1, pids=tuple(group.tolist())))
    return tuple(plans)


@dataclass(frozen=True, eq=False, kw_only=True)
class Actor:
    """A person at one moment."""

    pid: int
    person: Person
    capsules: Capsules
    heading_rad: float

    def on_head(self) -> range:
        """Places of skull, nose, hair and hat in the capsules, in this order."""
        joints = stand(self.person.shoulders, self.person.stride, 0.0)
        # A body ends with neck and head, and what is carried.
        end = len(self.capsules.paints) - len(bag(self.person, joints))
        return range(end - len(head(self.person, joints)) + 1, end)


@dataclass(frozen=True, eq=False, kw_only=True)
class Session:
    """A session that can be filmed."""

    seeds: tuple[int, int, int]
    """World, place, session: what its random numbers come from; numbers that follow are 2 here, 3 and 4 in filming."""
    setting: Setting
    cast: tuple[tuple[int, Person, Walk], ...]
    """Pid, look and way of everybody."""

    def actors_at(self, time_s: float) -> list[Actor]:
        """Everybody at a time since the session began."""
        return [
            Actor(pid=pid, person=person, capsules=walk.body_at(person, time_s), heading_rad=walk.heading_at(time_s))
            for pid, person, walk in self.cast
        ]


def plan_session(seed: int, plan: SessionPlan) -> Session:
    """Place, hour, flight and ways of a session; the same arguments give the same one.

    Raises:
        SettingError: no ways were found on which everybody is seen from both platforms.
    """
    place = _PLACE_SEEDS + list(SCENES).index(plan.scene)
    # The place stays the same in all its sessions.
    scene = SCENES[plan.scene](np.random.default_rng([seed, place, 1]))
    seeds = seed, place, plan.number
    rng = np.random.default_rng([*seeds, 2])
    setting = draw_setting(rng, scene, plan.duration_s, USUAL)
    people = [identity(seed, pid) for pid in plan.pids]
    together = 2 if len(people) > 1 and rng.random() < _PAIR_CHANCE else 1
    walks = plan_walks(rng, setting, _parties(people, together))
    return Session(
        seeds=seeds,
        setting=setting,
        cast=tuple(zip(plan.pids, people, (walk for party in walks for walk in party), strict=True)),
    )


def _parties(people: Sequence[Person], together: int) -> list[Sequence[Person]]:
    """The first so many in one, everybody else alone."""
    return [people[:together], *([person] for person in people[together:])]
