"""What pages and the JSON API say of identities, of the decisions that make them, and of merging two."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from skyreid.building.linking.event_log import Decision, DecisionEvent, Pair
from skyreid.building.linking.link_state import Contradiction
from skyreid.cases.deciding.decision_rows import WORDS
from skyreid.cases.deciding.identities import BothSides, CaseIdentities, Identity, MergePreview, Show, preview
from skyreid.cases.deciding.standing import Standing
from skyreid.cases.search.searching import Candidate
from skyreid.cases.tracklets import CaseTracklet, tracklet_numbers, tracklets_called
from skyreid.errors import CaseError, NothingFoundError
from skyreid.files.strict_json import Json
from skyreid.retrieval.filters import median_height
from skyreid.service.access import Visit
from skyreid.service.browsing.case_views import tracklet_json, tracklets_by_number
from skyreid.tracklet import PLATFORMS

PAGE = 24
"""Identities of a page of the list."""
HISTORY_PAGE = 100
FEW = 6
"""Sightings of an identity that the list shows."""
SUGGESTIONS = 6
MOST_QUERIES = 20
"""Sightings that ask together for suggestions."""


def cover_of(seen: Sequence[CaseTracklet]) -> CaseTracklet:
    """Choose whom to show for all: the largest in the picture, of those the one with the smallest number."""

    def place(one: CaseTracklet) -> tuple[float, int]:
        height = median_height(one.tracklet)
        return 0.0 if isnan(height) else -height, one.number

    return min(seen, key=place)


# All of them.
@dataclass(frozen=True, kw_only=True)
class ListedIdentity:
    """An identity in the list."""

    identity: Identity
    few: tuple[CaseTracklet, ...]
    """Some of its sightings, the earliest first, from both platforms where it has both."""


@dataclass(frozen=True, kw_only=True)
class IdentityList:
    """A page of those who were found more than once, and what cannot be."""

    identities: tuple[ListedIdentity, ...]
    total: int
    num_pages: int
    progress: BothSides
    standing: Standing

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        return {
            "identities": [
                {"pid": one.identity.pid, "tracklets": list(one.identity.members), "needs": _needs(one.identity)}
                for one in self.identities
            ],
            "total": self.total,
            "pages": self.num_pages,
            "both_sides": self.progress.both,
            "both_sides_at_most": self.progress.at_most,
            "contradictions": _contradictions_json(self.standing.contradictions),
            "overlaps": [{"pid": one.pid, "tracklets": list(one.tracklets)} for one in self.standing.overlaps],
        }


def list_identities(visit: Visit, *, show: Show, page: int) -> IdentityList:
    """List them, the largest first."""
    with visit.case.case.database.reading() as connection:
        people = CaseIdentities(visit.case.kept.whole(connection).seen_by(visit.user))
        pids = people.listed(show)
        identities = [people.identity(pid) for pid in pids[(page - 1) * PAGE : page * PAGE]]
        few = {one.pid: _few(people.standing, one) for one in identities}
        seen = tracklets_called(visit.case.case, connection, [one for ids in few.values() for one in ids])
    by_id = {one.tracklet.tracklet_id: one for one in seen}
    return IdentityList(
        identities=tuple(
            ListedIdentity(identity=one, few=tuple(by_id[tracklet_id] for tracklet_id in few[one.pid]))
            for one in identities
        ),
        total=len(pids),
        num_pages=max(1, -(-len(pids) // PAGE)),
        progress=people.progress(),
        standing=people.standing,
    )


def _few(standing: Standing, identity: Identity) -> list[str]:
    """Some of the members in their order, half of them from each platform where there are as many."""
    platforms = standing.people.platforms
    sides = [[one for one in identity.members if platforms[one] is platform] for platform in PLATFORMS]
    room = [max(FEW // 2, FEW - len(other)) for other in reversed(sides)]
    chosen = {one for side, count in zip(sides, room, strict=True) for one in side[:count]}
    return [one for one in identity.members if one in chosen]


# One of them.
@dataclass(frozen=True, kw_only=True)
class ToldDecision:
    """A decision that stands, as a page shows it."""

    event: DecisionEvent
    word: str
    is_waiting: bool
    """It confirms what too few people have confirmed so far."""
    numbers: tuple[int | None, int | None]
    """Of the tracklets; None = it is not there any more."""


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """Somebody who may be the same person."""

    candidate: Candidate
    pid: int
    others: int
    """Further tracklets of the identity that the suggested one is of."""


@dataclass(frozen=True, kw_only=True)
class IdentityShown:
    """All that is known of one identity."""

    identity: Identity
    members: tuple[CaseTracklet, ...]
    """In time order."""
    covers: tuple[CaseTracklet, ...]
    """One of each platform from which it was seen."""
    decisions: tuple[ToldDecision, ...]
    suggestions: tuple[Suggestion, ...]
    model: int | None
    """Number of the model that suggests."""
    problem: str
    """Why nobody is suggested."""

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        return {
            "pid": self.identity.pid,
            "tracklets": [tracklet_json(one, self.identity.state) for one in self.members],
            "needs": _needs(self.identity),
            "contradictions": _contradictions_json(self.identity.contradictions),
            "overlaps": [list(one.tracklets) for one in self.identity.overlaps],
            "decisions": [decision_json(one) for one in self.decisions],
            "suggestions": [
                {"number": one.candidate.seen.number, "pid": one.pid, **one.candidate.to_json()}
                for one in self.suggestions
            ],
            "model": self.model,
            "problem": self.problem,
        }


def show_identity(visit: Visit, pid: int) -> IdentityShown:
    """Describe the identity at an address, and suggest who else it may be; the log tells who looked.

    Raises:
        NothingFoundError: there is none.
    """
    case = visit.case.case
    with case.database.reading() as connection:
        people = CaseIdentities(visit.case.kept.whole(connection).seen_by(visit.user))
        identity = people.identity(pid)
        events = people.events_on(identity)
        waiting = set(people.standing.state.waiting())
        members = tracklets_called(case, connection, identity.members)
        numbers = tracklet_numbers(connection, {one for event in events for one in event.tracklets})
    candidates, model, problem = suggestions_for(visit, identity)
    pids = people.standing.identities.pids
    visit.log("identity seen", str(identity.pid), tracklets=len(members))
    return IdentityShown(
        identity=identity,
        members=tuple(members),
        covers=tuple(
            cover_of([one for one in members if one.source.platform is platform])
            for platform in PLATFORMS
            if identity.counts[platform]
        ),
        decisions=tuple(_told(event, numbers, waiting) for event in events),
        suggestions=tuple(
            Suggestion(
                candidate=one,
                pid=pids[one.seen.tracklet.tracklet_id],
                others=len(people.standing.members[pids[one.seen.tracklet.tracklet_id]]) - 1,
            )
            for one in candidates
            if one.seen.tracklet.tracklet_id in pids  # it may have come a moment ago
        ),
        model=model,
        problem=problem,
    )


def suggestions_for(visit: Visit, identity: Identity) -> tuple[tuple[Candidate, ...], int | None, str]:
    """Rank who else an identity may be: on the platform that it lacks, else on both; with the model, or why not."""
    platform = identity.missing[0] if identity.missing else None
    try:
        with visit.case.searching() as searches:
            ranking = searches.search(
                identity.members[:MOST_QUERIES], platform=platform, top_k=SUGGESTIONS, person=visit.user
            )
    except (CaseError, NothingFoundError) as nobody:  # no vector, or nobody else
        return (), None, visit.cases.without_paths(str(nobody))
    return ranking.candidates, ranking.model.number, ""


# The decisions.
@dataclass(frozen=True, kw_only=True)
class History:
    """A page of the decisions that stand, the newest first."""

    decisions: tuple[ToldDecision, ...]
    total: int
    num_pages: int

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        return {
            "decisions": [decision_json(one) for one in self.decisions],
            "total": self.total,
            "pages": self.num_pages,
        }


def history(visit: Visit, *, page: int) -> History:
    """Give the decisions that stand, as far as who asks may know them."""
    with visit.case.case.database.reading() as connection:
        state = visit.case.kept.touching(connection, ()).seen_by(visit.user).state
        standing, waiting = state.standing, set(state.waiting())
        newest = standing[::-1][(page - 1) * HISTORY_PAGE : page * HISTORY_PAGE]
        numbers = tracklet_numbers(connection, {one for event in newest for one in event.tracklets})
    return History(
        decisions=tuple(_told(event, numbers, waiting) for event in newest),
        total=len(standing),
        num_pages=max(1, -(-len(standing) // HISTORY_PAGE)),
    )


def _told(event: DecisionEvent, numbers: dict[str, int], waiting: set[Pair]) -> ToldDecision:
    first, second = event.tracklets
    return ToldDecision(
        event=event,
        word=WORDS[event.decision],
        is_waiting=event.decision is Decision.SAME and event.tracklets in waiting,
        numbers=(numbers.get(first), numbers.get(second)),
    )


def decision_json(one: ToldDecision) -> dict[str, Json]:
    """A decision as programs take it."""
    return {
        "event_id": one.event.event_id,
        "annotator": one.event.annotator,
        "decision": one.word,
        "waiting": one.is_waiting,
        "tracklets": list(one.event.tracklets),
        "time": one.event.time.isoformat(),
    }


# Merging.
@dataclass(frozen=True, kw_only=True)
class MergeSide:
    """One of two identities that may be merged."""

    identity: Identity
    cover: CaseTracklet
    asked: CaseTracklet
    """The tracklet that the confirmation is of."""


@dataclass(frozen=True, kw_only=True)
class MergeShown:
    """What merging two identities would do, with somebody to look at on both sides."""

    keeps: MergeSide
    gives: MergeSide
    preview: MergePreview

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        return {
            "keeps": self.keeps.identity.pid,
            "gives": self.gives.identity.pid,
            "pair": list(self.preview.pair),
            "tracklets": [*self.keeps.identity.members, *self.gives.identity.members],
            "contradictions": _contradictions_json(self.preview.merge.rejected),
            "overlaps": [list(one.tracklets) for one in self.preview.merge.overlaps],
            "is_possible": self.preview.is_possible,
            "required": self.preview.required,
        }


def show_merge(visit: Visit, first: int, second: int) -> MergeShown:
    """Say what merging the identities of two tracklets would do.

    Raises:
        RefusedError: they are one identity already.
    """
    case = visit.case.case
    both = tracklets_by_number(visit.case, [first, second])
    asked = {one.tracklet.tracklet_id: one for one in both}
    ids = [one.tracklet.tracklet_id for one in both]
    found = preview(visit.case.standing(), ids[0], ids[1], person=visit.user)
    sides = []
    with case.database.reading() as connection:
        for identity, tracklet_id in zip((found.keeps, found.gives), found.pair, strict=True):
            members = tracklets_called(case, connection, identity.members)
            sides.append(MergeSide(identity=identity, cover=cover_of(members), asked=asked[tracklet_id]))
    visit.log("merge seen", " ".join(found.pair), keeps=found.keeps.pid, gives=found.gives.pid)
    return MergeShown(keeps=sides[0], gives=sides[1], preview=found)


def number_in(visit: Visit, pid: int) -> int:
    """Give a tracklet of the identity at an address: the earliest one.

    Raises:
        NothingFoundError: there is none.
    """
    with visit.case.case.database.reading() as connection:
        first = CaseIdentities(visit.case.kept.whole(connection)).identity(pid).members[0]
        return tracklet_numbers(connection, [first])[first]


def pid_of(visit: Visit, number: int) -> int:
    """Say which identity a tracklet is of now."""
    (seen,) = tracklets_by_number(visit.case, [number])
    tracklet_id = seen.tracklet.tracklet_id
    return visit.case.standing([tracklet_id]).identities.pids[tracklet_id]


def _needs(identity: Identity) -> list[Json]:
    return [platform.value for platform in identity.missing]


def _contradictions_json(contradictions: Sequence[Contradiction]) -> list[Json]:
    return [{"rejected": list(one.different), "confirmed_chain": list(one.chain)} for one in contradictions]
