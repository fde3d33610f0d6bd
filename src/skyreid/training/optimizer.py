"""Optimizers over the trained parameters, in as few groups as their settings need, and their learning rates by epoch.

Source: METHOD section 6. Adam with coupled weight decay; biases learn twice as fast and have a decay
of their own. The release makes one group per tensor, which computes the same and forbids batching.
BASELINES section 3 for those of the comparison. Learning rates: paper section 5.2 (decays at 60 and 90); METHOD
sections 5 and 6 (the warm-ups and the cosine, which the paper does not mention: METHOD section 11 row 15).
"""

import math
from dataclasses import dataclass
from typing import Literal

from torch import nn
from torch.optim import SGD, Adam, Optimizer


@dataclass(frozen=True, kw_only=True)
class WeightDecay:
    weights: float = 2.5e-4
    """Of everything that is not a bias, LayerNorm weights and prompts included."""
    biases: float = 1e-4
    bias_learning_rate_factor: float = 2.0
    """Biases learn this much faster."""


def make_adam(model: nn.Module, decay: WeightDecay) -> Adam:
    """Adam over the parameters of `model` that want a gradient; `set_learning_rate` sets the rate."""
    weights, biases = [], []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_bias = name.rpartition(".")[2] == "bias"
            (biases if is_bias else weights).append(parameter)
    groups = [{"params": weights, "weight_decay": decay.weights, "rate_factor": 1.0}]
    if biases:
        groups.append({"params": biases, "weight_decay": decay.biases, "rate_factor": decay.bias_learning_rate_factor})
    return Adam(groups, fused=_is_fused(weights))


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """Of the methods that VSLA-CLIP is compared with."""

    algorithm: Literal["adam", "sgd"] = "adam"
    weight_decay: float = 5e-4
    """Coupled: added to the gradient."""
    momentum: float = 0.9
    """Of SGD."""
    nesterov: bool = False
    """Of SGD."""
    bias_rate_factor: float = 1.0
    """Biases learn this much faster."""
    faster: tuple[tuple[str, float], ...] = ()
    """Start of parameters' names, and how much faster those learn; the first that fits counts."""


def make_optimizer(model: nn.Module, config: OptimizerConfig) -> Optimizer:
    """Optimize the parameters of `model` that want a gradient; `set_learning_rate` sets the rate."""
    by_factor: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            factor = next((factor for start, factor in config.faster if name.startswith(start)), 1.0)
            if name.rpartition(".")[2] == "bias":
                factor *= config.bias_rate_factor
            by_factor.setdefault(factor, []).append(parameter)
    groups = [{"params": parameters, "rate_factor": factor} for factor, parameters in by_factor.items()]
    fused = _is_fused(groups[0]["params"])
    if config.algorithm == "adam":
        return Adam(groups, weight_decay=config.weight_decay, fused=fused)
    return SGD(
        groups, momentum=config.momentum, nesterov=config.nesterov, weight_decay=config.weight_decay, fused=fused
    )


def _is_fused(parameters: list[nn.Parameter]) -> bool | None:
    """One kernel a step on a GPU; on a CPU it saves nothing and rounds otherwise, so that is left to PyTorch."""
    return True if parameters[0].is_cuda else None


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the rate of the weights; biases follow with their factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate_factor"]


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
