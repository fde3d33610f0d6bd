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
from copy import deepcopy
from dataclasses import dataclass

import torch
from einops import einsum, rearrange, reduce
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.baselines.baseline import PAPER_SIZE, Baseline, Preset, PublishedNames, refuse_other_clips
from skyreid.baselines.parts import make_classifier, make_neck
from skyreid.baselines.resnet50_frames import (
    EXPANSION,
    STAGE_WIDTHS,
    Place,
    ResNet50Config,
    ResNet50Frames,
    make_stage,
    map_size,
    resnet50_names,
)
from skyreid.errors import SettingError
from skyreid.losses import TripletConfig, batch_hard_triplet

FEATURE = 2048
TRIPLET = TripletConfig(margin=0.4, form="hinge", distance="cosine")
GROUP = 4
"""Frames that see each other."""
PAIR = 2
"""Frames of which the second looks where the first did not."""
SHARPNESS = 5.0
ERASED_ROWS = 3


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


class SaliencyBoosting(nn.Module):
    """Tells a frame what the other frames of its clip show that is like it; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.out = _told(channels)

    def forward(
        self, features: Float[Tensor, "image channel height width"], num_frames: int
    ) -> Float[Tensor, "image channel height width"]:
        query = functional.normalize(features.mean(dim=(2, 3)), dim=1)
        # Mean over squares of 2 x 2 with a border of zeros; the last row and column hang over and are dropped.
        memory = functional.avg_pool2d(features, 2, stride=1, padding=1)[..., :-1, :-1]
        queries = rearrange(query, "(clip frame) channel -> clip frame channel", frame=num_frames)
        memories, values = (
            rearrange(part, "(clip frame) channel height width -> clip frame (height width) channel", frame=num_frames)
            for part in (functional.normalize(memory, dim=1), features)
        )
        scores = SHARPNESS * einsum(
            queries, memories, "clip asking channel, clip frame position channel -> clip asking frame position"
        )
        itself = torch.eye(num_frames, dtype=torch.bool, device=features.device)[..., None]
        scores = scores.masked_fill(itself, -torch.inf)
        share = rearrange(scores, "clip asking frame position -> clip asking (frame position)").softmax(dim=-1)
        seen = share @ rearrange(values, "clip frame position channel -> clip (frame position) channel")
        return features + self.out(rearrange(seen, "clip asking channel -> (clip asking) channel"))[..., None, None]


class SaliencyErasing(nn.Module):
    """Stage 4 for a pair of frames, and what is erased from the second of them before."""

    def __init__(self) -> None:
        super().__init__()
        self.channels, out_channels = (EXPANSION * width for width in STAGE_WIDTHS[2:])
        stage = make_stage(4)
        self.shared = stage[:-1]
        self.branches = nn.ModuleList([stage[-1], deepcopy(stage[-1])])
        self.reduce = nn.Linear(out_channels, self.channels, bias=False)
        self.out = _told(self.channels)

    def forward(self, pair: Float[Tensor, "clip 2 channel height width"]) -> Float[Tensor, "clip 2 out_channel"]:
        """Give the largest features of either frame."""
        first, second = pair.unbind(dim=1)
        everywhere = torch.ones_like(first[:, 0], dtype=torch.bool)
        first_out = self._stage(0, first, everywhere, torch.zeros_like(first[:, 0]))
        # The first frame says where to look, and is not taught to say it.
        salient = self.reduce(first_out.detach().mean(dim=(2, 3)))
        score = einsum(salient, second, "clip channel, clip channel height width -> clip height width")
        score = score / self.channels**0.5
        kept = _rows_to_keep(score)[..., None].expand_as(score)
        second_out = self._stage(1, second, kept, score)
        return torch.stack([first_out.amax(dim=(2, 3)), second_out.amax(dim=(2, 3))], dim=1)

    def _stage(
        self,
        branch: int,
        features: Float[Tensor, "clip channel height width"],
        kept: Bool[Tensor, "clip height width"],
        score: Float[Tensor, "clip height width"],
    ) -> Float[Tensor, "clip out_channel height width"]:
        share = score.masked_fill(~kept, -torch.inf).flatten(1).softmax(dim=1)
        seen = einsum(features.flatten(2), share, "clip channel position, clip position -> clip channel")
        features = features * kept[:, None] + self.out(seen)[..., None, None]
        return self.branches[branch](self.shared(features, 1), 1)


def _rows_to_keep(score: Float[Tensor, "clip height width"]) -> Bool[Tensor, "clip height"]:
    """All rows but the three neighbouring ones that score most together."""
    height = score.shape[1]
    rows = torch.arange(height, device=score.device)
    is_near = (rows[:, None] - rows[None, :]).abs() <= ERASED_ROWS // 2
    centre = (score.mean(dim=2) @ is_near.to(score.dtype)).argmax(dim=1)
    return ~is_near[centre]


def _told(channels: int) -> nn.Sequential:
    """A linear map and a normalisation that starts at 0, so that what it adds to is left as it is."""
    norm = nn.BatchNorm1d(channels)
    nn.init.zeros_(norm.weight)
    return nn.Sequential(nn.Linear(channels, channels), norm)
