"""Learning rates by epoch, counted from 1.

Source: paper section 5.2 (decays at 60 and 90); METHOD sections 5 and 6 (the warm-ups and the cosine,
which the paper does not mention: METHOD section 11 row 15).
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CosineSchedule:
    """Stage 1: a linear warm-up from `start`, then half a cosine over all epochs down to `end`."""

    peak: float = 3.5e-4
    start: float = 1e-5
    end: float = 1e-6
    warmup_epochs: int = 5

    def learning_rate(self, epoch: int, epochs: int) -> float:
        """Learning rate of `epoch` in a run of `epochs`."""
        if epoch < self.warmup_epochs:
            return self.start + epoch * (self.peak - self.start) / self.warmup_epochs
        return self.end + 0.5 * (self.peak - self.end) * (1 + math.cos(math.pi * epoch / epochs))


@dataclass(frozen=True, kw_only=True)
class StepSchedule:
    """Stage 2: a linear warm-up, then the peak, cut to a tenth at every milestone."""

    peak: float = 1e-4
    """1e-4 for the adapters (VSLA-CLIP), 5e-6 for the whole tower (FT-CLIP)."""
    warmup_factor: float = 0.1
    """Where the warm-up starts, as a share of the peak."""
    warmup_epochs: int = 10
    """Not in the paper; 0 = no warm-up."""
    milestones: tuple[int, ...] = (60, 90)
    decay: float = 0.1

    def learning_rate(self, epoch: int) -> float:
        """Learning rate of `epoch`."""
        rate = self.peak * self.decay ** sum(epoch >= milestone for milestone in self.milestones)
        if epoch < self.warmup_epochs:
            progress = epoch / self.warmup_epochs
            rate *= self.warmup_factor * (1 - progress) + progress
        return rate
