"""What holds after all events: who says what about which pair."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from skyreid.building.linking.events import (
    Decision,
    DecisionEvent,
    LinkEvent,
    Pair,
    RebuildEvent,
    RequireEvent,
    Seen,
    UndoEvent,
)
from skyreid.errors import ManifestError
from skyreid.tracklet import Tracklet


@dataclass(frozen=True, kw_only=True)
class LinkState:
    """The decisions that stand."""

    decisions: Mapping[Pair, Mapping[str, Decision]]
    """Pair to annotator to what that person says now."""
    standing: tuple[DecisionEvent, ...]
    """Decisions that nobody took back, in the order of the events, replaced ones among them."""
    outdated: tuple[DecisionEvent, ...]
    """Those of them on tracklets that are gone or were built otherwise since; they count for nothing."""
    required: int
    """How many people must say `same` before a link counts."""

    def links(self) -> list[Pair]:
        """The pairs that count as one person: enough say `same` and nobody says otherwise."""
        return [
            pair
            for pair, said in self.decisions.items()
            if len(said) >= self.required and set(said.values()) == {Decision.SAME}
        ]

    def waiting(self) -> list[Pair]:
        """The pairs that everybody asked calls one person, but too few were asked."""
        return [
            pair
            for pair, said in self.decisions.items()
            if len(said) < self.required and set(said.values()) == {Decision.SAME}
        ]

    def cannot_links(self) -> list[Pair]:
        """The pairs that somebody calls different."""
        return [pair for pair, said in self.decisions.items() if Decision.DIFFERENT in said.values()]

    def disagreements(self) -> list[Pair]:
        """The pairs on which two people say different things; they are neither linked nor settled."""
        return [pair for pair, said in self.decisions.items() if len(set(said.values())) > 1]

    def last_of(self, annotator: str) -> DecisionEvent | None:
        """What this person would undo next."""
        return next((event for event in reversed(self.standing) if event.annotator == annotator), None)


def replay(events: Iterable[LinkEvent], present: Mapping[str, str]) -> LinkState:
    """Go through the events in their order.

    Args:
        events: of a log.
        present: the tracklets that are there now, by `fingerprints`.

    Raises:
        ManifestError: an event undoes what is not there, or what another person decided.
    """
    standing: dict[str, DecisionEvent] = {}
    required = 1
    for event in events:
        match event:
            case DecisionEvent():
                standing[event.event_id] = event
            case UndoEvent():
                undone = standing.pop(event.undoes, None)
                if undone is None or undone.annotator != event.annotator:
                    raise ManifestError(
                        f"event {event.event_id}: must undo a standing decision of {event.annotator!r}; "
                        f"it undoes {event.undoes!r}"
                    )
            case RequireEvent():
                required = event.annotators
            case RebuildEvent():
                standing = {event_id: _moved(decided, event.moved) for event_id, decided in standing.items()}
    decisions: defaultdict[Pair, dict[str, Decision]] = defaultdict(dict)
    outdated: list[DecisionEvent] = []
    for event in standing.values():
        if tuple(map(present.get, event.tracklets)) == event.fingerprints:
            decisions[event.tracklets][event.annotator] = event.decision
        else:
            outdated.append(event)
    return LinkState(
        decisions=dict(sorted(decisions.items())),
        standing=tuple(standing.values()),
        outdated=tuple(outdated),
        required=required,
    )


def _moved(decided: DecisionEvent, moved: Mapping[Seen, Seen]) -> DecisionEvent:
    """The decision on the tracklets that stand for those that it was on; two that became one are left as they were."""
    sides = [Seen(*side) for side in zip(decided.tracklets, decided.fingerprints, strict=True)]
    first, second = sorted(moved.get(side, side) for side in sides)
    if first.tracklet_id == second.tracklet_id:
        return decided
    return replace(
        decided,
        tracklets=(first.tracklet_id, second.tracklet_id),
        fingerprints=(first.fingerprint, second.fingerprint),
    )


def fingerprints(tracklets: Iterable[Tracklet]) -> dict[str, str]:
    """Tracklet id to fingerprint."""
    return {tracklet.tracklet_id: fingerprint(tracklet) for tracklet in tracklets}


def fingerprint(tracklet: Tracklet) -> str:
    """Tell a tracklet from another one that got its id when the folder was built in another way.

    Made of the platform and of each frame's number, time, box and bytes; pids, camids and paths play no part. Frames
    of manifests of version 1, whose bytes nobody has hashed, give the fingerprints that were noted then.
    """
    seen = [
        [frame.index, frame.time_s, None if frame.box is None else list(frame.box)]
        + ([] if frame.sha256 is None else [frame.sha256])
        for frame in tracklet.frames
    ]
    content = json.dumps([tracklet.platform.value, seen], separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:16]
