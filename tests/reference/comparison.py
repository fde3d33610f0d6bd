"""One quantity of ours beside the stored one."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

EXACT = 0.0


@dataclass(frozen=True)
class Comparison:
    name: str
    deviation: float
    tolerance: float

    @property
    def is_close(self) -> bool:
        return self.deviation <= self.tolerance  # NaN is not


def compare(name: str, ours, stored, tolerance: float) -> Comparison:
    """Largest difference over the largest stored value; for EXACT, the number of unequal entries."""
    ours, stored = np.asarray(ours), np.asarray(stored)
    assert ours.shape == stored.shape, (name, ours.shape, stored.shape)
    if tolerance == EXACT:
        return Comparison(name, float((ours != stored).sum()), tolerance)
    scale = max(float(np.abs(stored).max(initial=0)), 1e-12)
    return Comparison(name, float(np.abs(ours.astype(float) - stored).max(initial=0)) / scale, tolerance)


def assert_all_close(comparisons: Iterable[Comparison]) -> None:
    found = list(comparisons)
    assert found
    too_far = [comparison for comparison in found if not comparison.is_close]
    assert not too_far, too_far
