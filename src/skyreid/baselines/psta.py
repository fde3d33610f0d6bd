"""PSTA: frames are merged two by two, level by level, by attention that asks what neighbours have in common.

Source: Y. Wang et al., Pyramid Spatial-Temporal Aggregation for Video-based Person Re-Identification,
ICCV 2021. Original: WangYQ9/VideoReID_PSTA, no licence; written anew from a description of what it
computes.

Each of three levels halves the number of frames. Where the frames of a pair are alike decides what of
them is kept, once by the relations between the two (`FramePairAttention`) and once by those inside each
(`FrameAttention`).

No quirk of the release is known, so the presets are the same. Which frames share a batch of a
normalisation in training is described only by "for consecutive pairs": what sees a pair is called pair
after pair, what sees one frame is called with all frames at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.baselines.baseline import PAPER_SIZE, Baseline, Preset
from skyreid.baselines.clip_size import refuse_other_clips
from skyreid.baselines.heads import make_classifier, make_neck
from skyreid.baselines.psta_levels import AggregationLevel, convolution_unit
from skyreid.baselines.published_names import PublishedNames
from skyreid.baselines.resnet50_frames import ResNet50Frames, map_size, resnet50_names
from skyreid.errors import SettingError
from skyreid.losses.triplet import TripletConfig, batch_hard_triplet

BACKBONE_FEATURE = 2048
FEATURE = 1024
LEVELS = 3
LABEL_SMOOTHING = 0.1
TRIPLET = TripletConfig(margin=0.3, form="hinge", distance="cosine")


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
