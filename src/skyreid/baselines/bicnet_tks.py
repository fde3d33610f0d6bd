"""BiCnet-TKS: few frames of a clip in full, the others at half the size, and temporal kernels that fit the person.

Source: R. Hou et al., BiCnet-TKS: Learning Efficient Spatial-Temporal Representation for Video Person
Re-Identification, CVPR 2021. Original: blue-blue272/BiCnet-TKS, without a licence; written anew from a
description of what it computes.

Frames 0 and 4 make the high stream, the six others the low one. Both go through the same weights; after
each of the first three stages the high stream tells the low one, after the second temporal kernels are
chosen (TKS), after the third the three low frames behind a high one attend to different rows (DAO).

Deviation: `BicnetTksConfig.detached_mask`; frames are a batch, so the backbone has no 3-D kernels.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from einops import rearrange, reduce
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.baselines.baseline import PAPER_SIZE, Baseline, Preset
from skyreid.baselines.bicnet_blocks import (
    FRAMES,
    HIGH,
    LOW,
    DiverseAttention,
    HighToLow,
    TemporalKernelSelection,
)
from skyreid.baselines.clip_size import refuse_other_clips
from skyreid.baselines.heads import make_classifier, make_neck
from skyreid.baselines.published_names import PublishedNames
from skyreid.baselines.resnet50_frames import EXPANSION, STAGE_WIDTHS, ResNet50Frames, map_size, resnet50_names
from skyreid.errors import SettingError
from skyreid.losses.mask_divergence import mask_divergence
from skyreid.losses.triplet import TripletConfig, batch_hard_triplet

FEATURE = 2048
SIZE_STEP = 64
"""Kernel selection averages whole squares of 8 x 8 features, each of which is 64 x 64 pixels."""
TRIPLET = TripletConfig(margin=0.5, form="hinge", distance="cosine")
DIVERGENCE_WEIGHT = 0.01


@dataclass(frozen=True, kw_only=True)
class BicnetTksConfig:
    num_classes: int
    """Training identities."""
    image_size: tuple[int, int] = PAPER_SIZE
    """(height, width) of the frames: multiples of 64."""
    detached_mask: bool = True
    """The first mask is not taught to differ from the two others, as released; the paper's formula has no
    such stop."""

    def __post_init__(self) -> None:
        if any(side < SIZE_STEP or side % SIZE_STEP for side in self.image_size):
            raise SettingError(
                f"bicnet-tks: height and width of the frames must be multiples of {SIZE_STEP}; "
                f"got image_size={self.image_size}"
            )


class BicnetTks(Baseline):
    """Clips of 8 frames."""

    training_only = ("classifier.",)

    def __init__(self, config: BicnetTksConfig) -> None:
        super().__init__()
        self.embed_dim = FEATURE
        self.image_size = config.image_size
        self.detached_mask = config.detached_mask
        channels = [EXPANSION * width for width in STAGE_WIDTHS]
        self.backbone = ResNet50Frames()
        self.fusions = nn.ModuleList(HighToLow(number) for number in channels[:3])
        self.kernel_selection = TemporalKernelSelection(channels[1])
        self.diverse_attention = DiverseAttention(channels[2], rows=map_size(config.image_size, 3)[0] // 2)
        self.neck = make_neck(FEATURE, trains_bias=True, weight_std=0.02)
        self.classifier = make_classifier(FEATURE, config.num_classes, bias=True)

    def forward(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"] | None = None
    ) -> dict[str, Tensor]:
        refuse_other_clips("bicnet-tks", frames, frames=FRAMES, image_size=self.image_size)
        backbone = self.backbone
        assert backbone.layer4 is not None  # it was built with all of its stages
        features = backbone.stem(rearrange(frames, "clip frame c h w -> (clip frame) c h w"))
        features = rearrange(features, "(clip frame) c h w -> clip frame c h w", frame=FRAMES)
        high = rearrange(features[:, HIGH], "clip frame c h w -> (clip frame) c h w")
        low = functional.max_pool2d(rearrange(features[:, LOW], "clip frame c h w -> (clip frame) c h w"), 2)
        # Running statistics follow the high stream, then the low one.
        high, low = backbone.layer1(high, len(HIGH)), backbone.layer1(low, len(LOW))
        low = self.fusions[0](high, low)
        high, low = backbone.layer2(high, len(HIGH)), backbone.layer2(low, len(LOW))
        high, low = self.kernel_selection(high, self.fusions[1](high, low))
        high, low = backbone.layer3(high, len(HIGH)), backbone.layer3(low, len(LOW))
        high, low, *masks = self.diverse_attention(high, self.fusions[2](high, low))
        high, low = backbone.layer4(high, len(HIGH)), backbone.layer4(low, len(LOW))
        clip_feature = (_clip_feature(high, len(HIGH)) + _clip_feature(low, len(LOW))) / 2
        feature = self.neck(clip_feature)
        if self.training:
            first, second, third = masks
            return {
                "feature": feature,
                "logits": self.classifier(feature),
                "first_mask": first,
                "second_mask": second,
                "third_mask": third,
            }
        return {"clip_feature": clip_feature, "embedding": feature}

    def losses(self, outputs: Mapping[str, Tensor], labels: Int[Tensor, " clip"]) -> dict[str, Float[Tensor, ""]]:
        first = outputs["first_mask"].detach() if self.detached_mask else outputs["first_mask"]
        return {
            "identity": functional.cross_entropy(outputs["logits"], labels),
            "triplet": batch_hard_triplet(outputs["feature"], labels, TRIPLET),
            "divergence": DIVERGENCE_WEIGHT * mask_divergence([first, outputs["second_mask"], outputs["third_mask"]]),
        }

    def published_names(self) -> PublishedNames:
        return resnet50_names(lambda name: (f"backbone.{name}",))


def build_bicnet_tks(
    *, num_classes: int, frames: int, preset: Preset = "release", image_size: tuple[int, int] = PAPER_SIZE
) -> BicnetTks:
    """BiCnet-TKS for clips of 8 frames."""
    if frames != FRAMES:
        raise SettingError(f"bicnet-tks: a clip has {FRAMES} frames; got {frames}")
    return BicnetTks(BicnetTksConfig(num_classes=num_classes, image_size=image_size, detached_mask=preset == "release"))


def _clip_feature(
    features: Float[Tensor, "image channel height width"], num_frames: int
) -> Float[Tensor, "clip channel"]:
    """The largest features of each frame, averaged over the frames."""
    return reduce(features.amax(dim=(2, 3)), "(clip frame) channel -> clip channel", "mean", frame=num_frames)
