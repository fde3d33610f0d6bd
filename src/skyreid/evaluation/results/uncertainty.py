"""How far a score may lie from what other people, other seeds or mere luck would have given.

    interval     Percentile bootstrap: people are drawn with replacement, with all their queries, and the
                 score is taken again; the gallery stays as it is. A perfect score has no width.
    p-value      Sign-flip permutation: were two models interchangeable, the difference of each person could
                 as well have the other sign. Share of random signs that give a mean difference at least as large.
    mean ± sd    Over runs that differ in one thing, such as the seed; sd of the sample (n - 1).

People and not queries are drawn by default, since the queries of a person show the same clothes before the
same gallery and are right or wrong together: drawn one by one they would count as more evidence than they are,
and the interval would be too narrow. Where each person asks once the two are the same.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 13 and 15; Phipson and Smyth,
Permutation p-values should never be zero, 2010.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from skyreid.errors import SettingError

NUM_PERMUTATIONS = 10_000
_DRAWS_AT_ONCE = 2_000_000
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class IntervalConfig:
    """How intervals and p-values are made.

    Raises:
        SettingError: a level outside 0-1, or too few resamples to have its tails.
    """

    level: float = 0.95
    """Share of the resamples that lie inside."""
    resamples: int = 2000
    resampled: Literal["identities", "queries"] = "identities"
    """What is drawn: people with all their queries, or queries as if each were another person's."""
    seed: int = 0
    """Of the draws."""

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise SettingError(f"level must lie between 0 and 1; got {self.level}")
        if self.resamples * (1 - self.level) < 2:
            raise SettingError(f"resamples must leave one in each tail of {self.level:.0%}; got {self.resamples}")


USUAL_INTERVAL = IntervalConfig()


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A score with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """The mean difference of two models over the same queries, with its interval, and whether it may be luck."""

    difference: Estimate
    """Second minus first."""
    p_value: float
    """Two-sided."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A score over several runs."""

    mean: float
    sd: float | None
    """None = of a single run, which has no deviation."""
    runs: int

    def __str__(self) -> str:
        return f"{self.mean:.1%}" if self.sd is None else f"{self.mean:.1%} ± {100 * self.sd:.1f}"


def mean_interval(
    values: Float64[np.ndarray, " query"],
    *,
    rng: np.random.Generator,
    pids: Int64[np.ndarray, " query"] | None = None,
    config: IntervalConfig = USUAL_INTERVAL,
) -> tuple[float, float]:
    """Give the interval of a mean of values in 0-1, such as average precisions.

    Args:
        values: of each query.
        rng: draws the resamples.
        pids: whose query it is; None = each is of another person.
        config: level and number of resamples, and what is drawn.
    """
    owners = np.arange(len(values)) if pids is None else pids
    (estimate,) = estimate_means(values[:, None], owners, rng=rng, config=config)
    return estimate.low, estimate.high


def estimate_means(
    values: Float64[np.ndarray, "query score"],
    pids: Int64[np.ndarray, " query"],
    *,
    rng: np.random.Generator,
    config: IntervalConfig = USUAL_INTERVAL,
    possible: tuple[float, float] = (0.0, 1.0),
) -> list[Estimate]:
    """Give the mean of each column with its interval; all columns share the resamples.

    Args:
        values: of each query, such as its average precision, or whether it is right at rank 1.
        pids: whose query it is.
        rng: draws the resamples.
        config: level and number of resamples, and what is drawn.
        possible: least and greatest mean. One person tells nothing about others: everything possible is the interval.
    """
    sums, counts = _by_group(values, pids, config)
    means = np.ascontiguousarray(values.T).mean(axis=1)  # rounds as the mean of a column alone does
    if len(counts) < 2:
        return [Estimate(value=float(mean), low=possible[0], high=possible[1]) for mean in means]
    drawn = np.concatenate(
        [_resampled_means(sums, counts, rows, rng) for rows in _blocks(config.resamples, len(counts))]
    )
    tail = (1 - config.level) / 2
    lows, highs = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return [
        Estimate(value=float(mean), low=float(low), high=float(high))
        for mean, low, high in zip(means, lows, highs, strict=True)
    ]


def paired_test(
    first: Float64[np.ndarray, " query"],
    second: Float64[np.ndarray, " query"],
    pids: Int64[np.ndarray, " query"],
    *,
    rng: np.random.Generator,
    config: IntervalConfig = USUAL_INTERVAL,
) -> PairedTest:
    """Compare two models on the same queries, in the same order; values lie in 0-1."""
    change = (second - first)[:, None]
    (difference,) = estimate_means(change, pids, rng=rng, config=config, possible=(-1.0, 1.0))
    return PairedTest(difference=difference, p_value=_sign_flip(_by_group(change, pids, config)[0][:, 0], rng))


def spread(values: Sequence[float]) -> Spread:
    """Sum up one run or several."""
    return Spread(mean=fmean(values), sd=stdev(values) if len(values) > 1 else None, runs=len(values))


def _by_group(
    values: Float64[np.ndarray, "query score"], pids: Int64[np.ndarray, " query"], config: IntervalConfig
) -> tuple[Float64[np.ndarray, "group score"], Int64[np.ndarray, " group"]]:
    """Sums and numbers of the values that are drawn together."""
    if config.resampled == "queries":
        return values, np.ones(len(values), dtype=np.int64)
    _, group, counts = np.unique(pids, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, group, values)
    return sums, counts


def _blocks(repetitions: int, groups: int) -> Iterator[int]:
    """Divide the repetitions so that memory stays small."""
    at_once = max(1, _DRAWS_AT_ONCE // groups)
    for start in range(0, repetitions, at_once):
        yield min(at_once, repetitions - start)


def _resampled_means(
    sums: Float64[np.ndarray, "group score"],
    counts: Int64[np.ndarray, " group"],
    rows: int,
    rng: np.random.Generator,
) -> Float64[np.ndarray, "resample score"]:
    groups = len(counts)
    drawn = rng.integers(0, groups, size=(rows, groups))
    drawn += groups * np.arange(rows)[:, None]
    times = np.bincount(drawn.ravel(), minlength=rows * groups).reshape(rows, groups).astype(np.float64)
    return (times @ sums) / (times @ counts)[:, None]


def _sign_flip(sums: Float64[np.ndarray, " group"], rng: np.random.Generator) -> float:
    """Signs that give the same difference but for rounding count as reaching it, and the signs as they are too."""
    reached, at_least = 1, abs(sums.sum()) - _ROUNDING
    for rows in _blocks(NUM_PERMUTATIONS, len(sums)):
        signs = rng.integers(0, 2, size=(rows, len(sums)), dtype=np.int8) * 2.0 - 1.0
        reached += int(np.count_nonzero(np.abs(signs @ sums) >= at_least))
    return reached / (NUM_PERMUTATIONS + 1)
