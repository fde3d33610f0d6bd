"""The two-layer perceptron of a CLIP block and CLIP's activation."""

from jaxtyping import Float
from torch import Tensor, nn


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x): the approximation that CLIP was trained with."""

    def forward(self, features: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        return features * (1.702 * features).sigmoid()


class Mlp(nn.Module):
    """Widen four times, bend, narrow again."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.expand = nn.Linear(dim, 4 * dim)
        self.activation = QuickGELU()
        self.contract = nn.Linear(4 * dim, dim)

    def forward(self, tokens: Float[Tensor, "*any dim"]) -> Float[Tensor, "*any dim"]:
        return self.contract(self.activation(self.expand(tokens)))
