"""PSTA: frames are merged two by two, level by level, by attention that asks what neighbours have in common.

Source: Y. Wang et al., Pyramid Spatial-Temporal Aggregation for Video-based Person Re-Identification,
ICCV 2021. Original: WangYQ9/VideoReID_PSTA, no licence; written anew from a description of what it
computes.

Each of three levels halves the number of frames. Where the frames of a pair are alike decides what of
them is kept, once by the relations between the two (`FramePairAttention`) and once by those inside each
(`FrameAttention`). An attention map judges a position by its relations: how it is related to all positions (one
channel for each), beside how all positions are related to it, which for relations that are not symmetric differs.

No quirk of the release is known, so the presets are the same. Which frames share a batch of a
normalisation in training is described only by "for consecutive pairs": what sees a pair is called pair
after pair, what sees one frame is called with all frames at once.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.baselines.baseline import PAPER_SIZE, Baseline, Preset, PublishedNames, refuse_other_clips
from skyreid.baselines.parts import make_classifier, make_neck
from skyreid.baselines.resnet50_frames import ResNet50Frames, map_size, resnet50_names
from skyreid.errors import SettingError
from skyreid.losses import TripletConfig, batch_hard_triplet

BACKBONE_FEATURE = 2048
FEATURE = 1024
LEVELS = 3
LABEL_SMOOTHING = 0.1
TRIPLET = TripletConfig(margin=0.3, form="hinge", distance="cosine")
RELATION = 128
EMBEDDING = 128
HIDDEN = 256


@dataclass(frozen=True, kw_only=True)
class PstaConfig:
    num_classes: int
    """Training identities."""
    frames: int
    """Frames a clip, halved three times."""
    image_size: tuple[int, int] = PAPER_SIZE
    """(height, width) of the frames; the relations have a channel for each position of their last map."""

    def __post_init__(self) -> None:
        if self.frames < 1 or self.frames % 2**LEVELS:
            raise SettingError(f"psta: the frames of a clip are halved {LEVELS} times; got {self.frames} frames")


class Psta(Baseline):
    """Clips of the length and size that it was built for."""

    training_only = ("necks.0.", "necks.1.", "classifiers.")

    def __init__(self, config: PstaConfig) -> None:
        super().__init__()
        self.embed_dim = FEATURE
        self.image_size = config.image_size
        self.frames = config.frames
        self.backbone = ResNet50Frames()
        self.reduce = convolution_unit(BACKBONE_FEATURE, FEATURE)
        map_shape = map_size(config.image_size, 4)
        self.levels = nn.ModuleList(AggregationLevel(FEATURE, map_shape) for _ in range(LEVELS))
        self.necks = nn.ModuleList(make_neck(FEATURE, trains_bias=False) for _ in range(LEVELS))
        self.classifiers = nn.ModuleList(make_classifier(FEATURE, config.num_classes, bias=True) for _ in range(LEVELS))

    def forward(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"] | None = None
    ) -> dict[str, Tensor]:
        refuse_other_clips("psta", frames, frames=self.frames, image_size=self.image_size)
        images = rearrange(frames, "clip frame c h w -> (clip frame) c h w")
        features = rearrange(
            self.reduce(self.backbone(images, self.frames)),
            "(clip frame) channel height width -> clip frame channel height width",
            frame=self.frames,
        )
        of_levels: list[Tensor] = []
        for level in self.levels:
            features = level(features)
            of_levels.append(features.mean(dim=(1, 3, 4)))
        up_to_level = [torch.stack(of_levels[: last + 1]).mean(dim=0) for last in range(LEVELS)]
        if not self.training:
            return {"embedding": self.necks[-1](up_to_level[-1])}
        normed = [neck(feature) for neck, feature in zip(self.necks, up_to_level, strict=True)]
        logits = [classifier(feature) for classifier, feature in zip(self.classifiers, normed, strict=True)]
        return {"feature": torch.stack(normed, dim=1), "logits": torch.stack(logits, dim=1)}

    def losses(self, outputs: Mapping[str, Tensor], labels: Int[Tensor, " clip"]) -> dict[str, Float[Tensor, ""]]:
        identity = [
            functional.cross_entropy(logits, labels, label_smoothing=LABEL_SMOOTHING)
            for logits in outputs["logits"].unbind(dim=1)
        ]
        triplet = [batch_hard_triplet(feature, labels, TRIPLET) for feature in outputs["feature"].unbind(dim=1)]
        return {"identity": torch.stack(identity).mean(), "triplet": torch.stack(triplet).mean()}

    def published_names(self) -> PublishedNames:
        return resnet50_names(lambda name: (f"backbone.{name}",))


def build_psta(
    *, num_classes: int, frames: int, preset: Preset = "release", image_size: tuple[int, int] = PAPER_SIZE
) -> Psta:
    """PSTA for clips whose length is a multiple of 8; `preset` changes nothing."""
    return Psta(PstaConfig(num_classes=num_classes, frames=frames, image_size=image_size))


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


def _attention_map(in_channels: int) -> nn.Sequential:
    return nn.Sequential(*_normed(in_channels, 1), nn.Sigmoid())


def _channel_gate(in_dim: int, channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(in_dim, RELATION), nn.ReLU(), nn.Linear(RELATION, channels), nn.Sigmoid())


def convolution_unit(in_channels: int, out_channels: int, size: int = 1) -> nn.Sequential:
    """Convolution, normalisation, ReLU."""
    return nn.Sequential(*_normed(in_channels, out_channels, size), nn.ReLU())


def _normed(in_channels: int, out_channels: int, size: int = 1) -> tuple[nn.Module, nn.Module]:
    convolution = nn.Conv2d(in_channels, out_channels, size, padding=size // 2, bias=False)
    return convolution, nn.BatchNorm2d(out_channels)


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
