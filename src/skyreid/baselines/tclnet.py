"""TCLNet: the second frame of a pair looks where the first one did not.

Source: R. Hou et al., Temporal Complementary Learning for Video Person Re-identification, ECCV 2020.
Original: blue-blue272/VideoReID-TCLNet, without a licence; written anew from a description of what it
computes.

After stage 2 every frame is told what the other frames show of the same person (TSB). Before stage 4 the
rows of the second frame that answer most to the features of the first are erased (TSE), and the last
block of the network exists twice, once for each frame of a pair.

Deviation: a clip of more than 4 frames is taken as clips of 4 one after the other, whose features are
averaged before they are normalised; frames are a batch, so the backbone has no 3-D kernels.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.baselines.baseline import PAPER_SIZE, Baseline, Preset
from skyreid.baselines.clip_size import refuse_other_clips
from skyreid.baselines.heads import make_classifier, make_neck
from skyreid.baselines.published_names import PublishedNames
from skyreid.baselines.resnet50_frames import Place, ResNet50Config, ResNet50Frames, map_size, resnet50_names
from skyreid.baselines.tclnet_blocks import ERASED_ROWS, GROUP, PAIR, SaliencyBoosting, SaliencyErasing
from skyreid.errors import SettingError
from skyreid.losses.triplet import TripletConfig, batch_hard_triplet

FEATURE = 2048
TRIPLET = TripletConfig(margin=0.4, form="hinge", distance="cosine")


@dataclass(frozen=True, kw_only=True)
class TclnetConfig:
    num_classes: int
    """Training identities."""
    frames: int
    """Of a clip: 4, or a multiple of it."""
    image_size: tuple[int, int] = PAPER_SIZE
    """(height, width) of the frames."""

    def __post_init__(self) -> None:
        if self.frames < 1 or self.frames % GROUP:
            raise SettingError(f"tclnet: frames of a clip must be a multiple of {GROUP}; got {self.frames}")
        if map_size(self.image_size, 3)[0] <= ERASED_ROWS:
            raise SettingError(
                f"tclnet: frames must leave more than {ERASED_ROWS} rows of features after stage 3; "
                f"got image_size={self.image_size}"
            )


class Tclnet(Baseline):
    """Clips of the length and size that it was built for."""

    training_only = ("classifiers.",)

    def __init__(self, config: TclnetConfig) -> None:
        super().__init__()
        self.embed_dim = PAIR * FEATURE
        self.image_size = config.image_size
        self.frames = config.frames

        def boosting(place: Place) -> nn.Module | None:
            return SaliencyBoosting(place.channels) if (place.stage, place.block) == (2, 3) else None

        self.backbone = ResNet50Frames(ResNet50Config(has_last_stage=False), after_block=boosting)
        self.erasing = SaliencyErasing()
        self.necks = nn.ModuleList(make_neck(FEATURE, trains_bias=True, weight_std=0.02) for _ in range(PAIR))
        self.classifiers = nn.ModuleList(make_classifier(FEATURE, config.num_classes, bias=True) for _ in range(PAIR))

    def forward(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"] | None = None
    ) -> dict[str, Tensor]:
        refuse_other_clips("tclnet", frames, frames=self.frames, image_size=self.image_size)
        features = self.backbone(rearrange(frames, "clip frame c h w -> (clip frame) c h w"), GROUP)
        groups = rearrange(features, "(group frame) c h w -> group frame c h w", frame=GROUP)
        # Pair after pair, so that running statistics follow them one by one.
        pairs = torch.stack([self.erasing(pair) for pair in groups.split(PAIR, dim=1)])
        raw = reduce(pairs, "pair (clip group) branch channel -> clip branch channel", "mean", clip=frames.shape[0])
        feature = torch.stack([neck(raw[:, branch]) for branch, neck in enumerate(self.necks)], dim=1)
        if self.training:
            logits = [classifier(feature[:, branch]) for branch, classifier in enumerate(self.classifiers)]
            return {"feature": feature, "logits": torch.stack(logits, dim=1)}
        return {
            "clip_feature": rearrange(raw, "clip branch channel -> clip (branch channel)"),
            "embedding": rearrange(
                functional.normalize(feature, dim=-1), "clip branch channel -> clip (branch channel)"
            ),
        }

    def losses(self, outputs: Mapping[str, Tensor], labels: Int[Tensor, " clip"]) -> dict[str, Float[Tensor, ""]]:
        identity = [functional.cross_entropy(logits, labels) for logits in outputs["logits"].unbind(dim=1)]
        triplet = [batch_hard_triplet(feature, labels, TRIPLET) for feature in outputs["feature"].unbind(dim=1)]
        return {"identity": torch.stack(identity).sum(), "triplet": torch.stack(triplet).sum()}

    def published_names(self) -> PublishedNames:
        return resnet50_names(_places)


def build_tclnet(
    *, num_classes: int, frames: int, preset: Preset = "release", image_size: tuple[int, int] = PAPER_SIZE
) -> Tclnet:
    """TCLNet for clips of a multiple of 4 frames; as released it is what its paper says, so presets do not differ."""
    return Tclnet(TclnetConfig(num_classes=num_classes, frames=frames, image_size=image_size))


def _places(name: str) -> tuple[str, ...]:
    stage, _, rest = name.partition(".")
    if stage != "layer4":
        return (f"backbone.{name}",)
    block, _, rest = rest.partition(".")
    if block == "2":
        return tuple(f"erasing.branches.{branch}.{rest}" for branch in range(PAIR))
    return (f"erasing.shared.{block}.{rest}",)
