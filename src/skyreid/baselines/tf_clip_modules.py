"""The two modules of TF-CLIP: frames that tell each other what they show, and memories made to fit a clip.

Source: see `skyreid.baselines.tf_clip`.
"""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from skyreid.models.attention import SelfAttention
from skyreid.models.mlp import Mlp, QuickGELU

HEAD_WIDTH = 64
DECODER_LAYERS = 2
DROPOUT = 0.1


class MemoryDiffusion(nn.Module):
    """Temporal memory diffusion: every frame sends a message, hears those of its clip and takes in what it heard."""

    def __init__(self, dim: int, *, heads: int) -> None:
        super().__init__()
        self.message = nn.Linear(dim, dim)
        self.norm_message = nn.LayerNorm(dim)
        self.message_attention = SelfAttention(dim, heads=heads)
        self.norm_attention = nn.LayerNorm(dim)
        self.attention = SelfAttention(dim, heads=heads)
        self.norm_mlp = nn.LayerNorm(dim)
        self.mlp = Mlp(dim)

    def forward(self, tokens: Float[Tensor, "clip frame token dim"]) -> Float[Tensor, "clip frame token_and_1 dim"]:
        """Give a frame's tokens and, behind them, its message."""
        messages = self.message(tokens.mean(dim=2))
        messages = messages + self.message_attention(self.norm_message(messages))
        together = torch.cat([tokens, rearrange(messages, "clip frame dim -> clip frame 1 dim")], dim=2)
        stream = rearrange(together, "clip frame token dim -> (clip frame) token dim")
        stream = stream + self.attention(self.norm_attention(stream))
        stream = stream + self.mlp(self.norm_mlp(stream))
        return rearrange(stream, "(clip frame) token dim -> clip frame token dim", clip=tokens.shape[0])


class DecoderAttention(nn.Module):
    """Multi-head attention of tokens to a context, without biases before the last projection."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.query = nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        self.out = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(
        self, tokens: Float[Tensor, "clip token dim"], context: Float[Tensor, "clip source dim"]
    ) -> Float[Tensor, "clip token dim"]:
        query, key, value = (
            rearrange(made, "clip token (head inner) -> clip head token inner", inner=HEAD_WIDTH)
            for made in (self.query(tokens), self.key(context), self.value(context))
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.dropout(self.out(rearrange(mixed, "clip head token inner -> clip token (head inner)")))


class DecoderLayer(nn.Module):
    """Memories look at each other, then at the clip."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm_self = nn.LayerNorm(dim)
        self.self_attention = DecoderAttention(dim)
        self.norm_cross = nn.LayerNorm(dim)
        self.cross_attention = DecoderAttention(dim)
        self.norm_mlp = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim, 4 * dim), QuickGELU(), nn.Dropout(DROPOUT), nn.Linear(4 * dim, dim), nn.Dropout(DROPOUT)
        )

    def forward(
        self, memories: Float[Tensor, "clip identity dim"], seen: Float[Tensor, "clip token dim"]
    ) -> Float[Tensor, "clip identity dim"]:
        normed = self.norm_self(memories)
        memories = memories + self.self_attention(normed, normed)
        memories = memories + self.cross_attention(self.norm_cross(memories), seen)
        return memories + self.mlp(self.norm_mlp(memories))


class SequencePrompt(nn.Module):
    """Sequence-specific prompt: what to add to the memories of the identities, given what a clip shows.

    Args:
        dim: of memories and tokens, a multiple of 64 (the heads are 64 wide).
        unused_members: see `skyreid.baselines.tf_clip.TfClipConfig`.
    """

    def __init__(self, dim: int, *, unused_members: bool = True) -> None:
        super().__init__()
        self.seen = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.LayerNorm(dim))
        self.memories = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim))
        self.layers = nn.ModuleList(DecoderLayer(dim) for _ in range(DECODER_LAYERS))
        self.out = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim))
        self.unused = nn.ModuleDict()
        if unused_members:
            self.unused.register_parameter("alpha", nn.Parameter(torch.ones(dim)))
            self.unused["norm"] = nn.LayerNorm(dim)

    def forward(
        self, memories: Float[Tensor, "clip identity dim"], tokens: Float[Tensor, "clip token dim"]
    ) -> Float[Tensor, "clip identity dim"]:
        stream, seen = self.memories(memories), self.seen(tokens)
        for layer in self.layers:
            stream = layer(stream, seen)
        return self.out(stream)
