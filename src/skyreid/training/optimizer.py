"""Optimizers over the trained parameters, in as few groups as their settings need.

Source: METHOD section 6. Adam with coupled weight decay; biases learn twice as fast and have a decay
of their own. The release makes one group per tensor, which computes the same and forbids batching.
BASELINES section 3 for those of the comparison.
"""

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
    return Adam(groups)


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
    if config.algorithm == "adam":
        return Adam(groups, weight_decay=config.weight_decay)
    return SGD(groups, momentum=config.momentum, nesterov=config.nesterov, weight_decay=config.weight_decay)


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the rate of the weights; biases follow with their factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate_factor"]
