"""Tracklets to batches of clips of equal length, read ahead by threads, and normalised where the model is.

Every clip draws from a generator of its own, named by the caller, so the numbers do not depend on
how many threads read, on the rank, or on where a run was resumed. Threads suffice: Pillow decodes
and resizes outside the interpreter lock, and they share one frame cache. Shipping a batch as uint8 and
normalising it on the device moves a quarter of the bytes.
"""

import random
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Int64, UInt8
from torch import Tensor

from skyreid.clips.augmentation import NO_ERASURE, AugmentationConfig, augment
from skyreid.clips.frame_cache import FrameCache
from skyreid.clips.frame_sampling import TRAINING_CLIPS, TrainingChoice
from skyreid.feeding import IMAGENET, Normalization
from skyreid.tracklet import Tracklet

_BATCHES_AHEAD = 2


@dataclass(frozen=True)
class ClipRequest:
    """Which frames of which tracklet, and what to draw."""

    tracklet: Tracklet
    label: int = -1
    frames: tuple[int, ...] | None = None
    """Frame positions; None = draw them (training)."""
    draw: str = ""
    """Names the generator of this clip's draws."""


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


class ClipReader:
    """Makes clips of one length and size.

    Args:
        cache: where frames come from.
        clip_length: frames a clip, for requests that leave them to be drawn.
        augmentation: None = frames as they are.
        choice: how those positions are drawn.
    """

    def __init__(
        self,
        cache: FrameCache,
        *,
        clip_length: int,
        augmentation: AugmentationConfig | None,
        choice: TrainingChoice = "restricted",
    ) -> None:
        self.cache = cache
        self.clip_length = clip_length
        self.augmentation = augmentation
        self.choice: TrainingChoice = choice

    def read(self, request: ClipRequest) -> Clip:
        """Read one clip.

        Raises:
            MissingFrameError: a frame is missing; a clip is never shortened.
        """
        rng = random.Random(request.draw)
        tracklet = request.tracklet
        positions = (
            request.frames
            if request.frames is not None
            else TRAINING_CLIPS[self.choice](len(tracklet.frames), self.clip_length, rng)
        )
        frames = np.stack([self.cache.frame(tracklet.frames[position]) for position in positions])
        erasures = np.array([NO_ERASURE] * len(positions), dtype=np.int64)
        if self.augmentation is not None:
            frames, erasures = augment(frames, self.augmentation, rng)
        return Clip(frames=frames, erasures=erasures, platform=tracklet.platform.number, label=request.label)


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipBatch:
    """What the model eats: clips of equal length, still as uint8."""

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


def load_batches(reader: ClipReader, batches: Iterable[Sequence[ClipRequest]], *, threads: int) -> Iterator[ClipBatch]:
    """Yield one ClipBatch for each batch of requests, in order, reading a few batches ahead."""
    with ThreadPoolExecutor(max_workers=threads) as pool:
        ahead: deque[list[Future[Clip]]] = deque()
        try:
            for requests in batches:
                ahead.append([pool.submit(reader.read, request) for request in requests])
                if len(ahead) > _BATCHES_AHEAD:
                    yield ClipBatch.collate([clip.result() for clip in ahead.popleft()])
            while ahead:
                yield ClipBatch.collate([clip.result() for clip in ahead.popleft()])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def normalize(
    frames: UInt8[Tensor, "clip frame channel height width"], by: Normalization = IMAGENET
) -> Float[Tensor, "clip frame channel height width"]:
    """Scale RGB to 0–1, subtract the mean, divide by the standard deviation; training always takes ImageNet's."""
    mean, std = (torch.tensor(values, device=frames.device).view(3, 1, 1) for values in (by.mean, by.std))
    return (frames.float() / 255 - mean) / std


def erase(
    frames: Float[Tensor, "clip frame channel height width"],
    erasures: Int[Tensor, "clip frame side"],
    fill: tuple[float, float, float],
) -> Float[Tensor, "clip frame channel height width"]:
    """Fill one rectangle (top, left, height, width) of each normalised frame; height 0 erases nothing."""
    top, left, tall, wide = (side[..., None] for side in erasures.unbind(dim=-1))
    rows = torch.arange(frames.shape[-2], device=frames.device)
    columns = torch.arange(frames.shape[-1], device=frames.device)
    in_rows = (rows >= top) & (rows < top + tall)  # [clip, frame, height]
    in_columns = (columns >= left) & (columns < left + wide)  # [clip, frame, width]
    inside = (in_rows[..., :, None] & in_columns[..., None, :]).unsqueeze(2)
    return torch.where(inside, torch.tensor(fill, device=frames.device).view(3, 1, 1), frames)
