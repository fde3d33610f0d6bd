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

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.baselines.baseline import PAPER_SIZE, Baseline, Preset
from skyreid.baselines.grl_blocks import (
    ATTENTION,
    CHANNELS,
    GlobalGuidedMask,
    PairVerification,
    ReciprocalLearning,
    SelfAttentionPooling,
)
from skyreid.baselines.published_names import PublishedNames
from skyreid.baselines.resnet50_frames import ResNet50Frames, resnet50_names
from skyreid.errors import SettingError
from skyreid.losses.instance_matching import instance_matching, update_table
from skyreid.losses.pair_verification import pair_verification
from skyreid.losses.triplet import TripletConfig, batch_hard_triplet

VERIFICATION_WEIGHT = 20.0
FEWEST_TRAINED = 4
"""Clips of two pairs; the scores of a single one have no statistics to be normalised by."""
TRIPLET = TripletConfig(form="soft", distance="euclidean")


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
