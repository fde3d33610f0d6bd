"""SINet: what the first frames of a clip show saliently is faded out of the others, so that these look elsewhere.

Source: S. Bai et al., Salient-to-Broad Transition for Video Person Re-identification, CVPR 2022.
Original: baist/SINet, MIT; written anew from a description of what it computes.

Three salient-to-broad parts (SBM) in stage 3 take one, two and three of four frames for the salient
ones; two parts in stage 2 (IDM) tell every position of the clip of all others before.

Deviation: `SinetConfig.conv_bias`, `.stem_pool_padding`; frames are a batch, so the backbone has no
3-D kernels.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.baselines.baseline import PAPER_SIZE, Baseline, Preset
from skyreid.baselines.clip_size import refuse_other_clips
from skyreid.baselines.heads import make_classifier, make_neck
from skyreid.baselines.published_names import PublishedNames
from skyreid.baselines.resnet50_frames import Place, ResNet50Config, ResNet50Frames, map_size, resnet50_names
from skyreid.baselines.sinet_blocks import GROUP, KERNEL_SIDE, IntegrationDistribution, SalientToBroad
from skyreid.errors import SettingError
from skyreid.losses.frame_contrast import frame_contrast
from skyreid.losses.triplet import TripletConfig, batch_hard_triplet

FEATURE = 2048
CONTRAST_WEIGHT = 0.001
CONTRASTED = 4
"""Groups of an identity whose frames are contrasted: four clips of 4 frames, or the halves of two clips of 8."""
TRIPLET = TripletConfig(margin=0.3, form="hinge", distance="cosine")


@dataclass(frozen=True, kw_only=True)
class SinetConfig:
    num_classes: int
    """Training identities."""
    frames: int
    """Of a clip: 4, or 8 as two groups of 4 that only the salient-to-broad parts keep apart."""
    image_size: tuple[int, int] = PAPER_SIZE
    """(height, width) of the frames."""
    conv_bias: bool = True
    """Biases on the convolutions of the backbone, random at the start, as released; ImageNet's has none."""
    stem_pool_padding: int = 0
    """Of the first max-pool: 0 as released, 1 in the ResNet-50 that the paper names."""

    def __post_init__(self) -> None:
        if self.frames not in (GROUP, 2 * GROUP):
            raise SettingError(f"sinet: a clip has {GROUP} or {2 * GROUP} frames; got {self.frames}")
        if min(self.map_size(3)) < KERNEL_SIDE:
            raise SettingError(
                f"sinet: frames must leave {KERNEL_SIDE} x {KERNEL_SIDE} features or more after stage 3; "
                f"got image_size={self.image_size}"
            )

    def map_size(self, stage: int) -> tuple[int, int]:
        """(height, width) of the features that leave a stage."""
        return map_size(self.image_size, stage, stem_pool_padding=self.stem_pool_padding)


class Sinet(Baseline):
    """Clips of the length and size that it was built for."""

    training_only = ("classifier.", "projection.")

    def __init__(self, config: SinetConfig) -> None:
        super().__init__()
        self.embed_dim = FEATURE
        self.image_size = config.image_size
        self.frames = config.frames
        height, width = config.map_size(2)

        def parts(place: Place) -> nn.Module | None:
            if place.block % 2 == 0:
                return None
            if place.stage == 2:
                return IntegrationDistribution(place.channels, config.frames * height * width)
            if place.stage == 3:
                return SalientToBroad(place.channels, num_salient=(place.block + 1) // 2)
            return None

        self.backbone = ResNet50Frames(
            ResNet50Config(conv_bias=config.conv_bias, stem_pool_padding=config.stem_pool_padding), after_block=parts
        )
        self.neck = make_neck(FEATURE, trains_bias=True, weight_std=0.02)
        self.classifier = make_classifier(FEATURE, config.num_classes, bias=True)
        self.projection = nn.Linear(FEATURE, FEATURE)

    def forward(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"] | None = None
    ) -> dict[str, Tensor]:
        refuse_other_clips("sinet", frames, frames=self.frames, image_size=self.image_size)
        features = self.backbone(rearrange(frames, "clip frame c h w -> (clip frame) c h w"), self.frames)
        pooled = rearrange(features.amax(dim=(2, 3)), "(clip frame) channel -> clip frame channel", frame=self.frames)
        if not self.training:
            frame_features = self._normed_frames(pooled)
            return {"frame_features": frame_features, "embedding": frame_features.mean(dim=1)}
        # The neck's running statistics follow both of its calls, in this order.
        feature = self.neck(pooled.mean(dim=1))
        projections = self.projection(self._normed_frames(pooled))
        return {"feature": feature, "logits": self.classifier(feature), "projections": projections}

    def _normed_frames(self, pooled: Float[Tensor, "clip frame channel"]) -> Float[Tensor, "clip frame channel"]:
        normed = self.neck(rearrange(pooled, "clip frame channel -> clip channel frame"))
        return rearrange(normed, "clip channel frame -> clip frame channel")

    def losses(self, outputs: Mapping[str, Tensor], labels: Int[Tensor, " clip"]) -> dict[str, Float[Tensor, ""]]:
        return {
            "identity": functional.cross_entropy(outputs["logits"], labels),
            "triplet": batch_hard_triplet(outputs["feature"], labels, TRIPLET),
            "contrast": CONTRAST_WEIGHT * self._contrast(outputs["projections"], labels),
        }

    def _contrast(
        self, projections: Float[Tensor, "clip frame channel"], labels: Int[Tensor, " clip"]
    ) -> Float[Tensor, ""]:
        """Contrast the frames of four groups of an identity, or of two where the batch has no four."""
        groups = rearrange(projections, "clip (half frame) channel -> (clip half) frame channel", frame=GROUP)
        _, clips = labels.unique_consecutive(return_counts=True)
        block = math.gcd(CONTRASTED, *(clips * (self.frames // GROUP)).tolist())
        return frame_contrast(groups, clips_per_identity=block)

    def published_names(self) -> PublishedNames:
        return resnet50_names(lambda name: (f"backbone.{name}",))


def build_sinet(
    *, num_classes: int, frames: int, preset: Preset = "release", image_size: tuple[int, int] = PAPER_SIZE
) -> Sinet:
    """SINet for clips of 4 or 8 frames."""
    released = preset == "release"
    return Sinet(
        SinetConfig(
            num_classes=num_classes,
            frames=frames,
            image_size=image_size,
            conv_bias=released,
            stem_pool_padding=0 if released else 1,
        )
    )
