"""What the blocks of both CLIP towers are made of: self-attention and the two-layer perceptron."""

from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from skyreid.models.training_kernels import attend, quick_gelu


class SelfAttention(nn.Module):
    """Multi-head self-attention: tokens attend to themselves, or to `context` when it is given.

    The platform-bridge prompt and the class-token-only last block are both "fewer queries than
    keys", so queries have a projection of their own; the release packs all three into one.

    Args:
        dim: channels of the tokens.
        heads: attention heads; must divide `dim`.

    Raises:
        ValueError: `heads` does not divide `dim`.
    """

    def __init__(self, dim: int, *, heads: int) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"heads must divide dim; got dim={dim}, heads={heads}")
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)
        # torch.nn.MultiheadAttention's start: Xavier over the packed weight, biases zero.
        packed = nn.init.xavier_uniform_(torch.empty(3 * dim, dim))
        with torch.no_grad():
            self.query.weight.copy_(packed[:dim])
            self.key_value.weight.copy_(packed[dim:])
        for linear in (self.query, self.key_value, self.out):
            nn.init.zeros_(linear.bias)

    def forward(
        self,
        tokens: Float[Tensor, "batch token dim"],
        context: Float[Tensor, "batch source dim"] | None = None,
        *,
        causal: bool = False,
    ) -> Float[Tensor, "batch token dim"]:
        query = rearrange(self.query(tokens), "batch token (head inner) -> batch head token inner", head=self.heads)
        key, value = rearrange(
            self.key_value(tokens if context is None else context),
            "batch source (two head inner) -> two batch head source inner",
            two=2,
            head=self.heads,
        )
        mixed = attend(query, key, value, causal=causal)
        return self.out(rearrange(mixed, "batch head token inner -> batch token (head inner)"))

    def weights(
        self, tokens: Float[Tensor, "batch token dim"], context: Float[Tensor, "batch source dim"]
    ) -> Float[Tensor, "batch token source"]:
        """How much each token looks at each source, averaged over the heads; rows sum to 1."""
        query = rearrange(self.query(tokens), "batch token (head inner) -> batch head token inner", head=self.heads)
        key = rearrange(
            self.key_value(context)[..., : self.query.out_features],
            "batch source (head inner) -> batch head source inner",
            head=self.heads,
        )
        return (query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5).softmax(dim=-1).mean(dim=1)


Activation = Literal["quick-gelu", "gelu"]


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x): the approximation that CLIP was trained with."""

    def forward(self, features: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        return quick_gelu(features)


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
