"""Parameters of a method of the comparison, three ways: the paper's Table 3 does not say how it counts.

Source: BASELINES section 4. "Tunable" there fits the parameters without the classifiers of identities and
without heads that only a loss needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from skyreid.baselines import BaselineModel, build_baseline


@dataclass(frozen=True, kw_only=True)
class ParameterCounts:
    """Counts of single parameters."""

    all: int
    without_heads: int
    """Without classifiers of training identities and heads of losses."""
    trained: int
    """That want a gradient; members that a release builds and never uses are among them."""

    def to_json(self) -> dict[str, object]:
        """The three counts."""
        return dict(vars(self))

    def lines(self) -> list[str]:
        """The three counts for a human, in millions."""
        return [f"{name.replace('_', ' '):16} {count / 1e6:9.3f} M" for name, count in vars(self).items()]


def count(parameters: Mapping[str, nn.Parameter], *, training_only: tuple[str, ...]) -> ParameterCounts:
    """Count parameters by name; `training_only` are starts of names that no embedding needs."""
    return ParameterCounts(
        all=sum(p.numel() for p in parameters.values()),
        without_heads=sum(p.numel() for name, p in parameters.items() if not name.startswith(training_only)),
        trained=sum(p.numel() for p in parameters.values() if p.requires_grad),
    )


def count_baseline_parameters(model: BaselineModel) -> ParameterCounts:
    """Count without allocating a single one."""
    with torch.device("meta"):
        built = build_baseline(model)
    return count(dict(built.named_parameters()), training_only=built.training_only)
