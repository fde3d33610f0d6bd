"""Identities of a case as people work with them: one by its address, all by what they lack, two as they would merge.

An identity is the tracklets that count as one person now. Its address is its pid, the smallest of the pids that its
tracklets were built with: an identity that is merged away leads to the one that took it in, and has its own again when
that is taken back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from skyreid.building.linking.event_log import DecisionEvent
from skyreid.building.linking.link_state import Contradiction
from skyreid.building.linking.presence import OverlapConflict
from skyreid.cases.deciding.decision_rows import CONFIRMED
from skyreid.cases.deciding.decisions import Merge, preview_merge
from skyreid.cases.deciding.standing import OPEN, Standing
from skyreid.errors import CaseError, NothingFoundError, RefusedError
from skyreid.tracklet import PLATFORMS, Platform

Show = Literal["all", "ground", "aerial", "both", "conflicts"]
"""ground, aerial = those that have no tracklet from there yet."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Tracklets that count as one person."""

    pid: int
    members: tuple[str, ...]
    """Tracklet ids, the earliest first; those whose clock is not known come last."""
    counts: Mapping[Platform, int]
    contradictions: tuple[Contradiction, ...]
    overlaps: tuple[OverlapConflict, ...]

    @property
    def state(self) -> str:
        """Of each of its tracklets: somebody who was seen once is open."""
        return CONFIRMED if len(self.members) > 1 else OPEN

    @property
    def missing(self) -> tuple[Platform, ...]:
        """Platforms from which this person was not found yet."""
        return tuple(platform for platform in PLATFORMS if not self.counts[platform])

    @property
    def has_conflicts(self) -> bool:
        """Whether it cannot be one person as it stands."""
        return bool(self.contradictions or self.overlaps)


@dataclass(frozen=True, kw_only=True)
class BothSides:
    """How far a case is from having everybody from both sides."""

    both: int
    """Identities seen from the ground and from the air."""
    at_most: int
    """As many as there can be: each identity of the side that has fewer finds its other half."""


class CaseIdentities:
    """All identities of one moment.

    Args:
        standing: who is who then.
    """

    def __init__(self, standing: Standing) -> None:
        self.standing = standing

    def pid_at(self, pid: int) -> int:
        """Say which identity has now what was built with a pid.

        Raises:
            NothingFoundError: nobody was.
        """
        built = self.standing.people.first_built
        if pid not in built:
            raise NothingFoundError(f"there is no identity {pid}")
        return self.standing.identities.pids[built[pid]]

    def identity(self, pid: int) -> Identity:
        """Describe the identity that has what was built with a pid.

        Raises:
            NothingFoundError: nobody was.
        """
        pid = self.pid_at(pid)
        members = self.standing.members[pid]
        own = set(members)
        return Identity(
            pid=pid,
            members=tuple(sorted(members, key=self._moment)),
            counts=self.standing.people.counts[pid],
            contradictions=tuple(one for one in self.standing.contradictions if own & {*one.different, *one.chain}),
            overlaps=tuple(one for one in self.standing.overlaps if one.pid == pid),
        )

    def listed(self, show: Show = "all") -> list[int]:
        """Give the pids of those who were found more than once, the largest first; alone stands who is in conflict."""
        in_conflict = {one.pid for one in self.standing.overlaps}
        pids = self.standing.identities.pids
        in_conflict |= {pids[one] for found in self.standing.contradictions for one in found.chain}
        found = []
        for pid, members in self.standing.members.items():
            if show == "conflicts":
                is_wanted = pid in in_conflict
            else:
                counts = self.standing.people.counts[pid]
                is_wanted = len(members) > 1 and (
                    show == "all"
                    or (show == "both" and all(counts.values()))
                    or (show in (Platform.GROUND.value, Platform.AERIAL.value) and not counts[Platform(show)])
                )
            if is_wanted:
                found.append((-len(members), pid))
        return [pid for _, pid in sorted(found)]

    def events_on(self, identity: Identity) -> list[DecisionEvent]:
        """Give the decisions that stand on its tracklets, the newest first."""
        own = set(identity.members)
        return [one for one in reversed(self.standing.state.standing) if own & set(one.tracklets)]

    def progress(self) -> BothSides:
        """Count who was found from both sides."""
        return self.standing.people.once("both sides", self._progress)

    def _progress(self) -> BothSides:
        counts = self.standing.people.counts.values()
        both = sum(all(one.values()) for one in counts)
        sides = [sum(bool(one[platform]) for one in counts) for platform in PLATFORMS]
        return BothSides(both=both, at_most=min(sides))

    def _moment(self, tracklet_id: str) -> tuple[bool, float]:
        presence = self.standing.presences[tracklet_id]
        if presence.clock is not None:
            return False, presence.clock[0].timestamp()
        return True, 0.0 if presence.seconds is None else presence.seconds[0]


@dataclass(frozen=True, kw_only=True)
class MergePreview:
    """What merging two identities would do."""

    keeps: Identity
    """Its pid stays."""
    gives: Identity
    """Its pid leads to the other one from then on."""
    pair: tuple[str, str]
    """The two tracklets that the confirmation is of, that of `keeps` first."""
    merge: Merge
    required: int
    """How many people must confirm it before it counts."""

    @property
    def is_possible(self) -> bool:
        """Whether a confirmation is taken."""
        return not self.merge.rejected


def preview(standing: Standing, first: str, second: str, *, person: str) -> MergePreview:
    """Say what merging the identities of two tracklets would do.

    Args:
        standing: who is who in their case.
        first: tracklet of the one.
        second: tracklet of the other.
        person: who asks.

    Raises:
        RefusedError: they are one identity already.
        CaseError: a tracklet is not in the case.
    """
    pids = standing.identities.pids
    if missing := [one for one in (first, second) if one not in pids]:
        raise CaseError(f"the case has no tracklet {missing[0]!r}, or it is in the trash")
    if pids[first] == pids[second]:
        raise RefusedError(f"{first} and {second} are one identity already ({pids[first]}); a merge takes two")
    people = CaseIdentities(standing.seen_by(person))
    kept, given = sorted((first, second), key=lambda one: pids[one])
    return MergePreview(
        keeps=people.identity(pids[kept]),
        gives=people.identity(pids[given]),
        pair=(kept, given),
        merge=preview_merge(standing, first, second),
        required=standing.state.required,
    )
