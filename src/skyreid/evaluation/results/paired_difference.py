"""Two results on the same queries: how much better one is, and whether that may be luck."""

from dataclasses import asdict, dataclass
from os import PathLike

import numpy as np
from jaxtyping import Float64, Int64

from skyreid.errors import ProtocolError
from skyreid.evaluation.results.protocol_card import ProtocolCard, differences, labels
from skyreid.evaluation.results.result_file import EvaluationResult, HasResult, QueryScores, result_of
from skyreid.evaluation.results.uncertainty import USUAL_INTERVAL, IntervalConfig, PairedTest, paired_test

MOST_CHANGED = 5


@dataclass(frozen=True, kw_only=True)
class ScoreDifference:
    """One score of both."""

    name: str
    a: float
    b: float
    test: PairedTest
    """Of b - a."""


@dataclass(frozen=True, kw_only=True)
class ChangedQuery:
    """What became of one query."""

    tracklet_id: str | int
    pid: int
    average_precision_a: float
    average_precision_b: float


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """What B does better or worse than A."""

    card_a: ProtocolCard
    card_b: ProtocolCard
    queries: int
    """With a match; both answered the same ones."""
    mAP: ScoreDifference  # noqa: N815 - the field's own spelling
    rank_1: ScoreDifference
    better: int
    """Queries whose average precision rose from A to B."""
    worse: int
    most_changed: tuple[ChangedQuery, ...]
    """By average precision, the largest change first; who did not change is absent."""
    interval: IntervalConfig

    def __repr__(self) -> str:
        change = self.mAP.test.difference
        return (
            f"PairedDifference(mAP {self.mAP.a:.1%} -> {self.mAP.b:.1%}, B - A {100 * change.value:+.2f} points "
            f"({100 * change.low:+.2f} to {100 * change.high:+.2f}), p = {self.mAP.test.p_value:.2g})"
        )

    def to_json(self) -> dict[str, object]:
        """What a program reads."""
        return asdict(self)

    def lines(self) -> list[str]:
        """What a human reads."""
        a_words, b_words = (_name(card) for card in (self.card_a, self.card_b))
        not_stated = self.card_a.not_stated()  # as by B, else the cards were unlike
        equal = self.queries - self.better - self.worse
        return [
            f"A: {a_words}",
            f"B: {b_words}",
            f"both: {self.card_a.in_words()} Ranking: {self.card_a.ranker}.",
            *([f"stated by neither, so not compared: {', '.join(not_stated)}"] if not_stated else []),
            *(self._line(difference) for difference in (self.mAP, self.rank_1)),
            f"average precision of {self.queries} queries: {self.better} better with B, {self.worse} worse, "
            f"{equal} equal",
            *(
                f"  {query.tracklet_id} (pid {query.pid}): {query.average_precision_a:.1%} -> "
                f"{query.average_precision_b:.1%}"
                for query in self.most_changed
            ),
        ]

    def _line(self, difference: ScoreDifference) -> str:
        change = difference.test.difference
        return (
            f"{difference.name}: {difference.a:.1%} -> {difference.b:.1%}, B - A {100 * change.value:+.2f} points, "
            f"{self.interval.level:.0%} interval {100 * change.low:+.2f} to {100 * change.high:+.2f}, "
            f"p = {difference.test.p_value:.2g}"
        )


def compare(
    a: EvaluationResult | HasResult | str | PathLike[str],
    b: EvaluationResult | HasResult | str | PathLike[str],
    *,
    config: IntervalConfig = USUAL_INTERVAL,
) -> PairedDifference:
    """Compare two results on the same queries: how much better B is than A, and whether that may be luck.

    Args:
        a: what to compare with: what `evaluate` gives, or the path of a result file.
        b: what is compared, likewise.
        config: how intervals and p-values are made.

    Raises:
        ProtocolError: the protocol cards are unlike, or the queries are others.
        ResultError: a file that is no result.
        SettingError: an argument of another kind.
    """
    a, b = result_of(a), result_of(b)
    if found := differences(a.card, b.card):
        remedy = "compare files of one name, DIRECTION.SAMPLING.RANKER.json, of two evaluations of the same data"
        raise ProtocolError(f"A and B cannot be compared, because of: {labels(found)}", notes=[*found, remedy])
    of_a, of_b = _by_tracklet_id(a.per_query), _by_tracklet_id(b.per_query)
    _check_same_queries(a.per_query, b.per_query, of_a, of_b)
    pids = a.per_query.pids[of_a]
    precisions_a, precisions_b = a.per_query.average_precisions[of_a], b.per_query.average_precisions[of_b]
    hits = [_is_first(result.per_query)[order] for result, order in ((a, of_a), (b, of_b))]

    def difference(
        name: str, first: Float64[np.ndarray, " query"], second: Float64[np.ndarray, " query"]
    ) -> ScoreDifference:
        test = paired_test(first, second, pids, rng=np.random.default_rng(config.seed), config=config)
        return ScoreDifference(name=name, a=a.scores[name].value, b=b.scores[name].value, test=test)

    change = precisions_b - precisions_a
    largest = np.argsort(-np.abs(change), kind="stable")[:MOST_CHANGED]
    return PairedDifference(
        card_a=a.card,
        card_b=b.card,
        queries=len(pids),
        mAP=difference("mAP", precisions_a, precisions_b),
        rank_1=difference("rank-1", *hits),
        better=int(np.count_nonzero(change > 0)),
        worse=int(np.count_nonzero(change < 0)),
        most_changed=tuple(
            ChangedQuery(
                tracklet_id=a.per_query.tracklet_ids[of_a[row]].item(),
                pid=int(pids[row]),
                average_precision_a=float(precisions_a[row]),
                average_precision_b=float(precisions_b[row]),
            )
            for row in largest
            if change[row] != 0
        ),
        interval=config,
    )


def _by_tracklet_id(scores: QueryScores) -> Int64[np.ndarray, " query"]:
    return np.argsort(scores.tracklet_ids)


def _check_same_queries(
    a: QueryScores, b: QueryScores, of_a: Int64[np.ndarray, " query"], of_b: Int64[np.ndarray, " query"]
) -> None:
    only_a, only_b = (
        sorted(set(one.tracklet_ids.tolist()) - set(other.tracklet_ids.tolist()), key=str)
        for one, other in ((a, b), (b, a))
    )
    if only_a or only_b:
        raise ProtocolError(
            f"both results must be of the same queries; {len(only_a)} stand in A only {only_a[:3]}, "
            f"{len(only_b)} in B only {only_b[:3]}"
        )
    other = np.flatnonzero(a.pids[of_a] != b.pids[of_b])
    if other.size:
        row = int(other[0])
        raise ProtocolError(
            f"both results must be of the same people; query {a.tracklet_ids[of_a[row]]} has the pid "
            f"{a.pids[of_a[row]]} in A and {b.pids[of_b[row]]} in B"
        )


def _is_first(scores: QueryScores) -> Float64[np.ndarray, " query"]:
    return (scores.first_places == 0).astype(np.float64)


def _name(card: ProtocolCard) -> str:
    stated = {"seed": card.seed, "weights": card.model_sha256, "commit": card.commit}
    words = [f"{label} {str(value)[:12]}" for label, value in stated.items() if value is not None]
    return ", ".join([card.model or "model not stated", *words])
