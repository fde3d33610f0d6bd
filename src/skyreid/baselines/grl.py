"""GRL: what the frames of a clip have in common is told from what they do not, and both learn from each other.

Source: X. Liu et al., Watching You: Global-guided Reciprocal Learning for Video-based Person
Re-identification, CVPR 2021. Original: flysnowtiger/GRL, no licence; written anew from a description of
what it computes.

A mask that has seen the whole clip cuts every frame's features in two (`GlobalGuidedMask`). Two walks over
the frames, there and back, gather the uncorrelated ones in a memory and strengthen the correlated ones where
they differ from it (`ReciprocalLearning`). Identities are learned by online instance matching, from tables
that are no parameters, and by the verification of pairs.

Deviation: `GrlConfig` has the released quirks that can be turned off. Embeddings are compared by the cosine, as
those of all methods here; the release takes the dot product. The tables are updated as soon as the losses are
computed, from the tables as they were; the release updates them in the backward pass. Not described, so chosen
by us: pooled features reach the table before those of frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from einops import rearrange, reduce, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.baselines.baseline import PAPER_SIZE, Baseline, Preset, PublishedNames
from skyreid.baselines.resnet50_frames import ResNet50Frames, resnet50_names
from skyreid.errors import SettingError
from skyreid.losses import TripletConfig, batch_hard_triplet

VERIFICATION_WEIGHT = 20.0
FEWEST_TRAINED = 4
"""Clips of two pairs; the scores of a single one have no statistics to be normalised by."""
TRIPLET = TripletConfig(form="soft", distance="euclidean")
CHANNELS = 2048
SUMMARY = 1024
MASK_HIDDEN = 256
MEMORY_HIDDEN = 512
GATE_HIDDEN = 128
ATTENTION = 512


@dataclass(frozen=True, kw_only=True)
class GrlConfig:
    num_classes: int
    """Training identities: rows of the tables."""
    image_size: tuple[int, int] = PAPER_SIZE
    """(height, width) of the frames; any will do."""
    verifies_uncorrelated: bool = False
    """Pairs are verified by the uncorrelated features too. The release has the head for it, computes the loss
    and drops it; "clean" takes the head for meant."""
    unused_members: bool = True
    """Members that the release builds and nothing reads: a projection of the pooling's values and its
    normalisation. With them the released weights all have a place and the parameters are as many."""


class Grl(Baseline):
    """Clips of any length; in training a probe and a gallery clip of one person next to each other."""

    training_only = ("verification.", "uncorrelated_verification.", "unused.")

    def __init__(self, config: GrlConfig) -> None:
        super().__init__()
        self.verifies_uncorrelated = config.verifies_uncorrelated
        self.embed_dim = 3 * CHANNELS
        self.image_size = config.image_size
        self.backbone = ResNet50Frames()
        self.disentangling = GlobalGuidedMask()
        self.reciprocal = ReciprocalLearning()
        self.correlated_norm = nn.BatchNorm1d(CHANNELS)
        self.uncorrelated_norm = nn.BatchNorm1d(CHANNELS)
        self.pooling = SelfAttentionPooling()
        self.verification = PairVerification()
        self.uncorrelated_verification = PairVerification()
        self.unused = nn.ModuleDict()
        if config.unused_members:
            self.unused["value"] = nn.Linear(CHANNELS, ATTENTION)
            self.unused["value_norm"] = nn.BatchNorm1d(ATTENTION)
        for table in ("table", "uncorrelated_table"):
            self.register_buffer(table, torch.zeros(config.num_classes, CHANNELS))

    def forward(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"] | None = None
    ) -> dict[str, Tensor]:
        clips, num_frames = frames.shape[:2]
        if self.training and (clips % 2 or clips < FEWEST_TRAINED):
            raise SettingError(
                f"grl: a training batch is two or more pairs of a probe and a gallery clip; got {clips} clips"
            )
        features = self.backbone(rearrange(frames, "clip frame c h w -> (clip frame) c h w"), num_frames)
        parts = self.disentangling(features, num_frames)
        correlated, uncorrelated = (
            rearrange(part, "(clip frame) channel h w -> clip frame channel h w", frame=num_frames)
            for part in (parts.correlated, parts.uncorrelated)
        )
        raw_feature, raw_frame_features = self.reciprocal(correlated, uncorrelated)
        feature = functional.normalize(self.uncorrelated_norm(raw_feature))
        frame_features = rearrange(
            functional.normalize(
                self.correlated_norm(rearrange(raw_frame_features, "clip frame channel -> (clip frame) channel"))
            ),
            "(clip frame) channel -> clip frame channel",
            frame=num_frames,
        )
        pooled = self._pool(frame_features)
        outputs = {"uncorrelated_feature": feature, "frame_features": frame_features}
        if not self.training:
            return outputs | {"embedding": torch.cat([feature, pooled, frame_features.mean(dim=1)], dim=1)}
        return outputs | {
            "pooled_feature": pooled,
            "pair_scores": self.verification(pooled[0::2], pooled[1::2]),
            "uncorrelated_pair_scores": self.uncorrelated_verification(feature[0::2], feature[1::2]),
        }

    def _pool(self, frame_features: Float[Tensor, "clip frame channel"]) -> Float[Tensor, "clip channel"]:
        """Pool the frames of each clip.

        In training all probes first and then all gallery clips, as released: queries and keys are normalised
        within each half, and the statistics move twice a step.
        """
        if not self.training:
            return self.pooling(frame_features)
        probes, gallery = self.pooling(frame_features[0::2]), self.pooling(frame_features[1::2])
        return rearrange([probes, gallery], "two pair channel -> (pair two) channel")

    def losses(self, outputs: Mapping[str, Tensor], labels: Int[Tensor, " clip"]) -> dict[str, Float[Tensor, ""]]:
        """See `Baseline`; the tables learn from the outputs, once a call.

        Raises:
            SettingError: neighbours in the batch that do not show the same person.
        """
        probes, gallery = labels[0::2], labels[1::2]
        if not torch.equal(probes, gallery):
            raise SettingError(
                "grl: a training batch is pairs of a probe and a gallery clip of one person; got the labels "
                f"{labels.tolist()}: an even number of tracklets an identity makes pairs"
            )
        frame_features = rearrange(outputs["frame_features"], "clip frame channel -> (clip frame) channel")
        frame_labels = labels.repeat_interleave(outputs["frame_features"].shape[1])
        pooled, uncorrelated = outputs["pooled_feature"], outputs["uncorrelated_feature"]
        table, uncorrelated_table = self.get_buffer("table"), self.get_buffer("uncorrelated_table")
        terms = {
            "frame_identity": instance_matching(frame_features, frame_labels, table),
            "identity": instance_matching(pooled, labels, table),
            "verification": VERIFICATION_WEIGHT * _verify(outputs["pair_scores"], probes, gallery),
            "triplet": batch_hard_triplet(pooled, labels, TRIPLET),
            "uncorrelated_identity": instance_matching(uncorrelated, labels, uncorrelated_table),
        }
        if self.verifies_uncorrelated:
            terms["uncorrelated_verification"] = VERIFICATION_WEIGHT * _verify(
                outputs["uncorrelated_pair_scores"], probes, gallery
            )
        # The last loss first, as a backward pass would.
        update_table(uncorrelated_table, uncorrelated, labels)
        update_table(table, pooled, labels)
        update_table(table, frame_features, frame_labels)
        return terms

    def published_names(self) -> PublishedNames:
        return resnet50_names(lambda name: (f"backbone.{name}",))


def _verify(
    scores: Float[Tensor, "probe gallery 2"], probes: Int[Tensor, " probe"], gallery: Int[Tensor, " gallery"]
) -> Float[Tensor, ""]:
    return pair_verification(scores[..., 1] - scores[..., 0], probes, gallery)


def build_grl(
    *, num_classes: int, frames: int, preset: Preset = "release", image_size: tuple[int, int] = PAPER_SIZE
) -> Grl:
    """GRL; clips of any length, so `frames` changes nothing."""
    is_clean = preset == "clean"
    return Grl(
        GrlConfig(
            num_classes=num_classes,
            image_size=image_size,
            verifies_uncorrelated=is_clean,
            unused_members=not is_clean,
        )
    )


class Disentangled(NamedTuple):
    correlated: Float[Tensor, "image channel height width"]
    """What belongs to the whole clip."""
    uncorrelated: Float[Tensor, "image channel height width"]
    """The rest."""
    mask: Float[Tensor, "image 1 height width"]


class GlobalGuidedMask(nn.Module):
    """Every position is compared with a summary of the clip."""

    def __init__(self) -> None:
        super().__init__()
        self.summary = nn.Sequential(nn.Linear(CHANNELS, SUMMARY), nn.BatchNorm1d(SUMMARY), nn.ReLU())
        self.mask = nn.Sequential(
            _convolution(CHANNELS + SUMMARY, SUMMARY),
            nn.BatchNorm2d(SUMMARY),  # no ReLU behind it, as released
            _convolution(SUMMARY, MASK_HIDDEN),
            nn.BatchNorm2d(MASK_HIDDEN),
            nn.ReLU(),
            _convolution(MASK_HIDDEN, 1),
            nn.BatchNorm2d(1),
            nn.Sigmoid(),
        )

    def forward(self, features: Float[Tensor, "image channel height width"], num_frames: int) -> Disentangled:
        height, width = features.shape[-2:]
        whole = reduce(features, "(clip frame) channel h w -> clip channel", "mean", frame=num_frames)
        summary = repeat(self.summary(whole), "clip dim -> (clip frame) dim h w", frame=num_frames, h=height, w=width)
        mask = self.mask(torch.cat([features, summary], dim=1))
        return Disentangled(features * mask, features * (1 - mask), mask)


class ReciprocalLearning(nn.Module):
    """Two walks, from the first frame on and from the last one back; their results are summed."""

    def __init__(self) -> None:
        super().__init__()
        self.onward = OneWay()
        self.back = OneWay()

    def forward(
        self,
        correlated: Float[Tensor, "clip frame channel height width"],
        uncorrelated: Float[Tensor, "clip frame channel height width"],
    ) -> tuple[Float[Tensor, "clip channel"], Float[Tensor, "clip frame channel"]]:
        """Give a clip's uncorrelated and its frames' correlated features."""
        onward_memory, onward = self.onward(correlated, uncorrelated)
        back_memory, back = self.back(correlated.flip(1), uncorrelated.flip(1))
        return onward_memory + back_memory, onward + back.flip(1)


class OneWay(nn.Module):
    """A walk over the frames of a clip with a memory of what they did not have in common.

    What a frame shares with its clip is strengthened in the channels in which it differs from the memory.
    """

    def __init__(self) -> None:
        super().__init__()
        self.memory_map = nn.Conv2d(CHANNELS, CHANNELS, 1)
        self.frame_map = nn.Conv2d(CHANNELS, CHANNELS, 1)
        self.gate = nn.Sequential(
            nn.Linear(CHANNELS, GATE_HIDDEN, bias=False),
            nn.ReLU(),
            nn.Linear(GATE_HIDDEN, CHANNELS, bias=False),
            nn.Sigmoid(),
        )
        self.update = MemoryUpdate()

    def forward(
        self,
        correlated: Float[Tensor, "clip frame channel height width"],
        uncorrelated: Float[Tensor, "clip frame channel height width"],
    ) -> tuple[Float[Tensor, "clip channel"], Float[Tensor, "clip frame channel"]]:
        """Give the mean of the last memory and the strengthened features, for frames in the order of the walk."""
        memory = uncorrelated.mean(dim=1)
        strengthened: list[Tensor] = []
        for shared, own in zip(correlated.unbind(dim=1), uncorrelated.unbind(dim=1), strict=True):
            difference = self.memory_map(memory).relu() - self.frame_map(shared).relu()
            strength = 1 + self.gate(difference.square().mean(dim=(2, 3)))
            strengthened.append(strength * shared.mean(dim=(2, 3)))
            memory = self.update(memory, own)
        return memory.mean(dim=(2, 3)), torch.stack(strengthened, dim=1)


class MemoryUpdate(nn.Module):
    """Takes what a frame has of its own into the memory: a bottleneck of 1 x 1 convolutions with a short cut."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _convolution(CHANNELS, MEMORY_HIDDEN)
        self.bn1 = nn.BatchNorm2d(MEMORY_HIDDEN)
        self.conv2 = _convolution(MEMORY_HIDDEN, MEMORY_HIDDEN)
        self.bn2 = nn.BatchNorm2d(MEMORY_HIDDEN)
        self.conv3 = _convolution(MEMORY_HIDDEN, CHANNELS)
        self.bn3 = nn.BatchNorm2d(CHANNELS)

    def forward(
        self, memory: Float[Tensor, "clip channel height width"], frame: Float[Tensor, "clip channel height width"]
    ) -> Float[Tensor, "clip channel height width"]:
        both = memory + frame
        inner = self.bn1(self.conv1(both)).relu()
        inner = self.bn2(self.conv2(inner)).relu()
        return (both + self.bn3(self.conv3(inner))).relu()


class SelfAttentionPooling(nn.Module):
    """Frames of a clip into one feature of length 1, by how much each is looked at by all."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(CHANNELS, ATTENTION)
        self.query_norm = nn.BatchNorm1d(ATTENTION)
        self.key = nn.Linear(CHANNELS, ATTENTION)
        self.key_norm = nn.BatchNorm1d(ATTENTION)

    def forward(self, frames: Float[Tensor, "clip frame channel"]) -> Float[Tensor, "clip channel"]:
        flat = rearrange(frames, "clip frame channel -> (clip frame) channel")
        query, key = (
            rearrange(functional.normalize(made), "(clip frame) dim -> clip frame dim", clip=frames.shape[0])
            for made in (self.query_norm(self.query(flat)), self.key_norm(self.key(flat)))
        )
        looked_at = (query @ key.mT).softmax(dim=-1).sum(dim=1)
        return functional.normalize(torch.einsum("cf,cfd->cd", looked_at, frames))


class PairVerification(nn.Module):
    """Scores "another" and "the same" for every probe with every gallery clip."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(CHANNELS)
        self.classifier = nn.Linear(CHANNELS, 2)

    def forward(
        self, probes: Float[Tensor, "probe channel"], gallery: Float[Tensor, "gallery channel"]
    ) -> Float[Tensor, "probe gallery 2"]:
        differences = (probes[:, None] - gallery[None, :]).square()
        scores = self.classifier(self.norm(rearrange(differences, "probe gallery channel -> (probe gallery) channel")))
        return rearrange(scores, "(probe gallery) score -> probe gallery score", probe=probes.shape[0])


def _convolution(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 1, bias=False)


def instance_matching(
    features: Float[Tensor, "row dim"],
    labels: Int[Tensor, " row"],
    table: Float[Tensor, "identity dim"],
    *,
    scale: float = 30.0,
) -> Float[Tensor, ""]:
    """Cross-entropy of the similarities with the table, times `scale`; features and table are normalised.

    The table learns by `update_table` and gets no gradient; it may be updated before the backward pass, since what that
    needs is kept.

    Source: T. Xiao et al., Joint Detection and Identification Feature Learning for Person Search, CVPR 2017.
    """
    return functional.cross_entropy(scale * features @ table.detach().clone().T, labels)


@torch.no_grad()
def update_table(
    table: Float[Tensor, "identity dim"],
    features: Float[Tensor, "row dim"],
    labels: Int[Tensor, " row"],
    *,
    momentum: float = 0.5,
) -> None:
    """Move, row after row, the table's entry of each label towards its feature, in place."""
    for feature, label in zip(features, labels.tolist(), strict=True):
        table[label] = functional.normalize(momentum * table[label] + (1 - momentum) * feature, dim=0)


def pair_verification(
    logits: Float[Tensor, "probe gallery"], probe_labels: Int[Tensor, " probe"], gallery_labels: Int[Tensor, " gallery"]
) -> Float[Tensor, ""]:
    """Binary cross-entropy over every probe with every gallery clip; the logits are log-odds of "the same"."""
    is_same = probe_labels[:, None] == gallery_labels[None, :]
    return functional.binary_cross_entropy_with_logits(logits, is_same.to(logits.dtype))
