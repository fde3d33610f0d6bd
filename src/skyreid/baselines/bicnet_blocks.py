"""The parts of BiCnet-TKS between its two streams: fusion, temporal kernel selection (TKS), diverse attention (DAO).

Source: R. Hou et al., BiCnet-TKS: Learning Efficient Spatial-Temporal Representation for Video Person
Re-Identification, CVPR 2021.

A stream is the features [image, channel, height, width] of its frames, those of a clip side by side.
"""

from typing import NamedTuple

import torch
from einops import einsum, rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

HIGH, LOW = (0, 4), (1, 2, 3, 5, 6, 7)
"""Frames of a clip that the two streams see: few in full, and behind each of them three at half the size."""
FRAMES = len(HIGH) + len(LOW)
LOW_PER_HIGH = len(LOW) // len(HIGH)
KERNELS = 2
"""Short and long."""
CELL = 8
"""Side of the squares of high features that kernel selection averages; of low features half of it."""
REDUCTION = 16


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
