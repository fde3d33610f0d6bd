"""STMN: memories of what clips have in common say what to subtract from a frame and which frames to trust.

Source: C. Eom et al., Video-based Person Re-identification with Spatial and Temporal Memory Networks,
ICCV 2021. Original: cvlab-yonsei/STMN, for research and personal use only; written anew from a
description of what it computes.

Stage 4 of the backbone stands three times over a common trunk: for the features of a frame, for asking
the spatial memory about its positions, and for asking the temporal memory about the clip. What the
spatial memory knows of a position, such as a background seen often, is subtracted; the temporal memory
gives the weights of the frames.

Deviation: `StmnConfig` has the released quirks that can be turned off. The start of the spatial memory
is not described; it is drawn like the temporal one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.baselines.baseline import PAPER_SIZE, Baseline, Preset, PublishedNames, refuse_other_clips
from skyreid.baselines.parts import make_classifier, make_neck
from skyreid.baselines.resnet50_frames import ResNet50Config, ResNet50Frames, make_stage, resnet50_names
from skyreid.errors import SettingError
from skyreid.losses import TripletConfig, batch_hard_triplet

FEATURE = 2048
SPATIAL_SLOTS = 10
TEMPORAL_SLOTS = 5
STAGE4_COPIES = ("value", "spatial_key", "temporal_key")
TRIPLET = TripletConfig(form="soft", distance="euclidean")


@dataclass(frozen=True, kw_only=True)
class StmnConfig:
    num_classes: int
    """Training identities."""
    frames: int
    """Frames a clip; the temporal memory holds patterns of this length."""
    image_size: tuple[int, int] = PAPER_SIZE
    """(height, width) of the frames; any will do."""
    stem_relu: bool = False
    """ReLU behind the first normalisation, as ResNet-50 has it; it was released without."""
    mixes_positions: bool = True
    """The spatial memory is asked about pieces of the map as it lies in memory, channel after channel, as
    released: a piece is all positions of a few channels. The paper asks about positions."""
    keys_normed_over_slots: bool = True
    """Keys have length 1 over the slots for each channel, as released; else each key has length 1."""

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise SettingError(f"stmn: a clip has at least 1 frame; got {self.frames}")


class Stmn(Baseline):
    """Clips of the length and size that it was built for."""

    training_only = ("frame_neck.", "frame_classifier.", "classifier.")

    def __init__(self, config: StmnConfig) -> None:
        super().__init__()
        self.embed_dim = FEATURE
        self.image_size = config.image_size
        self.frames = config.frames
        self.trunk = ResNet50Frames(ResNet50Config(has_last_stage=False, stem_relu=config.stem_relu))
        self.value = make_stage(4)
        self.spatial_key = make_stage(4, last_relu=False)
        self.temporal_key = make_stage(4, last_relu=False)
        self.spatial_memory = SpatialMemory(
            FEATURE,
            mixes_positions=config.mixes_positions,
            keys_normed_over_slots=config.keys_normed_over_slots,
        )
        self.temporal_memory = TemporalMemory(
            FEATURE, config.frames, keys_normed_over_slots=config.keys_normed_over_slots
        )
        self.frame_neck = make_neck(FEATURE, trains_bias=False)
        self.neck = make_neck(FEATURE, trains_bias=False)
        self.frame_classifier = make_classifier(FEATURE, config.num_classes, bias=False)
        self.classifier = make_classifier(FEATURE, config.num_classes, bias=False)

    def forward(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"] | None = None
    ) -> dict[str, Tensor]:
        refuse_other_clips("stmn", frames, frames=self.frames, image_size=self.image_size)
        num_frames = self.frames
        trunk = self.trunk(rearrange(frames, "clip frame c h w -> (clip frame) c h w"), num_frames)
        values, spatial_keys, temporal_keys = (
            stage(trunk, num_frames) for stage in (self.value, self.spatial_key, self.temporal_key)
        )
        features, spatial_attention = self.spatial_memory(values, spatial_keys)
        of_frames = "(clip frame) channel -> clip frame channel"
        frame_features = rearrange(features.mean(dim=(2, 3)), of_frames, frame=num_frames)
        weights, temporal_attention = self.temporal_memory(
            rearrange(temporal_keys.mean(dim=(2, 3)), of_frames, frame=num_frames)
        )
        raw_feature = torch.einsum("cf,cfd->cd", weights, frame_features)
        feature = self.neck(raw_feature)
        if not self.training:
            return {"raw_feature": raw_feature, "embedding": feature}
        frame_logits = self.frame_classifier(
            self.frame_neck(rearrange(frame_features, "clip frame dim -> (clip frame) dim"))
        )
        return {
            "frame_features": frame_features,
            "frame_logits": rearrange(frame_logits, "(clip frame) score -> clip frame score", frame=num_frames),
            "raw_feature": raw_feature,
            "logits": self.classifier(feature),
            "spatial_attention": spatial_attention,
            "temporal_attention": temporal_attention,
        }

    def losses(self, outputs: Mapping[str, Tensor], labels: Int[Tensor, " clip"]) -> dict[str, Float[Tensor, ""]]:
        return {
            "frame_identity": functional.cross_entropy(outputs["frame_logits"].mean(dim=1), labels),
            "identity": functional.cross_entropy(outputs["logits"], labels),
            "frame_triplet": batch_hard_triplet(outputs["frame_features"].mean(dim=1), labels, TRIPLET),
            "triplet": batch_hard_triplet(outputs["raw_feature"], labels, TRIPLET),
            "spatial_spread": memory_spread(outputs["spatial_attention"]),
            "temporal_spread": memory_spread(outputs["temporal_attention"]),
        }

    def published_names(self) -> PublishedNames:
        def places(name: str) -> tuple[str, ...]:
            if not name.startswith("layer4."):
                return (f"trunk.{name}",)
            return tuple(f"{copy}.{name.removeprefix('layer4.')}" for copy in STAGE4_COPIES)

        return resnet50_names(places)


def build_stmn(
    *, num_classes: int, frames: int, preset: Preset = "release", image_size: tuple[int, int] = PAPER_SIZE
) -> Stmn:
    """STMN for clips of `frames` frames; the released program took 6."""
    is_clean = preset == "clean"
    return Stmn(
        StmnConfig(
            num_classes=num_classes,
            frames=frames,
            image_size=image_size,
            stem_relu=is_clean,
            mixes_positions=not is_clean,
            keys_normed_over_slots=not is_clean,
        )
    )


class SpatialMemory(nn.Module):
    """Subtracts from frames what the memory knows; nothing at the start."""

    def __init__(self, channels: int, *, mixes_positions: bool, keys_normed_over_slots: bool) -> None:
        super().__init__()
        self.mixes_positions = mixes_positions
        self.memory = Memory(SPATIAL_SLOTS, channels, channels, keys_normed_over_slots=keys_normed_over_slots)
        self.norm = nn.BatchNorm1d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(
        self, values: Float[Tensor, "image channel height width"], keys: Float[Tensor, "image channel height width"]
    ) -> tuple[Float[Tensor, "image channel height width"], Float[Tensor, "query slot"]]:
        """Give the frames' features without what is known, and the attention to the slots."""
        images, channels, height, width = keys.shape
        if self.mixes_positions:
            read, attention = self.memory(keys.reshape(-1, channels))
            known = self.norm(read).reshape(keys.shape)
        else:
            read, attention = self.memory(rearrange(keys, "image channel h w -> (image h w) channel"))
            known = rearrange(
                self.norm(read), "(image h w) channel -> image channel h w", image=images, h=height, w=width
            )
        return values - known, attention


class TemporalMemory(nn.Module):
    """Weighs the frames of a clip by how they follow each other."""

    def __init__(self, dim: int, num_frames: int, *, keys_normed_over_slots: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dim, dim)
        self.memory = Memory(TEMPORAL_SLOTS, dim, num_frames, keys_normed_over_slots=keys_normed_over_slots)

    def forward(
        self, keys: Float[Tensor, "clip frame dim"]
    ) -> tuple[Float[Tensor, "clip frame"], Float[Tensor, "clip slot"]]:
        """Give weights that sum to 1 over a clip, and the attention to the slots."""
        states, _ = self.lstm(rearrange(keys, "clip frame dim -> frame clip dim"))
        read, attention = self.memory(states[-1])
        return read.softmax(dim=1), attention


class Memory(nn.Module):
    """Slots of a key and a value, read by how much the keys are like a query.

    Args:
        num_slots: how many.
        key_dim: length of a key and of a query.
        value_dim: length of what is read.
        keys_normed_over_slots: see `StmnConfig`.
    """

    def __init__(self, num_slots: int, key_dim: int, value_dim: int, *, keys_normed_over_slots: bool) -> None:
        super().__init__()
        self.normed_axis = 0 if keys_normed_over_slots else 1
        self.keys = nn.Parameter(torch.rand(num_slots, key_dim))
        self.values = nn.Parameter(torch.rand(num_slots, value_dim))

    def forward(
        self, queries: Float[Tensor, "query dim"]
    ) -> tuple[Float[Tensor, "query value"], Float[Tensor, "query slot"]]:
        """Give what is read and the attention to the slots."""
        likeness = functional.normalize(queries, dim=1) @ functional.normalize(self.keys, dim=self.normed_axis).T
        attention = likeness.softmax(dim=1)
        return attention @ self.values, attention


def memory_spread(attention: Float[Tensor, "row slot"], *, margin: float = 0.3) -> Float[Tensor, ""]:
    """Mean over slots of how much the strongest and the weakest attention fall short of being `margin` apart.

    Every slot of a memory should be asked for by some features and left alone by others.
    """
    return functional.relu(attention.amin(dim=0) - attention.amax(dim=0) + margin).mean()
