"""What the model eats: clips of equal length, still as uint8."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from skyreid.clips.normalization import erase, normalize


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """Frames taken from one tracklet."""

    frames: UInt8[np.ndarray, "frame height width channel"]
    erasures: Int64[np.ndarray, "frame side"]
    """(top, left, height, width) to fill after normalisation; zeros = nothing."""
    platform: int
    """Platform number: 0 ground, 1 aerial."""
    label: int
    """Training label, or -1 outside of training."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipBatch:
    frames: UInt8[Tensor, "clip frame channel height width"]
    erasures: Int64[Tensor, "clip frame side"]
    platforms: Int64[Tensor, " clip"]
    labels: Int64[Tensor, " clip"]

    @classmethod
    def collate(cls, clips: Sequence[Clip]) -> "ClipBatch":
        """Stack clips of one length and size."""
        return cls(
            frames=torch.from_numpy(np.stack([clip.frames.transpose(0, 3, 1, 2) for clip in clips])),
            erasures=torch.from_numpy(np.stack([clip.erasures for clip in clips])),
            platforms=torch.tensor([clip.platform for clip in clips]),
            labels=torch.tensor([clip.label for clip in clips]),
        )

    def to(self, device: torch.device) -> "ClipBatch":
        """Move to a device, as bytes."""
        return ClipBatch(
            frames=self.frames.to(device, non_blocking=True),
            erasures=self.erasures.to(device, non_blocking=True),
            platforms=self.platforms.to(device, non_blocking=True),
            labels=self.labels.to(device, non_blocking=True),
        )

    def pixels(self, fill: tuple[float, float, float]) -> Float[Tensor, "clip frame channel height width"]:
        """Normalise the frames and fill the erased rectangles."""
        return erase(normalize(self.frames), self.erasures, fill)
