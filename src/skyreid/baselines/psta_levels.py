"""One level of PSTA's pyramid: of each two frames that follow each other it makes one.

An attention map judges a position by its relations: how it is related to all positions (one channel for
each), beside how all positions are related to it, which for relations that are not symmetric differs.

Source: see `psta`.
"""

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

RELATION = 128
EMBEDDING = 128
HIDDEN = 256


def convolution_unit(in_channels: int, out_channels: int, size: int = 1) -> nn.Sequential:
    """Convolution, normalisation, ReLU."""
    return nn.Sequential(*_normed(in_channels, out_channels, size), nn.ReLU())


def _normed(in_channels: int, out_channels: int, size: int = 1) -> tuple[nn.Module, nn.Module]:
    convolution = nn.Conv2d(in_channels, out_channels, size, padding=size // 2, bias=False)
    return convolution, nn.BatchNorm2d(out_channels)


def _attention_map(in_channels: int) -> nn.Sequential:
    return nn.Sequential(*_normed(in_channels, 1), nn.Sigmoid())


def _channel_gate(in_dim: int, channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(in_dim, RELATION), nn.ReLU(), nn.Linear(RELATION, channels), nn.Sigmoid())


def _relations(
    ours: Float[Tensor, "image dim height width"], theirs: Float[Tensor, "image dim height width"]
) -> Float[Tensor, "image our_position their_position"]:
    return torch.einsum("idp,idq->ipq", ours.flatten(2), theirs.flatten(2))


def _incoming(
    relations: Float[Tensor, "image our_position their_position"], height: int
) -> Float[Tensor, "image channel height width"]:
    """A map over our positions; their positions are the channels."""
    return rearrange(relations, "image (h w) channel -> image channel h w", h=height)


def _outgoing(
    relations: Float[Tensor, "image our_position their_position"], height: int
) -> Float[Tensor, "image channel height width"]:
    """A map over their positions; ours are the channels."""
    return rearrange(relations, "image channel (h w) -> image channel h w", h=height)


class FramePairAttention(nn.Module):
    """Merges two frames by the relations between their positions; TRA in the paper."""

    def __init__(self, channels: int, map_shape: tuple[int, int]) -> None:
        super().__init__()
        self.asked = convolution_unit(channels, RELATION)
        self.answering = convolution_unit(channels, RELATION)
        self.relation = convolution_unit(2 * math.prod(map_shape), RELATION)
        self.appearance = convolution_unit(2 * EMBEDDING, RELATION)
        self.attention = _attention_map(2 * RELATION)
        self.summary = nn.Linear(channels, RELATION, bias=False)
        self.gate = _channel_gate(2 * RELATION, channels)

    def forward(
        self,
        features: Float[Tensor, "clip frame channel height width"],
        embedded: Float[Tensor, "clip frame dim height width"],
    ) -> Float[Tensor, "clip pair channel height width"]:
        num_frames = features.shape[1]
        images = rearrange(features, "clip frame channel h w -> (clip frame) channel h w")
        asked, answering = (
            rearrange(part(images), "(clip frame) dim h w -> frame clip dim h w", frame=num_frames)
            for part in (self.asked, self.answering)
        )
        summary = rearrange(self.summary(features.mean(dim=(3, 4))).relu(), "clip frame dim -> frame clip dim")
        pairs: list[Tensor] = []
        # Pair after pair, and forth before back: each is a batch of its own for the normalisations.
        for first in range(0, num_frames, 2):
            second = first + 1
            forth = _relations(asked[first], answering[second])
            back = _relations(asked[second], answering[first])
            kept = [
                self._gate(summary[ours], summary[theirs])
                * self._attend(embedded[:, ours], embedded[:, theirs], incoming, outgoing)
                * features[:, ours]
                for ours, theirs, incoming, outgoing in ((first, second, forth, back), (second, first, back, forth))
            ]
            pairs.append((kept[0] + kept[1]).relu().square())
        return torch.stack(pairs, dim=1)

    def _gate(
        self, ours: Float[Tensor, "clip dim"], theirs: Float[Tensor, "clip dim"]
    ) -> Float[Tensor, "clip channel 1 1"]:
        return self.gate(torch.cat([ours, theirs], dim=1))[:, :, None, None]

    def _attend(
        self,
        our_embedding: Float[Tensor, "clip dim height width"],
        their_embedding: Float[Tensor, "clip dim height width"],
        incoming: Float[Tensor, "clip our_position their_position"],
        outgoing: Float[Tensor, "clip their_position our_position"],
    ) -> Float[Tensor, "clip 1 height width"]:
        """How much of each position of our frame to keep."""
        height = our_embedding.shape[2]
        relation = self.relation(torch.cat([_incoming(incoming, height), _outgoing(outgoing, height)], dim=1))
        appearance = self.appearance(torch.cat([our_embedding, their_embedding], dim=1))
        return self.attention(torch.cat([appearance, relation], dim=1))


class FrameAttention(nn.Module):
    """Weighs a frame by the relations inside it; SRA in the paper."""

    def __init__(self, channels: int, map_shape: tuple[int, int]) -> None:
        super().__init__()
        self.asked = convolution_unit(channels, RELATION)
        self.answering = convolution_unit(channels, RELATION)
        self.relation = convolution_unit(2 * math.prod(map_shape), RELATION)
        self.attention = nn.Sequential(convolution_unit(EMBEDDING + RELATION, RELATION), _attention_map(RELATION))
        self.gate = _channel_gate(channels, channels)

    def forward(
        self,
        features: Float[Tensor, "image channel height width"],
        embedded: Float[Tensor, "image dim height width"],
    ) -> Float[Tensor, "image channel height width"]:
        height = features.shape[2]
        relations = _relations(self.asked(features), self.answering(features))
        relation = self.relation(torch.cat([_incoming(relations, height), _outgoing(relations, height)], dim=1))
        attention = self.attention(torch.cat([embedded, relation], dim=1))
        return self.gate(features.mean(dim=(2, 3)))[:, :, None, None] * attention * features


class AggregationLevel(nn.Module):
    """Halves the number of frames.

    Args:
        channels: of the features, before and after.
        map_shape: (height, width) of the features; relations have a channel for each position.
    """

    def __init__(self, channels: int, map_shape: tuple[int, int]) -> None:
        super().__init__()
        self.embedding = nn.Sequential(convolution_unit(channels, HIDDEN), convolution_unit(HIDDEN, EMBEDDING))
        self.pair_attention = FramePairAttention(channels, map_shape)
        self.frame_attention = FrameAttention(channels, map_shape)
        self.out = nn.Sequential(
            convolution_unit(channels, HIDDEN), convolution_unit(HIDDEN, HIDDEN, 3), convolution_unit(HIDDEN, channels)
        )

    def forward(
        self, features: Float[Tensor, "clip frame channel height width"]
    ) -> Float[Tensor, "clip pair channel height width"]:
        clip = features.shape[0]
        images = rearrange(features, "clip frame channel h w -> (clip frame) channel h w")
        embedded = self.embedding(images)
        weighed = rearrange(
            self.frame_attention(images, embedded),
            "(clip pair two) channel h w -> two clip pair channel h w",
            clip=clip,
            two=2,
        )
        between = self.pair_attention(
            features, rearrange(embedded, "(clip frame) dim h w -> clip frame dim h w", clip=clip)
        )
        merged = between + (weighed[0] + weighed[1]).relu()
        out = self.out(rearrange(merged, "clip pair channel h w -> (clip pair) channel h w"))
        return rearrange(out, "(clip pair) channel h w -> clip pair channel h w", clip=clip)
