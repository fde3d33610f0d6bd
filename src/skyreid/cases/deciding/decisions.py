"""Who is who: decisions of people, as events that are only added to, and the identities that follow from them.

They are the events of `skyreid link`, under the words of a case: a pair is confirmed, rejected, or somebody is unsure.
Nothing is changed or removed: who takes a decision back adds an event, and so does who decides otherwise. Identities
are never stored; `building.linking.link_state` folds the events to them, here as there.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.building.linking.event_log import (
    Decision,
    DecisionEvent,
    LinkEvent,
    Pair,
    RequireEvent,
    UndoEvent,
    check_annotator,
    make_pair,
    new_event_id,
    now,
)
from skyreid.building.linking.link_state import Contradiction, LinkState, identify, replay
from skyreid.building.linking.presence import OverlapConflict, overlap_conflicts
from skyreid.cases.audit import record
from skyreid.cases.case import Case
from skyreid.cases.deciding.decision_rows import DECISION_CALLED, events_in, insert_events
from skyreid.cases.deciding.standing import Standing, standing_in
from skyreid.cases.schema import DECISIONS, SOURCES, TRACKLETS
from skyreid.cases.sources import can_be_seen
from skyreid.errors import CaseError, RefusedError, SettingError
from skyreid.files.strict_json import Json


@dataclass(frozen=True, kw_only=True)
class Merge:
    """What a confirmation would join."""

    first: tuple[str, ...]
    """Tracklets of the one identity."""
    second: tuple[str, ...]
    rejected: tuple[Contradiction, ...]
    """What contradicts it: it is refused until one of those decisions is taken back."""
    overlaps: tuple[OverlapConflict, ...]
    """Seen by one camera at the same time: to be shown, since a person may have been found twice."""


def read_events(case: Case) -> list[LinkEvent]:
    """Give the whole history, the oldest first."""
    with case.database.reading() as connection:
        return events_in(connection)


def decide(
    case: Case,
    first: str,
    second: str,
    decision: str,
    *,
    annotator: str,
    rank: int | None = None,
    similarity: float | None = None,
    model: int | None = None,
    seconds: float | None = None,
) -> DecisionEvent:
    """Store a decision on two tracklets; it is on the disk when this returns.

    Args:
        case: whose.
        first: one of them, or of its identity.
        second: the other one.
        decision: confirmed, rejected or unsure.
        annotator: who decides.
        rank: place in the ranking that was shown, from 1.
        similarity: that was shown.
        model: number of the model that it is of.
        seconds: how long the person looked.

    Raises:
        CaseError: a tracklet is not in the case.
        RefusedError: a confirmation that contradicts a rejection; the message names both.
        SourceError: the same tracklet twice, or a name that cannot be shown.
        SettingError: no such decision.
    """
    check_annotator(annotator)
    if decision not in DECISION_CALLED:
        raise SettingError(f"a decision is {', '.join(DECISION_CALLED)}; got {decision!r:.80}")
    pair = make_pair(first, second)
    with case.database.writing() as connection:
        seen = _fingerprints(connection, pair)
        for tracklet_id in pair:
            if tracklet_id not in seen:
                raise CaseError(f"{case.folder}: has no tracklet {tracklet_id!r}, or it is in the trash")
        event = DecisionEvent(
            event_id=new_event_id(),
            time=now(),
            annotator=annotator,
            decision=DECISION_CALLED[decision],
            tracklets=pair,
            fingerprints=(seen[pair[0]], seen[pair[1]]),
            rank=rank,
            similarity=similarity,
            seconds=seconds,
        )
        if event.decision is Decision.SAME:
            _refuse_contradiction(standing_in(connection, touched=pair), pair, annotator)
        insert_events(connection, [event], model=model)
        told: dict[str, Json] = {"event": event.event_id, "rank": rank, "similarity": similarity, "seconds": seconds}
        record(connection, annotator, decision, " ".join(pair), told)
    return event


def undo(case: Case, *, annotator: str, event_id: str | None = None) -> DecisionEvent:
    """Take back a decision; an earlier one of the same person on the same pair holds again.

    Nobody takes back what somebody else said; who sees it otherwise decides otherwise, and then neither counts.

    Args:
        case: whose.
        annotator: who takes it back.
        event_id: of the decision; None = this person's last one that stands.

    Raises:
        CaseError: there is none, or it is somebody else's.
    """
    check_annotator(annotator)
    with case.database.writing() as connection:
        standing = replay(events_in(connection), {}).standing
        mine = [event for event in standing if event.annotator == annotator and event_id in (None, event.event_id)]
        if not mine:
            which = "decision to undo" if event_id is None else f"standing decision {event_id!r}"
            raise CaseError(f"{case.folder}: {annotator!r} has no {which}")
        undone = mine[-1]
        event = UndoEvent(event_id=new_event_id(), time=now(), annotator=annotator, undoes=undone.event_id)
        insert_events(connection, [event])
        record(connection, annotator, "undo", " ".join(undone.tracklets), {"event": undone.event_id})
    return undone


def require(case: Case, annotators: int, *, annotator: str) -> None:
    """Set how many people must confirm a pair before it counts.

    Raises:
        SettingError: fewer than one.
    """
    check_annotator(annotator)
    if annotators < 1:
        raise SettingError(f"at least one annotator must be required; got {annotators}")
    with case.database.writing() as connection:
        event = RequireEvent(event_id=new_event_id(), time=now(), annotator=annotator, annotators=annotators)
        insert_events(connection, [event])
        record(connection, annotator, "require", str(annotators))


def preview_merge(standing: Standing, first: str, second: str) -> Merge:
    """Say what a confirmation of two tracklets that are there would join, and what speaks against it."""
    pids = standing.identities.pids
    joined = [replace(t, pid=0) for t in standing.tracklets if pids[t.tracklet_id] in (pids[first], pids[second])]
    before = {conflict.tracklets for conflict in standing.overlaps}
    overlaps = [one for one in overlap_conflicts(joined, standing.presences) if one.tracklets not in before]
    return Merge(
        first=standing.members[pids[first]],
        second=standing.members[pids[second]],
        rejected=tuple(_contradictions_with(standing, make_pair(first, second))),
        overlaps=tuple(overlaps),
    )


def exported_events(connection: Connection) -> tuple[list[LinkEvent], int]:
    """Give the history as it may leave the case, and how many confirmations were held back.

    Where several people must confirm a pair, who confirmed it before enough others did has said nothing yet.
    """
    events = events_in(connection)
    state = replay(events, {})
    said: defaultdict[Pair, dict[str, Decision]] = defaultdict(dict)
    for event in state.standing:  # on what lies in the trash, too
        said[event.tracklets][event.annotator] = event.decision
    held: set[str] = set()
    for event in state.standing:
        words = said[event.tracklets]
        counts = len(words) >= state.required and set(words.values()) == {Decision.SAME}
        if state.required > 1 and words[event.annotator] is Decision.SAME and not counts:
            held.add(event.event_id)
    return [event for event in events if event.event_id not in held], len(held)


def append_events(connection: Connection, events: Sequence[LinkEvent]) -> int:
    """Add the events of another log, such as that of `skyreid link`; those that are known are left out."""
    known = set(connection.execute(sa.select(DECISIONS.c.event_id)).scalars())
    new = [event for event in events if event.event_id not in known]
    insert_events(connection, new)
    return len(new)


def _refuse_contradiction(standing: Standing, pair: Pair, annotator: str) -> None:
    found = _contradictions_with(standing, pair, annotator)
    if found:
        first, second = found[0].different
        raise RefusedError(
            f"{' and '.join(pair)} cannot be confirmed: that would join {first} and {second}, which are rejected (by "
            f"way of {', '.join(found[0].chain)}); take that decision back first"
        )


def _contradictions_with(standing: Standing, pair: Pair, annotator: str | None = None) -> list[Contradiction]:
    """What would contradict itself once as many people as are needed confirm a pair, and does not now."""
    before = {one.different for one in standing.contradictions}
    others = {who: what for who, what in standing.state.decisions.get(pair, {}).items() if who != annotator}
    enough = {f"{number}": Decision.SAME for number in range(standing.state.required)}
    said = {**standing.state.decisions, pair: {**others, **enough}}
    after = LinkState(decisions=said, standing=(), outdated=(), required=standing.state.required)
    return [one for one in identify(standing.tracklets, after).contradictions if one.different not in before]


def _fingerprints(connection: Connection, tracklet_ids: Sequence[str]) -> dict[str, str]:
    query = (
        sa.select(TRACKLETS.c.tracklet_id, TRACKLETS.c.fingerprint)
        .join(SOURCES, SOURCES.c.number == TRACKLETS.c.source)
        .where(TRACKLETS.c.tracklet_id.in_(tracklet_ids), can_be_seen())
    )
    return {row.tracklet_id: row.fingerprint for row in connection.execute(query)}
