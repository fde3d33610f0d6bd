"""Weights of a method in which nothing is zero or one by initialisation, at a scale that survives its depth."""

import torch
from torch import nn

from tests.reference.baselines.recipe import drawn_weights


def with_drawn_weights(model: nn.Module) -> nn.Module:
    """Draw every parameter and every statistic, as the stored outputs' recipe does."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.copy_(torch.from_numpy(drawn_weights(name, tuple(tensor.shape))))
    return model.eval()
