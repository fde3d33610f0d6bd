"""A threshold on similarity at a chosen rate of false positives, and never one that the data cannot tell.

The threshold at rate f is the smallest float32 that at most f of the similarities which should stay below it
reach. Those that tie are treated alike: where a tie lies across f, none of it is let in, and the rate that is
reached stays below f.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from skyreid.errors import ProtocolError
from skyreid.evaluation.pairs.pair_counts import PairCounts


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """A threshold, and what it does to the pairs that it was chosen on.

    Raises:
        ProtocolError: a rate that is none, or a count below 0.
    """

    false_positive_rate: float
    """As it was asked for."""
    threshold: float
    """Smallest similarity that is called the same person."""
    false_positives: int
    """Different-person pairs that reach the threshold."""
    true_positive_rate: float

    def __post_init__(self) -> None:
        require_rate("a false positive rate", self.false_positive_rate)
        require_share("a true positive rate", self.true_positive_rate)
        require_count("false_positives", self.false_positives, least=0)


def operating_point(counts: PairCounts, false_positive_rate: float) -> OperatingPoint:
    """The threshold at a rate; its place (`num_let_in`) must have been resolved.

    Raises:
        ProtocolError: the rate is below 1 in the number of different-person pairs.
    """
    num_different = counts.num_different
    let_in = num_let_in(false_positive_rate, num_different)
    if let_in == 0:
        raise ProtocolError(
            f"a false positive rate of {false_positive_rate:g} {unresolvable(num_different, 'different-person pairs')}"
        )
    threshold = just_above(counts.nth_different(let_in))
    return OperatingPoint(
        false_positive_rate=false_positive_rate,
        threshold=threshold,
        false_positives=counts.num_different_from(threshold),
        true_positive_rate=float(np.mean(counts.same >= threshold)),
    )


def num_let_in(rate: float, total: int) -> int:
    """How many of `total` a rate allows at most; 0.29 of 100 are 29, whatever floating point makes of it."""
    return int(Fraction(repr(rate)) * total)


def just_above(similarity: float) -> float:
    """The next float32."""
    return float(np.nextafter(np.float32(similarity), np.float32(np.inf)))


def require_rate(name: str, rate: float) -> None:
    """Refuse what is no share of anything.

    Raises:
        ProtocolError: 0 or below, 1 or above, or not a number.
    """
    if not 0 < rate < 1:
        raise ProtocolError(f"{name} must lie between 0 and 1; got {rate}")


def require_share(name: str, share: float) -> None:
    """Refuse what no count of some among all can give.

    Raises:
        ProtocolError: below 0, above 1, or not a number.
    """
    if not 0 <= share <= 1:
        raise ProtocolError(f"{name} must be from 0 to 1; got {share}")


def require_count(name: str, count: int, *, least: int) -> None:
    """Refuse a number of things that there cannot be.

    Raises:
        ProtocolError: below `least`.
    """
    if count < least:
        raise ProtocolError(f"{name} must be at least {least}; got {count}")


def unresolvable(total: int, what: str) -> str:
    """Say why a rate has no threshold, and what would settle it."""
    remedy = "bring more" if total == 1 else f"ask for at least {_least_rate(total):g}, or bring more"
    return f"is not resolvable with {total:,} {what}: {remedy}"


def _least_rate(total: int) -> float:
    """The least rate of two digits that lets one in."""
    rate = float(f"{1 / total:.1e}")
    step = 10.0 ** (math.floor(math.log10(1 / total)) - 1)
    return rate if num_let_in(rate, total) else float(f"{rate + step:.1e}")
