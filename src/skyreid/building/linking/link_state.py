"""What holds after all events: who says what about which pair, the identities that follow, and the pairs still open."""

import hashlib
import json
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from skyreid.building.linking.event_log import (
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


# From links to identities: tracklets that are linked to each other, one by one, are one person.
@dataclass(frozen=True, kw_only=True)
class Contradiction:
    """A chain of links between two tracklets that somebody calls different."""

    different: Pair
    chain: tuple[str, ...]
    """Tracklets from one of the pair to the other; each is linked to the next, or annotated as the same person."""


@dataclass(frozen=True, kw_only=True)
class Identities:
    """Who is who."""

    pids: Mapping[str, int]
    """Tracklet id to pid."""
    contradictions: tuple[Contradiction, ...]


def identify(tracklets: Sequence[Tracklet], state: LinkState) -> Identities:
    """Join the tracklets that were built with one pid and those that are linked.

    An identity keeps the smallest of the pids that it joins, so that a link changes nobody else's number.
    Where a chain of links joins a pair that somebody calls different, it cannot be known which link is
    wrong: none of that chain's links counts until a person mends it.

    Args:
        tracklets: with the pids that the build gave them.
        state: replayed for the same tracklets.
    """
    built: dict[int, str] = {}
    annotated = []
    for tracklet in tracklets:
        first = built.setdefault(tracklet.pid, tracklet.tracklet_id)
        if first != tracklet.tracklet_id:
            annotated.append((first, tracklet.tracklet_id))
    links = state.links()
    joined = _Sets([*annotated, *links])
    contradictory = [pair for pair in state.cannot_links() if joined.root(pair[0]) == joined.root(pair[1])]
    neighbours = _neighbours([*annotated, *links])
    broken = {joined.root(pair[0]) for pair in contradictory}
    kept = _Sets([*annotated, *(link for link in links if joined.root(link[0]) not in broken)])
    smallest: dict[str, int] = {}
    for tracklet in tracklets:
        root = kept.root(tracklet.tracklet_id)
        smallest[root] = min(tracklet.pid, smallest.get(root, tracklet.pid))
    return Identities(
        pids={tracklet.tracklet_id: smallest[kept.root(tracklet.tracklet_id)] for tracklet in tracklets},
        contradictions=tuple(Contradiction(different=pair, chain=_chain(neighbours, pair)) for pair in contradictory),
    )


def resolve_identities(tracklets: Sequence[Tracklet], state: LinkState) -> list[Tracklet]:
    """The same tracklets, in their order, with the pids of `identify`."""
    pids = identify(tracklets, state).pids
    return [replace(tracklet, pid=pids[tracklet.tracklet_id]) for tracklet in tracklets]


class _Sets:
    """Disjoint sets of tracklets that the given pairs join; a tracklet in no pair is a set of its own."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self._above: dict[str, str] = {}
        for first, second in pairs:
            # The smaller id becomes the root: the same sets have the same roots in every order of the pairs.
            low, high = sorted((self.root(first), self.root(second)))
            if low != high:
                self._above[high] = low

    def root(self, tracklet_id: str) -> str:
        root = tracklet_id
        while root in self._above:
            root = self._above[root]
        while tracklet_id != root:
            above = self._above[tracklet_id]
            self._above[tracklet_id] = root
            tracklet_id = above
        return root


def _neighbours(pairs: Iterable[Pair]) -> dict[str, list[str]]:
    neighbours: defaultdict[str, list[str]] = defaultdict(list)
    for first, second in pairs:
        neighbours[first].append(second)
        neighbours[second].append(first)
    return neighbours


def _chain(neighbours: Mapping[str, Sequence[str]], ends: Pair) -> tuple[str, ...]:
    """A shortest chain from one end to the other."""
    start, goal = ends
    before: dict[str, str] = {start: start}
    queue = deque([start])
    while goal not in before:
        here = queue.popleft()
        for there in sorted(neighbours[here]):
            if there not in before:
                before[there] = here
                queue.append(there)
    chain = [goal]
    while chain[-1] != start:
        chain.append(before[chain[-1]])
    return tuple(reversed(chain))


class OpenPairs:
    """Tells open pairs from closed ones. A pair is closed when

    - its two tracklets are one identity already, or
    - somebody calls a tracklet of the one identity different from a tracklet of the other, or
    - the asked person, or anybody where nobody in particular is asked, has decided on it.

    Args:
        pids: by `identify`.
        state: of the same moment.
        annotator: who will be asked; None = nobody in particular.
    """

    def __init__(self, pids: Mapping[str, int], state: LinkState, *, annotator: str | None) -> None:
        self._pids = pids
        self._different: defaultdict[int, set[int]] = defaultdict(set)
        for first, second in state.cannot_links():
            self._different[pids[first]].add(pids[second])
            self._different[pids[second]].add(pids[first])
        self._decided: defaultdict[str, set[str]] = defaultdict(set)
        for (first, second), said in state.decisions.items():
            if annotator is None or annotator in said:
                self._decided[first].add(second)
                self._decided[second].add(first)

    def is_open(self, first: str, second: str) -> bool:
        """Say whether to ask about one pair."""
        return (
            self._pids[first] != self._pids[second]
            and self._pids[second] not in self._different.get(self._pids[first], ())
            and second not in self._decided.get(first, ())
        )

    def mask(self, rows: Sequence[str], columns: Sequence[str]) -> Bool[np.ndarray, "row column"]:
        """`is_open` for each of the rows with each of the columns."""
        row_pids = np.array([self._pids[row] for row in rows], dtype=np.int64)
        column_pids = np.array([self._pids[column] for column in columns], dtype=np.int64)
        is_open = row_pids[:, np.newaxis] != column_pids
        places = {column: place for place, column in enumerate(columns)}
        for number, row in enumerate(rows):
            if different := self._different.get(self._pids[row]):
                is_open[number] &= ~np.isin(column_pids, list(different))
            if decided := self._decided.get(row):
                is_open[number, [places[column] for column in decided if column in places]] = False
        return is_open
