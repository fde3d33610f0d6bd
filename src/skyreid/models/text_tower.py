"""CLIP's text tower, run only over the positions that can matter.

The tower is causal and its feature is read at the end-of-text token, so what follows that token
changes nothing (METHOD section 3, exact to 2e-6): sentences end with it here instead of being
padded to 77 positions.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skyreid.errors import SettingError
from skyreid.models.transformer import Activation, Mlp, SelfAttention

HEAD_WIDTH = 64


@dataclass(frozen=True, kw_only=True)
class TextTowerConfig:
    width: int = 512
    """Channels; a multiple of 64 (the heads are 64 wide)."""
    layers: int = 12
    activation: Activation = "quick-gelu"
    """As in the image tower that it was trained with."""
    context_length: int = 77
    """Rows of the position table: the longest sentence."""

    def __post_init__(self) -> None:
        if self.width % HEAD_WIDTH:
            raise SettingError(f"text tower width must be a multiple of {HEAD_WIDTH}; got {self.width}")


class TextBlock(nn.Module):
    """One causal transformer block."""

    def __init__(self, dim: int, *, activation: Activation = "quick-gelu") -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(dim)
        self.attention = SelfAttention(dim, heads=dim // HEAD_WIDTH)
        self.norm_mlp = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, activation=activation)

    def forward(self, tokens: Float[Tensor, "sentence token dim"]) -> Float[Tensor, "sentence token dim"]:
        tokens = tokens + self.attention(self.norm_attention(tokens), causal=True)
        return tokens + self.mlp(self.norm_mlp(tokens))


class TextTower(nn.Module):
    """Embedded sentences, each ending with the end-of-text token, to text features."""

    def __init__(self, config: TextTowerConfig, *, embed_dim: int) -> None:
        super().__init__()
        self.position_table = nn.Parameter(0.01 * torch.randn(config.context_length, config.width))
        self.blocks = nn.ModuleList(TextBlock(config.width, activation=config.activation) for _ in range(config.layers))
        self.norm_final = nn.LayerNorm(config.width)
        self.projection = nn.Parameter(config.width**-0.5 * torch.randn(config.width, embed_dim))

    def forward(
        self, sentences: Float[Tensor, "sentence token dim"], lengths: Int[Tensor, " sentence"] | None = None
    ) -> Float[Tensor, "sentence embed"]:
        """Encode; the features are not normalised.

        Args:
            sentences: embedded tokens.
            lengths: tokens of each sentence, the end-of-text token included; None = all of them. What follows
                is never looked at.
        """
        tokens = sentences + self.position_table[: sentences.shape[1]]
        for block in self.blocks:
            tokens = block(tokens)
        ends = tokens[:, -1] if lengths is None else tokens[torch.arange(len(tokens)), lengths - 1]
        return self.norm_final(ends) @ self.projection
