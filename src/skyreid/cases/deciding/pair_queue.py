"""Which pair of a ground and an aerial tracklet to ask somebody about next: where an answer is worth most.

The pairs are those that `skyreid link` suggests, by similarity and clock. First come pairs that give somebody the side
that is missing, and among them the ones that can go either way. Where several people must decide, the pairs that others
have begun come before new ones, and nothing tells what they said.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
import sqlalchemy as sa
from jaxtyping import Float64, Int64

from skyreid.building.linking.candidates import Candidate, CandidateConfig, rank_candidates
from skyreid.building.linking.event_log import Pair, make_pair
from skyreid.building.linking.link_state import LinkState, OpenPairs
from skyreid.cases.case import Case
from skyreid.cases.deciding.standing import Standing, StandingKeeper
from skyreid.cases.schema import CASE
from skyreid.cases.tracklets import CaseModel, models_in, read_table, usual_model
from skyreid.errors import SettingError
from skyreid.tracklet import PLATFORMS, Platform

_CONFIG = CandidateConfig(per_tracklet=10)
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


@dataclass(frozen=True, kw_only=True)
class _Suggested:
    """Pairs of a moment, with nothing decided."""

    revision: int
    candidates: Sequence[Candidate]
    model: CaseModel | None
    problem: str


class PairQueue:
    """The pairs of one case: ranked anew when its tracklets or clocks change, asked by any thread."""

    def __init__(self, case: Case, kept: StandingKeeper | None = None) -> None:
        self._case, self._kept = case, kept or StandingKeeper()
        self._suggested = _Suggested(revision=-1, candidates=(), model=None, problem="")
        self._alone = Lock()

    def queue(self, person: str, *, limit: int | None = None, first: Pair | None = None) -> Queue:
        """Say what a person may be asked now; each pair is asked once.

        Args:
            person: who is asked.
            limit: how many pairs to give; None = all.
            first: a pair to begin with, whatever was decided on it.
        """
        with self._case.database.reading() as connection:
            standing = self._kept.whole(connection)
            revision = connection.execute(sa.select(CASE.c.revision)).scalar_one()
            model = usual_model(models_in(connection))
        with self._alone:
            if self._suggested.revision != revision:
                self._suggested = self._suggest(revision, standing, model)
            suggested = self._suggested
        pairs, num_left = ordered_pairs(standing, suggested.candidates, person, limit=limit)
        if first is not None:
            known = (one.similarity for one in suggested.candidates if make_pair(one.ground, one.aerial) == first)
            begin = QueuedPair(pair=first, similarity=next(known, None), doubt=0.0)
            pairs = [begin, *(one for one in pairs if one.pair != first)][:limit]
        return Queue(pairs=tuple(pairs), num_left=num_left, model=suggested.model, problem=suggested.problem)

    def _suggest(self, revision: int, standing: Standing, model: CaseModel | None) -> _Suggested:
        there = {one.platform for one in standing.tracklets}
        if missing := [platform for platform in PLATFORMS if platform not in there]:
            problem = f"nobody was seen from the {' or the '.join(_SIDES[one] for one in missing)} yet"
            return _Suggested(revision=revision, candidates=(), model=None, problem=problem)
        table = None if model is None else replace(read_table(self._case, model), pictures=None)
        embedded = None if table is None else set(map(str, table.tracklet_ids))
        tracklets = [one for one in standing.tracklets if embedded is None or one.tracklet_id in embedded]
        nothing = LinkState(decisions={}, standing=(), outdated=(), required=1)
        built = OpenPairs({one.tracklet_id: one.pid for one in tracklets}, nothing, annotator=None)
        try:
            candidates = rank_candidates(tracklets, standing.presences, built, table, _CONFIG)
        except SettingError:
            problem = "there are neither vectors nor clocks on both platforms to suggest pairs by"
            return _Suggested(revision=revision, candidates=(), model=None, problem=problem)
        return _Suggested(revision=revision, candidates=candidates, model=model, problem="")


_SIDES = {Platform.GROUND: "ground", Platform.AERIAL: "air"}


def ordered_pairs(
    standing: Standing, candidates: Sequence[Candidate], person: str, *, limit: int | None = None
) -> tuple[list[QueuedPair], int]:
    """Put the pairs that a person may be asked about into order; gives the first of them, and how many there are.

    Args:
        standing: all that was decided, by others too.
        candidates: pairs that are suggested while nothing is decided.
        person: who is asked.
        limit: how many to give; None = all.
    """
    pids = standing.identities.pids
    place = {tracklet_id: number for number, tracklet_id in enumerate(pids)}
    found = [one for one in candidates if one.ground in place and one.aerial in place]
    ground, aerial = (_numbers(place[side(one)] for one in found) for side in (_ground, _aerial))
    pid_of = _numbers(pids.values())
    may_ask = standing.seen_by(person).open_pairs(person).is_open
    is_open = pid_of[ground] != pid_of[aerial]
    # Only where somebody decided on both identities can a decision close a pair.
    touched = list({pids[one] for pair in standing.state.decisions for one in pair})
    for row in np.flatnonzero(is_open & np.isin(pid_of[ground], touched) & np.isin(pid_of[aerial], touched)):
        is_open[row] = may_ask(found[row].ground, found[row].aerial)
    rows = np.flatnonzero(is_open)
    score = np.array([found[row].score for row in rows], dtype=np.float64)
    doubt = doubts(score, ground[rows], aerial[rows])
    begun = {
        pair
        for pair, said in standing.state.decisions.items()
        if person not in said and len(said) < standing.state.required and may_ask(*pair)
    }
    pairs = [make_pair(found[row].ground, found[row].aerial) for row in rows] if begun else []
    is_begun = np.array([pair in begun for pair in pairs] if begun else np.zeros(len(rows)), dtype=bool)
    lacks = _lack_a_side(standing)
    gains = np.isin(pid_of[ground[rows]], lacks) | np.isin(pid_of[aerial[rows]], lacks)
    order = np.lexsort((-score, -doubt, ~gains, ~is_begun))
    queued = [
        QueuedPair(
            pair=make_pair(found[rows[one]].ground, found[rows[one]].aerial),
            similarity=found[rows[one]].similarity,
            doubt=float(doubt[one]),
        )
        for one in order[:limit]
    ]
    others = [QueuedPair(pair=pair, similarity=None, doubt=0.0) for pair in sorted(begun - set(pairs))]
    queued[int(is_begun.sum()) : int(is_begun.sum())] = others
    return queued[:limit], len(rows) + len(others)


def _ground(candidate: Candidate) -> str:
    return candidate.ground


def _aerial(candidate: Candidate) -> str:
    return candidate.aerial


def _numbers(values: Iterable[int]) -> Int64[np.ndarray, " value"]:
    return np.array(list(values), dtype=np.int64)


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


def _lack_a_side(standing: Standing) -> list[int]:
    """Pids of the identities that were seen from one side only."""
    return [pid for pid, counts in standing.people.counts.items() if not all(counts.values())]
