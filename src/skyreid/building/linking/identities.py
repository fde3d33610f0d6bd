"""From links to identities: tracklets that are linked to each other, one by one, are one person."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from skyreid.building.linking.events import Pair
from skyreid.building.linking.link_state import LinkState
from skyreid.tracklet import Tracklet


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
