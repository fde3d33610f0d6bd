"""Which pair of a ground and an aerial tracklet to ask somebody about next: where an answer is worth most.

The pairs are those that `skyreid link` suggests, by similarity and clock. First come pairs that give somebody the side
that is missing, and among them the ones that can go either way. Where several people must decide, the pairs that others
have begun come before new ones, and nothing tells what they said.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from threading import Event, Lock, Thread

import numpy as np
from jaxtyping import Float64, Int64
from sqlalchemy.engine import Connection

from skyreid.building.linking.best_pairs import NO_PAIRS, BestPairs, Side, best_pairs, side_of
from skyreid.building.linking.candidates import CandidateConfig
from skyreid.building.linking.event_log import Pair, make_pair
from skyreid.building.linking.link_state import LinkState, OpenPairs
from skyreid.cases.case import Case, revision_of
from skyreid.cases.deciding.standing import Standing, StandingKeeper
from skyreid.cases.tracklets import CaseModel, models_in, usual_model, vectors_by_number
from skyreid.errors import CaseError
from skyreid.tracklet import PLATFORMS, Platform

_PER_TRACKLET = 10
SOME = 256
"""Ground tracklets, spread over the case, that are asked about until all pairs are ranked."""
_GONE = -1
"""Instead of the pid of who is not there any more."""
_SOFTNESS = 0.05
"""A pair counts e times as much as one whose score is smaller by this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedPair:
    """A pair to ask about."""

    pair: Pair
    similarity: float | None
    """Cosine; None = one of them has no vector, or they are of one platform."""
    doubt: float
    """0 = the answer is plain, 0.25 = it can go either way."""


@dataclass(frozen=True, kw_only=True)
class Queue:
    """What one person may be asked, the most valuable first."""

    pairs: tuple[QueuedPair, ...]
    num_left: int
    """All that there are."""
    model: CaseModel | None
    """That the similarities are of."""
    problem: str
    """Why nobody can be asked anything."""
    is_partial: bool
    """All pairs are still being compared, and these are of some ground tracklets."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Suggested:
    """Pairs of a moment, with nothing decided."""

    ground: Sequence[str] = ()
    """Ids of the tracklets, in order."""
    aerial: Sequence[str] = ()
    pairs: BestPairs = NO_PAIRS
    model: CaseModel | None = None
    problem: str = ""
    is_partial: bool = False

    @cached_property
    def places(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Where each id stands on its side."""
        ground, aerial = ({one: place for place, one in enumerate(side)} for side in (self.ground, self.aerial))
        return ground, aerial

    def code(self, pair: Pair) -> int:
        """Give the number of a pair; -1 = it is not across the platforms."""
        ground, aerial = self.places
        first, second = pair if pair[0] in ground else pair[::-1]
        return ground[first] * len(self.aerial) + aerial[second] if first in ground and second in aerial else -1

    def pair(self, row: int) -> Pair:
        """Give the tracklets of one of the pairs."""
        return make_pair(self.ground[int(self.pairs.ground[row])], self.aerial[int(self.pairs.aerial[row])])

    @cached_property
    def codes(self) -> Int64[np.ndarray, " pair"]:
        """Numbers of the pairs."""
        return self.pairs.ground * len(self.aerial) + self.pairs.aerial

    def queued(self, row: int, doubt: float) -> QueuedPair:
        """Give one to ask about."""
        similarity = float(self.pairs.similarity[row])
        return QueuedPair(
            pair=self.pair(row),
            similarity=None if np.isnan(similarity) else similarity,
            doubt=doubt,
        )


class PairQueue:
    """The pairs of one case: ranked anew when its tracklets or clocks change, asked by any thread.

    All of a large case take a while, and are ranked beside whoever asks; meanwhile some of its tracklets are asked
    about. To be closed, lest the process waits for the end of that.

    Args:
        case: whose pairs.
        kept: who is who in it; None = found out here.
    """

    def __init__(self, case: Case, kept: StandingKeeper | None = None) -> None:
        self._case, self._kept = case, kept or StandingKeeper()
        self._alone = Lock()
        self._revision = -1
        self._all: Future[_Suggested] = Future()
        self._some = _Suggested()
        self._ends = Event()

    def close(self) -> None:
        """End what is being ranked."""
        self._ends.set()

    def queue(self, person: str, *, limit: int | None = None, first: Pair | None = None) -> Queue:
        """Say what a person may be asked now; each pair is asked once.

        Args:
            person: who is asked.
            limit: how many pairs to give; None = all.
            first: a pair to begin with, whatever was decided on it.
        """
        with self._case.database.reading() as connection:
            standing = self._kept.whole(connection)
            revision = revision_of(connection)
        suggested = self._suggested(revision, standing)
        pairs, num_left = _ordered(standing, suggested, person, limit=limit)
        if first is not None:
            known = np.flatnonzero(suggested.codes == suggested.code(first))
            begin = QueuedPair(pair=first, similarity=None, doubt=0.0)
            begin = suggested.queued(int(known[0]), 0.0) if known.size else begin
            pairs = [begin, *(one for one in pairs if one.pair != first)][:limit]
        return Queue(
            pairs=tuple(pairs),
            num_left=num_left,
            model=suggested.model,
            problem=suggested.problem,
            is_partial=suggested.is_partial,
        )

    def _suggested(self, revision: int, standing: Standing) -> _Suggested:
        with self._alone:
            if self._revision != revision or (self._all.done() and self._all.exception()):
                some = self._suggest(standing, most_ground=SOME)
                self._revision, self._all, self._some = revision, Future(), some
                if some.is_partial:
                    Thread(target=self._rank_all, args=(standing, self._all)).start()
                    return some
                self._all.set_result(some)
            return self._all.result() if self._all.done() else self._some

    def _rank_all(self, standing: Standing, into: "Future[_Suggested]") -> None:
        try:
            into.set_result(self._suggest(standing))
        except BaseException as error:
            into.set_exception(error)

    def _go_on(self, task: str, done: int, total: int, note: str = "") -> None:
        if self._ends.is_set():
            raise CaseError(f"{self._case.folder}: was closed while its pairs were ranked")

    def _suggest(self, standing: Standing, *, most_ground: int | None = None) -> _Suggested:
        """Rank the pairs of all, or of so many of the ground tracklets."""
        ids: dict[Platform, list[str]] = {platform: [] for platform in PLATFORMS}
        for one in standing.tracklets:
            ids[one.platform].append(one.tracklet_id)
        if missing := [platform for platform in PLATFORMS if not ids[platform]]:
            return _Suggested(problem=f"nobody was seen from the {' or the '.join(_SIDES[one] for one in missing)} yet")
        step = 1 if most_ground is None else -(-len(ids[Platform.GROUND]) // most_ground)
        ids[Platform.GROUND] = sorted(ids[Platform.GROUND])[::step]
        with self._case.database.reading() as connection:
            model = usual_model(models_in(connection))
            ground, aerial = (_side(connection, standing, model, ids[platform]) for platform in PLATFORMS)
        if model is None and not (ground.has_clock and aerial.has_clock):
            return _Suggested(problem="there are neither vectors nor clocks on both platforms to suggest pairs by")
        nothing = LinkState(decisions={}, standing=(), outdated=(), required=1)
        built = OpenPairs({one.tracklet_id: one.pid for one in standing.tracklets}, nothing, annotator=None)
        pairs = best_pairs(
            ground,
            aerial,
            built,
            per_tracklet=_PER_TRACKLET,
            clock_tolerance_s=CandidateConfig().clock_tolerance_s,
            progress=self._go_on,
        )
        return _Suggested(ground=ground.ids, aerial=aerial.ids, pairs=pairs, model=model, is_partial=step > 1)


_SIDES = {Platform.GROUND: "ground", Platform.AERIAL: "air"}


def _side(connection: Connection, standing: Standing, model: CaseModel | None, ids: Sequence[str]) -> Side:
    """Put those of a platform together who have a vector; all where there is no model."""
    if model is None:
        return side_of(sorted(ids), [standing.presences[one] for one in sorted(ids)], None)
    from skyreid.retrieval.cosine import unit_rows  # loads PyTorch

    vectors = vectors_by_number(connection, model, [standing.numbers[one] for one in ids])
    known = sorted(one for one in ids if standing.numbers[one] in vectors)
    rows = [vectors[standing.numbers[one]] for one in known]
    units = unit_rows(np.stack(rows)) if rows else np.zeros((0, model.width), dtype=np.float32)
    return side_of(known, [standing.presences[one] for one in known], units)


def _ordered(
    standing: Standing, suggested: _Suggested, person: str, *, limit: int | None
) -> tuple[list[QueuedPair], int]:
    """Put the pairs that a person may be asked about into order; gives the first of them, and how many there are.

    Args:
        standing: all that was decided, by others too.
        suggested: pairs that are suggested while nothing is decided.
        person: who is asked.
        limit: how many to give; None = all.
    """
    pids, pairs = standing.identities.pids, suggested.pairs
    sides = (suggested.ground, pairs.ground), (suggested.aerial, pairs.aerial)
    ground_pid, aerial_pid = (
        np.array([pids.get(one, _GONE) for one in side], dtype=np.int64)[of_pairs] for side, of_pairs in sides
    )
    may_ask = standing.seen_by(person).open_pairs(person).is_open
    is_open = (ground_pid != aerial_pid) & (ground_pid != _GONE) & (aerial_pid != _GONE)
    # Only where somebody decided on both identities can a decision close a pair.
    touched = list({pids[one] for pair in standing.state.decisions for one in pair})
    for row in np.flatnonzero(is_open & np.isin(ground_pid, touched) & np.isin(aerial_pid, touched)):
        is_open[row] = may_ask(*suggested.pair(int(row)))
    rows = np.flatnonzero(is_open)
    score = pairs.score[rows]
    doubt = doubts(score, pairs.ground[rows], pairs.aerial[rows])
    begun = [
        pair
        for pair, said in standing.state.decisions.items()
        if person not in said and len(said) < standing.state.required and may_ask(*pair)
    ]
    is_begun = np.isin(suggested.codes[rows], [suggested.code(pair) for pair in begun])
    lacks = standing.people.once("lacks a side", lambda: _lack_a_side(standing))
    gains = np.isin(ground_pid[rows], lacks) | np.isin(aerial_pid[rows], lacks)
    rank = 2 * is_begun + gains
    few = _may_come_first(rank, doubt, len(rows) if limit is None else limit)
    similarity = np.nan_to_num(pairs.similarity[rows[few]])
    order = few[np.lexsort((-similarity, -score[few], -doubt[few], -rank[few]))]
    queued = [suggested.queued(int(rows[one]), float(doubt[one])) for one in order[:limit]]
    found = set(suggested.codes[rows[is_begun]].tolist())
    others = [
        QueuedPair(pair=pair, similarity=None, doubt=0.0) for pair in sorted(begun) if suggested.code(pair) not in found
    ]
    queued[int(is_begun.sum()) : int(is_begun.sum())] = others
    return queued[:limit], len(rows) + len(others)


def doubts(
    scores: Float64[np.ndarray, " pair"], ground: Int64[np.ndarray, " pair"], aerial: Int64[np.ndarray, " pair"]
) -> Float64[np.ndarray, " pair"]:
    """How far an answer is from plain: p (1 - p), where p is how much each tracklet points at the other.

        p = (w / sum of w over the pairs of the ground tracklet) · (the same over those of the aerial one)
        w = exp(score / 0.05)

    Two who are far ahead for each other are as plain as two who are far behind; of two who are alike, one is asked.

    Args:
        scores: of the pairs.
        ground: number of the ground tracklet of each.
        aerial: number of the aerial one.
    """
    weight = np.exp(scores / _SOFTNESS)
    share = np.ones(len(scores))
    for side in (ground, aerial):
        share *= weight / np.bincount(side, weights=weight)[side]
    return share * (1 - share)


def _may_come_first(
    rank: Int64[np.ndarray, " pair"], doubt: Float64[np.ndarray, " pair"], limit: int
) -> Int64[np.ndarray, " few"]:
    """Leave out whom `limit` others come before, by rank and then by doubt: to sort all takes longer than the rest."""
    if limit >= len(rank):
        return np.arange(len(rank))
    least = np.partition(rank, len(rank) - limit)[len(rank) - limit]
    above, level = rank > least, rank == least
    doubts_there = doubt[level]
    place = len(doubts_there) - (limit - np.count_nonzero(above))
    return np.flatnonzero(above | (level & (doubt >= np.partition(doubts_there, place)[place])))


def _lack_a_side(standing: Standing) -> list[int]:
    """Pids of the identities that were seen from one side only."""
    return [pid for pid, counts in standing.people.counts.items() if not all(counts.values())]
