"""Adam over the trained parameters, with the release's two groups: biases and the rest.

Source: METHOD section 6. Adam with coupled weight decay; biases learn twice as fast and have a decay
of their own. The release makes one group per tensor, which computes the same and forbids batching.
"""

from dataclasses import dataclass

from torch import nn
from torch.optim import Adam, Optimizer


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


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the rate of the weights; biases follow with their factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate_factor"]
