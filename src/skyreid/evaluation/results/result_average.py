"""Mean ± sd of one model's results: over the seeds of a recipe, over the ten splits of iLIDS-VID and PRID-2011."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from skyreid.errors import ProtocolError
from skyreid.evaluation.results.protocol_card import ProtocolCard, labels, unequal_fields
from skyreid.evaluation.results.result_file import EvaluationResult
from skyreid.evaluation.results.uncertainty import Spread, spread

TEN_SPLITS = tuple(map(str, range(10)))


@dataclass(frozen=True, kw_only=True)
class ResultAverage:
    """What several runs have scored."""

    over: Literal["seeds", "splits"]
    runs: tuple[str, ...]
    """The seeds or splits, in order."""
    card: ProtocolCard
    """Of all runs; a hash of a thing that each run has its own of is a hash of those hashes."""
    scores: Mapping[str, Spread]
    """Those that all runs have."""

    def lines(self) -> list[str]:
        """What a human reads."""
        scores = "   ".join(f"{name} {score}" for name, score in self.scores.items())
        return [
            f"{self.card.model or 'model not stated'}, mean ± sd over the {self.over} {', '.join(self.runs)}: {scores}",
            f"{self.card.in_words()} Ranking: {self.card.ranker}.",
        ]

    def to_json(self) -> dict[str, object]:
        """What a program reads."""
        return asdict(self)


def mean_over_seeds(results: Sequence[EvaluationResult]) -> ResultAverage:
    """Average the results of models that differ in the seed of their training.

    Raises:
        ProtocolError: fewer than two results, a seed that is not stated or stands twice, or cards that differ in
            anything but the seed and the weights.
    """
    seeds = [result.card.seed for result in results]
    if len(seeds) < 2 or None in seeds:
        raise ProtocolError(f"a mean over seeds needs at least two results that state their seed; got {seeds}")
    _check_once("seed", seeds)
    _check_alike(results, {"seed", "model_sha256"})
    card = replace(results[0].card, seed=None, model_sha256=_joint_sha256(results, "model_sha256"))
    return ResultAverage(over="seeds", runs=tuple(map(str, seeds)), card=card, scores=_spreads(results))


def average_over_splits(results: Sequence[EvaluationResult], splits: Sequence[str] = TEN_SPLITS) -> ResultAverage:
    """Average the results on all splits of a benchmark, each by a model trained on its own split.

    The test people of the splits overlap, so the sd is no standard error of the mean.

    Args:
        results: one for each split, in any order.
        splits: what the cards call the splits.

    Raises:
        ProtocolError: a split is missing, stands twice or is none of `splits`, or cards differ in anything but the
            split, its data and the weights.
    """
    given = [result.card.split for result in results]
    _check_once("split", given)
    if missing := [split for split in splits if split not in given]:
        raise ProtocolError(
            f"an average over splits needs every one of {', '.join(splits)}; missing: {', '.join(missing)}"
        )
    if unknown := [split for split in given if split not in splits]:
        raise ProtocolError(f"an average is over the splits {', '.join(splits)}; got {unknown[0]!r} too")
    _check_alike(results, {"split", "data_sha256", "tables_sha256", "model_sha256"})
    in_order = sorted(results, key=lambda result: splits.index(result.card.split or ""))
    card = replace(
        in_order[0].card,
        split=", ".join(splits),
        data_sha256=_joint_sha256(in_order, "data_sha256"),
        tables_sha256=_joint_sha256(in_order, "tables_sha256"),
        model_sha256=_joint_sha256(in_order, "model_sha256"),
    )
    return ResultAverage(over="splits", runs=tuple(splits), card=card, scores=_spreads(in_order))


def _check_once(what: str, values: Sequence[int | str | None]) -> None:
    repeated = [value for value, number in Counter(values).items() if number > 1]
    if repeated:
        raise ProtocolError(f"every {what} counts once in an average; {what} {repeated[0]!r} stands twice")


def _check_alike(results: Sequence[EvaluationResult], apart_from: set[str]) -> None:
    first = results[0].card
    for result in results[1:]:
        if found := unequal_fields(first, result.card, apart_from=frozenset(apart_from)):
            remedy = "average files of one name, DIRECTION.SAMPLING.RANKER.json, of models trained in the same way"
            raise ProtocolError(f"these results have no average, because of: {labels(found)}", notes=[*found, remedy])


def _joint_sha256(results: Sequence[EvaluationResult], name: str) -> str | None:
    hashes = [getattr(result.card, name) for result in results]
    return None if None in hashes else hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _spreads(results: Sequence[EvaluationResult]) -> dict[str, Spread]:
    names = [name for name in results[0].scores if all(name in result.scores for result in results)]
    return {name: spread([result.scores[name].value for result in results]) for name in names}
