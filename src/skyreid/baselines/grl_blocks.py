"""The parts of GRL: what all frames have in common, what they do not, and what is learned from both in turn.

Source: see `skyreid.baselines.grl`.
"""

from typing import NamedTuple

import torch
from einops import rearrange, reduce, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = 2048
SUMMARY = 1024
MASK_HIDDEN = 256
MEMORY_HIDDEN = 512
GATE_HIDDEN = 128
ATTENTION = 512


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
