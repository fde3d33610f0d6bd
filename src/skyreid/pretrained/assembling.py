"""A model of ours around tensors that came from elsewhere."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from skyreid.pretrained.foreign_state import ForeignState

Model = TypeVar("Model", bound=nn.Module)


def assemble(state: ForeignState, build: Callable[[], Model], weights: Mapping[str, Tensor]) -> Model:
    """Build a model and give it `weights`, copied to its own dtypes (float32; BatchNorm counts in int64).

    The model is built without memory first: sizes that a hostile file claims cost nothing before
    every shape has been compared.

    Args:
        state: where the weights come from; a refusal names it.
        build: makes the model; sizes that it refuses are the file's.
        weights: under our names, all of them.

    Raises:
        CheckpointError: shapes that do not fit, numbers that are not finite, integers where weights
            belong.
    """
    with torch.device("meta"), state.blamed():
        model = build()
    own = model.state_dict()
    converted = {}
    for name, tensor in weights.items():
        wanted = own[name]
        if tensor.shape != wanted.shape:
            raise state.refusal(f"{name} has shape {list(tensor.shape)}; the other tensors want {list(wanted.shape)}")
        if wanted.is_floating_point() and not tensor.is_floating_point():
            raise state.refusal(f"{name} must hold floating-point numbers; got {tensor.dtype}")
        if not torch.isfinite(tensor).all():
            raise state.refusal(f"{name} holds numbers that are not finite")
        converted[name] = tensor.detach().to(wanted.dtype, copy=True, memory_format=torch.contiguous_format)
    model.load_state_dict(converted, strict=True, assign=True)
    return model
