"""Which pair of a ground and an aerial tracklet to ask somebody about next: where an answer is worth most.

The pairs are those that `skyreid link` suggests, by similarity and clock. First come pairs that give somebody the side
that is missing, and among them the ones that can go either way. Where several people must decide, the pairs that others
have begun come before new ones, and nothing tells what they said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
import sqlalchemy as sa
from jaxtyping import Float64, Int64

from skyreid.building.linking.candidates import Candidate, CandidateConfig, rank_candidates
from skyreid.building.linking.event_log import Pair, make_pair
from skyreid.building.linking.link_state import LinkState, OpenPairs
from skyreid.cases.case import Case
from skyreid.cases.decisions import Standing, standing_in
from skyreid.cases.schema import CASE
from skyreid.cases.tracklets import CaseModel, models_in, read_table
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

    def __init__(self, case: Case) -> None:
        self._case = case
        self._suggested = _Suggested(revision=-1, candidates=(), model=None, problem="")
        self._alone = Lock()

    def queue(self, person: str) -> Queue:
        """Say what a person may be asked now; each pair is asked once."""
        with self._case.database.reading() as connection:
            standing = standing_in(connection)
            revision = connection.execute(sa.select(CASE.c.revision)).scalar_one()
            models = models_in(connection)
        with self._alone:
            if self._suggested.revision != revision:
                self._suggested = self._suggest(revision, standing, models)
            suggested = self._suggested
        pairs = ordered_pairs(standing, suggested.candidates, person)
        return Queue(pairs=tuple(pairs), model=suggested.model, problem=suggested.problem)

    def _suggest(self, revision: int, standing: Standing, models: Sequence[CaseModel]) -> _Suggested:
        there = {one.platform for one in standing.tracklets}
        if missing := [platform for platform in PLATFORMS if platform not in there]:
            problem = f"nobody was seen from the {' or the '.join(_SIDES[one] for one in missing)} yet"
            return _Suggested(revision=revision, candidates=(), model=None, problem=problem)
        model = next((one for one in models if one.num_vectors), None)
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


def ordered_pairs(standing: Standing, candidates: Sequence[Candidate], person: str) -> list[QueuedPair]:
    """Put the pairs that a person may be asked about into order.

    Args:
        standing: all that was decided, by others too.
        candidates: pairs that are suggested while nothing is decided.
        person: who is asked.
    """
    blind = standing.seen_by(person).open_pairs(person)
    there = standing.presences
    wanted = [
        one
        for one in candidates
        if one.ground in there and one.aerial in there and blind.is_open(one.ground, one.aerial)
    ]
    doubt = doubts(wanted)
    gains = _gains(standing)
    begun = {
        pair
        for pair, said in standing.state.decisions.items()
        if person not in said and len(said) < standing.state.required and blind.is_open(*pair)
    }
    queued: dict[Pair, tuple[tuple[bool, bool, float, float, Pair], QueuedPair]] = {}
    for one, value in zip(wanted, doubt.tolist(), strict=True):
        pair = make_pair(one.ground, one.aerial)
        is_gain = gains[one.ground] or gains[one.aerial]
        place = (pair not in begun, not is_gain, -value, -one.score, pair)
        queued[pair] = place, QueuedPair(pair=pair, similarity=one.similarity, doubt=value)
    for pair in begun - queued.keys():
        queued[pair] = (False, True, 0.0, 0.0, pair), QueuedPair(pair=pair, similarity=None, doubt=0.0)
    return [pair for _, pair in sorted(queued.values(), key=lambda one: one[0])]


def doubts(candidates: Sequence[Candidate]) -> Float64[np.ndarray, " candidate"]:
    """How far an answer is from plain: p (1 - p), where p is how much each tracklet points at the other.

        p = (w / sum of w over the pairs of the ground tracklet) · (the same over those of the aerial one)
        w = exp(score / 0.05)

    Two who are far ahead for each other are as plain as two who are far behind; of two who are alike, one is asked.
    """
    if not candidates:
        return np.zeros(0)
    weight = np.exp(np.array([one.score for one in candidates]) / _SOFTNESS)
    share = np.ones(len(candidates))
    for side in ([one.ground for one in candidates], [one.aerial for one in candidates]):
        places: Int64[np.ndarray, " candidate"] = np.unique(side, return_inverse=True)[1]
        share *= weight / np.bincount(places, weights=weight)[places]
    return share * (1 - share)


def _gains(standing: Standing) -> Mapping[str, bool]:
    """Whether the identity of a tracklet lacks a side."""
    platforms = {one.tracklet_id: one.platform for one in standing.tracklets}
    lacks = {
        pid: len({platforms[one] for one in members}) < len(PLATFORMS) for pid, members in standing.members.items()
    }
    return {tracklet_id: lacks[pid] for tracklet_id, pid in standing.identities.pids.items()}
