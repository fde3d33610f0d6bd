"""What pages and the JSON API say of annotating in pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

from skyreid.building.linking.event_log import DecisionEvent, make_pair
from skyreid.cases.deciding.identities import BothSides, CaseIdentities
from skyreid.cases.deciding.pair_queue import QueuedPair
from skyreid.cases.deciding.standing import OPEN
from skyreid.cases.search.reach import seconds_between
from skyreid.cases.tracklets import CaseTracklet, tracklets_called
from skyreid.files.strict_json import Json
from skyreid.service.access import Visit
from skyreid.service.browsing.case_views import tracklets_by_number
from skyreid.tracklet import PLATFORMS


@dataclass(frozen=True, kw_only=True)
class AskedPair:
    """A pair that somebody is asked about, the ground tracklet first."""

    first: CaseTracklet
    second: CaseTracklet
    similarity: float | None
    state: str
    """What this person may know of it: open, unless they come back to it."""

    @property
    def seconds_apart(self) -> float | None:
        """From the first to the second; None = nobody knows."""
        return seconds_between(self.first, self.second)


@dataclass(frozen=True, kw_only=True)
class Questions:
    """What to ask somebody next."""

    pairs: tuple[AskedPair, ...]
    num_left: int
    progress: BothSides
    required: int
    num_said: int
    """Pairs that this person has decided on."""
    last: DecisionEvent | None
    """What they would take back."""
    model: int | None
    problem: str
    """Why nobody can be asked anything."""
    is_partial: bool
    """All pairs are still being compared, and these are the best of some ground tracklets."""

    def to_json(self, *, with_scores: bool) -> dict[str, Json]:
        """What a program reads; without scores, lest somebody is led by them."""
        return {
            "pairs": [
                {
                    "first": one.first.number,
                    "second": one.second.number,
                    "tracklet_ids": [one.first.tracklet.tracklet_id, one.second.tracklet.tracklet_id],
                    "seconds_apart": one.seconds_apart,
                    **({"similarity": one.similarity} if with_scores else {}),
                }
                for one in self.pairs
            ],
            "left": self.num_left,
            "both_sides": self.progress.both,
            "both_sides_at_most": self.progress.at_most,
            "required": self.required,
            "decided_by_you": self.num_said,
            "model": self.model,
            "problem": self.problem,
            "partial": self.is_partial,
        }


def questions(visit: Visit, *, count: int, again: Sequence[int] = ()) -> Questions:
    """Give what to ask who asks next.

    Args:
        visit: whose.
        count: how many pairs at most.
        again: numbers of two tracklets to be asked about first, such as those of a decision that was taken back.
    """
    case, first = visit.case.case, None
    if len(again) == 2:
        one, other = (seen.tracklet.tracklet_id for seen in tracklets_by_number(visit.case, again))
        first = make_pair(one, other)
    queue = visit.case.pairs.queue(visit.user, limit=count, first=first)
    with case.database.reading() as connection:
        people = CaseIdentities(visit.case.kept.whole(connection).seen_by(visit.user))
        seen = tracklets_called(case, connection, [tracklet_id for one in queue.pairs for tracklet_id in one.pair])
    by_id = {one.tracklet.tracklet_id: one for one in seen}
    state = people.standing.state
    return Questions(
        pairs=tuple(_asked(one, by_id, people) for one in queue.pairs if by_id.keys() >= set(one.pair)),
        num_left=queue.num_left,
        progress=people.progress(),
        required=state.required,
        num_said=sum(visit.user in said for said in state.decisions.values()),
        last=state.last_of(visit.user),
        model=None if queue.model is None else queue.model.number,
        problem=queue.problem,
        is_partial=queue.is_partial,
    )


def _asked(one: QueuedPair, by_id: dict[str, CaseTracklet], people: CaseIdentities) -> AskedPair:
    sides = sorted(
        (by_id[tracklet_id] for tracklet_id in one.pair), key=lambda seen: PLATFORMS.index(seen.source.platform)
    )
    there = all(tracklet_id in people.standing.presences for tracklet_id in one.pair)
    return AskedPair(
        first=sides[0],
        second=sides[1],
        similarity=one.similarity,
        state=people.standing.pair_state(*one.pair) if there else OPEN,
    )


def required(visit: Visit) -> int:
    """How many people must confirm a pair."""
    return visit.case.standing([]).state.required
