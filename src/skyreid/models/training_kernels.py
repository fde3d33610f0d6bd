"""Two operations of the towers with a backward pass of our own, where PyTorch's wastes time or memory on a CPU.

- QuickGELU keeps its input alone, not the sigmoid too, and works in pieces that stay in the processor's cache: half the
  time in float32, and PyTorch's bits, since it does the same operations in the same order.
- Attention in bfloat16: PyTorch's backward pass takes four times as long as the matrix products of the formula,
  since it calls one product a block and head (0.26 against 0.07 CPU seconds at true size, benchmarks/training.py).

Everywhere else these are PyTorch's own.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

QUICK_SLOPE = 1.702
"""Of QuickGELU, x * sigmoid(1.702 x)."""
_PIECE = 1 << 16
"""Numbers that are worked on together: a few copies of them fit in the cache of one core."""


def quick_gelu(features: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Give x * sigmoid(1.702 x)."""
    is_trained = torch.is_grad_enabled() and features.requires_grad
    # Pieces of 16 bits fit in the cache as they are.
    if not is_trained or features.is_cuda or features.dtype.itemsize == 2:
        return features * (QUICK_SLOPE * features).sigmoid()
    return _QuickGelu.apply(features)  # pyright: ignore[reportReturnType]


class _QuickGelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        out = torch.empty_like(features, memory_format=torch.contiguous_format)
        for piece, kept in zip(_pieces(features), _pieces(out), strict=True):
            torch.mul(piece, torch.mul(piece, QUICK_SLOPE).sigmoid_(), out=kept)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (features,) = ctx.saved_tensors
        out = torch.empty_like(features, memory_format=torch.contiguous_format)
        for piece, from_above, kept in zip(_pieces(features), _pieces(gradient), _pieces(out), strict=True):
            gate = torch.mul(piece, QUICK_SLOPE).sigmoid_()
            # As PyTorch takes it apart: the slope of the sigmoid as (gradient * (1 - gate)) * gate.
            bent = torch.mul(from_above, piece)
            torch.ops.aten.sigmoid_backward.grad_input(bent, gate, grad_input=bent)
            torch.mul(from_above, gate, out=kept)
            kept.add_(bent.mul_(QUICK_SLOPE))
        return out


def _pieces(tensor: Tensor) -> tuple[Tensor, ...]:
    # A fake tensor has no numbers (`training/memory.py`): nothing is gained by taking it apart.
    return tensor.reshape(-1).split(tensor.numel() if isinstance(tensor, FakeTensor) else _PIECE)


def attend(
    query: Float[Tensor, "batch head token inner"],
    key: Float[Tensor, "batch head source inner"],
    value: Float[Tensor, "batch head source inner"],
    *,
    causal: bool,
) -> Float[Tensor, "batch head token inner"]:
    """softmax(q k / sqrt(inner)) v; `causal`: a token does not see later ones."""
    if query.dtype is torch.bfloat16 and not query.is_cuda and torch.is_grad_enabled():
        return _Bfloat16Attention.apply(query, key, value, causal)  # pyright: ignore[reportReturnType]
    return functional.scaled_dot_product_attention(query, key, value, is_causal=causal)


class _Bfloat16Attention(torch.autograd.Function):
    """PyTorch's forward pass, and the formula's backward pass from weights that are computed again."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, causal: bool) -> Tensor:
        ctx.save_for_backward(query, key, value)
        ctx.causal = causal
        return functional.scaled_dot_product_attention(query, key, value, is_causal=causal)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, gradient: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, None]:
        query, key, value = ctx.saved_tensors
        scaled = query * query.shape[-1] ** -0.5
        logits = scaled @ key.transpose(-1, -2)
        if ctx.causal:
            later = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).triu(1)
            logits.masked_fill_(later, -torch.inf)
        weights = logits.softmax(dim=-1)
        of_weights = gradient @ value.transpose(-1, -2)
        of_logits = torch.ops.aten._softmax_backward_data(of_weights, weights, -1, weights.dtype)
        of_query = (of_logits @ key) * query.shape[-1] ** -0.5
        return of_query, of_logits.transpose(-1, -2) @ scaled, weights.transpose(-1, -2) @ gradient, None
