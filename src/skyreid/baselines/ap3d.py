"""AP3D and AP3D-NL: 3-D convolution between frames whose appearance has been aligned.

Source: X. Gu et al., Appearance-Preserving 3D Convolution for Video-based Person Re-identification,
ECCV 2020; the form that puts the temporal convolution behind the spatial one (AP-P3D-C). Original:
guxinqian/AP3D, Apache-2.0; written anew from a description of what it computes.

Each frame is told what its two neighbours show at the same part of the body: the neighbours are
registered to it by attention over their positions, gated where the registered features disagree with
its own, and mixed in by a convolution over the three frames that starts at zero.

Deviation: `Ap3dConfig.detached_gate`; frames are a batch, so the backbone has no 3-D kernels.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.baselines.baseline import PAPER_SIZE, Baseline, Preset, PublishedNames
from skyreid.baselines.parts import NonLocal, make_classifier, make_neck
from skyreid.baselines.resnet50_frames import Place, ResNet50Frames, map_size, resnet50_names
from skyreid.errors import SettingError
from skyreid.losses import TripletConfig, batch_hard_triplet

REDUCTION = 16
ATTENTION_SCALE = 4.0
FEATURE = 2048
TRIPLET = TripletConfig(margin=0.3, form="hinge", distance="cosine")


@dataclass(frozen=True, kw_only=True)
class Ap3dConfig:
    num_classes: int
    """Training identities."""
    image_size: tuple[int, int] = PAPER_SIZE
    """(height, width) of the frames."""
    non_local: bool = False
    """Non-local blocks over the clip in stages 2 and 3 (AP3D-NL)."""
    detached_gate: bool = True
    """The gate sends no gradient into the features that it compares, as released; the paper's formula
    has no such stop."""

    def __post_init__(self) -> None:
        if self.non_local and min(map_size(self.image_size, 3)) < 2:
            height, width = self.image_size
            raise SettingError(
                "AP3D-NL pools maps of 1/16 of the frame two by two, so it wants frames of 17 x 17 pixels or more; "
                f"got {height} x {width}"
            )


class Ap3d(Baseline):
    """Clips of any length."""

    training_only = ("classifier.",)

    def __init__(self, config: Ap3dConfig) -> None:
        super().__init__()
        self.embed_dim = FEATURE
        self.image_size = config.image_size

        def aligned(place: Place) -> nn.Module | None:
            if place.stage in (2, 3) and place.block % 2 == 0:
                return AlignedTemporalConvolution(place.channels, detached_gate=config.detached_gate)
            return None

        def non_local(place: Place) -> nn.Module | None:
            if config.non_local and place.stage in (2, 3) and place.block % 2 == 1:
                return NonLocal(place.channels, over_time=True)
            return None

        self.backbone = ResNet50Frames(after_conv2=aligned, after_block=non_local)
        self.neck = make_neck(FEATURE, trains_bias=True, weight_std=0.02)
        self.classifier = make_classifier(FEATURE, config.num_classes, bias=True)

    def forward(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"] | None = None
    ) -> dict[str, Tensor]:
        num_frames = frames.shape[1]
        features = self.backbone(rearrange(frames, "clip frame c h w -> (clip frame) c h w"), num_frames)
        frame_features = rearrange(
            features.amax(dim=(2, 3)), "(clip frame) channel -> clip frame channel", frame=num_frames
        )
        feature = self.neck(frame_features.mean(dim=1))
        if self.training:
            return {"feature": feature, "logits": self.classifier(feature)}
        return {"frame_features": frame_features, "embedding": feature}

    def losses(self, outputs: Mapping[str, Tensor], labels: Int[Tensor, " clip"]) -> dict[str, Float[Tensor, ""]]:
        return {
            "identity": functional.cross_entropy(outputs["logits"], labels),
            "triplet": batch_hard_triplet(outputs["feature"], labels, TRIPLET),
        }

    def published_names(self) -> PublishedNames:
        return resnet50_names(lambda name: (f"backbone.{name}",))


def build_ap3d(
    *, num_classes: int, frames: int, preset: Preset = "release", image_size: tuple[int, int] = PAPER_SIZE
) -> Ap3d:
    """AP3D; clips of any length, so `frames` changes nothing."""
    return Ap3d(_config(num_classes, preset, image_size, non_local=False))


def build_ap3d_nl(
    *, num_classes: int, frames: int, preset: Preset = "release", image_size: tuple[int, int] = PAPER_SIZE
) -> Ap3d:
    """AP3D with non-local blocks; clips of any length, so `frames` changes nothing."""
    return Ap3d(_config(num_classes, preset, image_size, non_local=True))


def _config(num_classes: int, preset: Preset, image_size: tuple[int, int], *, non_local: bool) -> Ap3dConfig:
    return Ap3dConfig(
        num_classes=num_classes, image_size=image_size, non_local=non_local, detached_gate=preset == "release"
    )


class AlignedTemporalConvolution(nn.Module):
    """A residual convolution over each frame and its registered neighbours."""

    def __init__(self, channels: int, *, detached_gate: bool) -> None:
        super().__init__()
        hidden = channels // REDUCTION
        self.detached_gate = detached_gate
        self.semantics = nn.Linear(channels, hidden, bias=False)
        self.gate_frame = nn.Linear(channels, hidden, bias=False)
        self.gate_neighbour = nn.Linear(channels, hidden, bias=False)
        self.gate = nn.Linear(hidden, 1, bias=False)
        self.temporal = nn.Conv1d(channels, channels, 3, bias=False)
        nn.init.zeros_(self.temporal.weight)

    def forward(
        self, features: Float[Tensor, "image channel height width"], num_frames: int
    ) -> Float[Tensor, "image channel height width"]:
        height, width = features.shape[-2:]
        clips = rearrange(
            features, "(clip frame) channel height width -> clip frame (height width) channel", frame=num_frames
        )
        semantics = functional.normalize(self.semantics(clips), dim=-1)
        # [clip, frame - 1, position, channel]: the first frame has no frame before it, the last none after it.
        before = self._register(clips[:, 1:], semantics[:, 1:], clips[:, :-1], semantics[:, :-1])
        after = self._register(clips[:, :-1], semantics[:, :-1], clips[:, 1:], semantics[:, 1:])
        nothing = torch.zeros_like(clips[:, :1])
        three = torch.cat([torch.cat([nothing, before], 1), clips, torch.cat([after, nothing], 1)], dim=-1)
        weight = rearrange(self.temporal.weight, "out channel tap -> out (tap channel)")
        mixed = rearrange(
            functional.linear(three, weight),
            "clip frame (height width) channel -> (clip frame) channel height width",
            height=height,
            width=width,
        )
        return features + mixed

    def _register(
        self,
        frame: Float[Tensor, "clip frame position channel"],
        frame_semantics: Float[Tensor, "clip frame position dim"],
        neighbour: Float[Tensor, "clip frame position channel"],
        neighbour_semantics: Float[Tensor, "clip frame position dim"],
    ) -> Float[Tensor, "clip frame position channel"]:
        """What the neighbour shows at each position of the frame, as far as the two agree."""
        registered = functional.scaled_dot_product_attention(
            frame_semantics, neighbour_semantics, neighbour, scale=ATTENTION_SCALE
        )
        compared = (frame.detach(), registered.detach()) if self.detached_gate else (frame, registered)
        agreement = self.gate_frame(compared[0]) * self.gate_neighbour(compared[1])
        return registered * self.gate(agreement).sigmoid()
