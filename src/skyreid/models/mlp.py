"""The two-layer perceptron of a CLIP block and its activation."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

Activation = Literal["quick-gelu", "gelu"]


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x): the approximation that CLIP was trained with."""

    def forward(self, features: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        return features * (1.702 * features).sigmoid()


def make_activation(name: Activation) -> nn.Module:
    """OpenAI's towers have "quick-gelu", most of open_clip's have "gelu"."""
    return QuickGELU() if name == "quick-gelu" else nn.GELU()


class Mlp(nn.Module):
    """Widen four times, bend, narrow again."""

    def __init__(self, dim: int, *, activation: Activation = "quick-gelu") -> None:
        super().__init__()
        self.expand = nn.Linear(dim, 4 * dim)
        self.activation = make_activation(activation)
        self.contract = nn.Linear(4 * dim, dim)

    def forward(self, tokens: Float[Tensor, "*any dim"]) -> Float[Tensor, "*any dim"]:
        return self.contract(self.activation(self.expand(tokens)))
