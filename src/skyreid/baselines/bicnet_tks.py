"""BiCnet-TKS: few frames of a clip in full, the others at half the size, and temporal kernels that fit the person.

Source: R. Hou et al., BiCnet-TKS: Learning Efficient Spatial-Temporal Representation for Video Person
Re-Identification, CVPR 2021. Original: blue-blue272/BiCnet-TKS, without a licence; written anew from a
description of what it computes.

Frames 0 and 4 make the high stream, the six others the low one. Both go through the same weights; after
each of the first three stages the high stream tells the low one, after the second temporal kernels are
chosen (TKS), after the third the three low frames behind a high one attend to different rows (DAO). A stream is
the features [image, channel, height, width] of its frames, those of a clip side by side.

Deviation: `BicnetTksConfig.detached_mask`; frames are a batch, so the backbone has no 3-D kernels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import torch
from einops import einsum, rearrange, reduce, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.baselines.baseline import PAPER_SIZE, Baseline, Preset, PublishedNames, refuse_other_clips
from skyreid.baselines.parts import make_classifier, make_neck
from skyreid.baselines.resnet50_frames import EXPANSION, STAGE_WIDTHS, ResNet50Frames, map_size, resnet50_names
from skyreid.errors import SettingError
from skyreid.losses import TripletConfig, batch_hard_triplet

FEATURE = 2048
SIZE_STEP = 64
"""Kernel selection averages whole squares of 8 x 8 features, each of which is 64 x 64 pixels."""
TRIPLET = TripletConfig(margin=0.5, form="hinge", distance="cosine")
DIVERGENCE_WEIGHT = 0.01
HIGH, LOW = (0, 4), (1, 2, 3, 5, 6, 7)
"""Frames of a clip that the two streams see: few in full, and behind each of them three at half the size."""
FRAMES = len(HIGH) + len(LOW)
LOW_PER_HIGH = len(LOW) // len(HIGH)
KERNELS = 2
"""Short and long."""
CELL = 8
"""Side of the squares of high features that kernel selection averages; of low features half of it."""
REDUCTION = 16


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


class AttendedStreams(NamedTuple):
    """The streams that leave diverse attention, and its masks over the rows of the low stream."""

    high: Float[Tensor, "high_image channel height width"]
    low: Float[Tensor, "low_image channel low_height low_width"]
    first_mask: Float[Tensor, "high_image row"]
    second_mask: Float[Tensor, "high_image row"]
    third_mask: Float[Tensor, "high_image row"]


class HighToLow(nn.Module):
    """Adds a high frame, transformed for each of them, to the three low frames behind it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.transform = nn.Conv2d(channels, LOW_PER_HIGH * channels, 1, bias=False)

    def forward(
        self,
        high: Float[Tensor, "high_image channel height width"],
        low: Float[Tensor, "low_image channel low_height low_width"],
    ) -> Float[Tensor, "low_image channel low_height low_width"]:
        sent = self.transform(functional.max_pool2d(high, 2))
        return low + rearrange(
            sent, "image (slot channel) height width -> (image slot) channel height width", slot=LOW_PER_HIGH
        )


class TemporalKernelSelection(nn.Module):
    """A convolution over the frames of both streams, its kernel short or long as they need; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // REDUCTION
        self.short = nn.Conv1d(channels, channels, 3, padding=1, bias=False)
        self.long = nn.Conv1d(channels, channels, 3, padding=2, dilation=2, bias=False)
        self.squeeze = nn.Sequential(nn.Linear(channels, inner, bias=False), nn.BatchNorm1d(inner), nn.ReLU())
        self.choose = nn.Linear(inner, KERNELS * channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(
        self,
        high: Float[Tensor, "high_image channel height width"],
        low: Float[Tensor, "low_image channel low_height low_width"],
    ) -> tuple[
        Float[Tensor, "high_image channel height width"], Float[Tensor, "low_image channel low_height low_width"]
    ]:
        high_cells = functional.avg_pool2d(high, CELL)[:, None]
        low_cells = rearrange(
            functional.avg_pool2d(low, CELL // 2),
            "(image slot) c row column -> image slot c row column",
            slot=LOW_PER_HIGH,
        )
        in_order = rearrange(
            torch.cat([high_cells, low_cells], dim=1),
            "(clip high) slot c row column -> clip (row column) c (high slot)",
            high=len(HIGH),
        )
        mixed = rearrange(
            self._mix(in_order),
            "clip (row column) c (high slot) -> (clip high) slot c row column",
            high=len(HIGH),
            row=high_cells.shape[-2],
        )
        to_high = _enlarge(mixed[:, 0], CELL)
        to_low = _enlarge(rearrange(mixed[:, 1:], "image slot c row column -> (image slot) c row column"), CELL // 2)
        # One normalisation for both: its running statistics follow the high stream, then the low one.
        return high + self.norm(to_high), low + self.norm(to_low)

    def _mix(self, cells: Float[Tensor, "clip cell channel frame"]) -> Float[Tensor, "clip cell channel frame"]:
        sequences = rearrange(cells, "clip cell channel frame -> (clip cell) channel frame")
        both = rearrange(
            torch.stack([self.short(sequences), self.long(sequences)]),
            "kernel (clip cell) channel frame -> kernel clip cell channel frame",
            clip=cells.shape[0],
        )
        squeezed = self.squeeze(both.sum(0).mean(dim=(1, 3)))
        share = rearrange(
            self.choose(squeezed), "clip (kernel channel) -> kernel clip channel", kernel=KERNELS
        ).softmax(0)
        return einsum(both, share, "kernel clip cell channel frame, kernel clip channel -> clip cell channel frame")


class DiverseAttention(nn.Module):
    """Adds to every frame a mean over its rows, weighed otherwise in each of three low frames; starts as the identity.

    Args:
        channels: of the features.
        rows: height of the low stream.
    """

    def __init__(self, channels: int, rows: int) -> None:
        super().__init__()
        self.score = nn.ModuleList(nn.Linear(channels, 1) for _ in range(LOW_PER_HIGH - 1))
        self.relate = nn.ModuleList(
            nn.Sequential(nn.Linear(rows, rows), nn.BatchNorm1d(rows)) for _ in range(LOW_PER_HIGH - 1)
        )
        self.norms = nn.ModuleList(_closed_norm(channels) for _ in range(1 + LOW_PER_HIGH))

    def forward(
        self,
        high: Float[Tensor, "high_image channel height width"],
        low: Float[Tensor, "low_image channel low_height low_width"],
    ) -> AttendedStreams:
        high_rows = functional.avg_pool2d(high, 2).mean(dim=3)  # [image, channel, row]
        slots = rearrange(low.mean(dim=3), "(image slot) channel row -> slot image channel row", slot=LOW_PER_HIGH)
        masks = [
            _mean_mask(high_rows),
            _mean_mask(slots[0]),
            self._learned_mask(0, slots[1]),
            self._learned_mask(1, slots[2]),
        ]
        to_high, *to_low = (
            norm(einsum(rows, mask, "image channel row, image row -> image channel"))
            for norm, rows, mask in zip(self.norms, [high_rows, *slots], masks, strict=True)
        )
        to_low = rearrange(torch.stack(to_low), "slot image channel -> (image slot) channel 1 1")
        return AttendedStreams(high + to_high[:, :, None, None], low + to_low, *masks[1:])

    def _learned_mask(self, number: int, rows: Float[Tensor, "image channel row"]) -> Float[Tensor, "image row"]:
        scores = self.score[number](rearrange(rows, "image channel row -> image row channel"))
        return self.relate[number](scores[..., 0]).softmax(dim=1)


def _closed_norm(channels: int) -> nn.BatchNorm1d:
    """A normalisation that starts at 0, so that what it is added to stays as it is."""
    norm = nn.BatchNorm1d(channels)
    nn.init.zeros_(norm.weight)
    return norm


def _mean_mask(rows: Float[Tensor, "image channel row"]) -> Float[Tensor, "image row"]:
    return rows.mean(dim=1).softmax(dim=1)


def _enlarge(
    cells: Float[Tensor, "image channel row column"], factor: int
) -> Float[Tensor, "image channel height width"]:
    return repeat(cells, "image c row column -> image c (row down) (column right)", down=factor, right=factor)


def mask_divergence(masks: Sequence[Float[Tensor, "image position"]]) -> Float[Tensor, ""]:
    """Mean over pairs of masks of how far the Gram matrix of their square roots is from the identity.

    Masks of one image that look at the same place cost something.

    Args:
        masks: two or more, each a distribution over positions.
    """
    return torch.stack([_overlap(one, other) for one, other in combinations(masks, 2)]).mean()


def _overlap(one: Float[Tensor, "image position"], other: Float[Tensor, "image position"]) -> Float[Tensor, ""]:
    roots = torch.stack([one, other], dim=1).sqrt()
    gram = roots @ roots.mT - torch.eye(2, dtype=roots.dtype, device=roots.device)
    return (gram.flatten(1).norm(dim=1) / gram[0].numel()).mean()
