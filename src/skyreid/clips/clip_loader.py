"""Batches of clips of equal length, read ahead by threads, and normalised where the model is.

Threads suffice: pictures are decoded and resized outside the interpreter lock. Shipping a batch as uint8 and
normalising it on the device moves a quarter of the bytes.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Float32, Int, Int64, UInt8
from torch import Tensor

from skyreid.clips.augmentation import NO_ERASURE
from skyreid.clips.frame_reading import read_resized
from skyreid.feeding import IMAGENET, Normalization
from skyreid.processes.compiled import compiled
from skyreid.tracklet import Tracklet

_BATCHES_AHEAD = 2
_ALIGNMENT = 64
"""Bytes; of the memory of PyTorch on a CPU."""
Begun = TypeVar("Begun")
Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class ClipRequest:
    """Which frames of which tracklet."""

    tracklet: Tracklet
    frames: tuple[int, ...]


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
    """Makes clips of one size, of frames as they are.

    Args:
        image_size: (height, width) of its frames in pixels.
    """

    def __init__(self, image_size: tuple[int, int]) -> None:
        self._image_size = image_size

    def read(self, request: ClipRequest) -> Clip:
        """Read one clip.

        Raises:
            MissingFrameError: a frame is missing; a clip is never shortened.
        """
        tracklet = request.tracklet
        frames = np.stack([read_resized(tracklet.frames[position], self._image_size) for position in request.frames])
        erasures = np.array([NO_ERASURE] * len(frames), dtype=np.int64)
        return Clip(frames=frames, erasures=erasures, platform=tracklet.platform.number, label=-1)


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipBatch:
    """What the model eats: clips of equal length, still as uint8; in memory the colours of a pixel stand together."""

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
        if self.frames.device.type != "cpu":
            return erase(normalize(self.frames), self.erasures, fill)
        # In one pass: most of the time goes into writing floats to memory, and PyTorch would write them five times.
        frames = rearrange(self.frames, "clip frame channel height width -> (clip frame) height width channel")
        pixels = _room_for_floats(frames.shape)
        _normalize_and_erase(
            np.ascontiguousarray(frames.numpy()),
            np.array(IMAGENET.mean, dtype=np.float32),
            np.array(IMAGENET.std, dtype=np.float32),
            self.erasures.flatten(0, 1).numpy(),
            np.array(fill, dtype=np.float32),
            pixels,
        )
        return rearrange(
            torch.from_numpy(pixels),
            "(clip frame) height width channel -> clip frame channel height width",
            clip=len(self.frames),
        )


def _room_for_floats(shape: Sequence[int]) -> Float32[np.ndarray, "..."]:
    """Memory of NumPy, which asks for large pages: their first use costs the system a fifth.

    It begins where PyTorch's own would, since the last bit of a product may hang on that.
    """
    count = math.prod(shape)
    room = np.empty(count + _ALIGNMENT // 4, dtype=np.float32)
    begin = -room.ctypes.data % _ALIGNMENT // 4
    return room[begin : begin + count].reshape(shape)


@compiled
def _normalize_and_erase(
    frames: UInt8[np.ndarray, "frame height width channel"],
    mean: Float32[np.ndarray, " channel"],
    std: Float32[np.ndarray, " channel"],
    erasures: Int64[np.ndarray, "frame side"],
    fill: Float32[np.ndarray, " channel"],
    pixels: Float32[np.ndarray, "frame height width channel"],
) -> None:
    """What `normalize` and `erase` compute, bit for bit."""
    num_frames, height, width, num_channels = frames.shape
    means, stds = np.empty(width * num_channels, np.float32), np.empty(width * num_channels, np.float32)
    for place in range(width * num_channels):  # of a row, whose places are then computed many at a time
        means[place], stds[place] = mean[place % num_channels], std[place % num_channels]
    for frame in range(num_frames):
        top, left, tall, wide = erasures[frame]
        for row in range(height):
            given, made = frames[frame, row].reshape(-1), pixels[frame, row].reshape(-1)
            for place in range(width * num_channels):
                made[place] = (np.float32(given[place]) / np.float32(255) - means[place]) / stds[place]
        for row in range(top, top + tall):
            for column in range(left, left + wide):
                for channel in range(num_channels):
                    pixels[frame, row, column, channel] = fill[channel]


def load_batches(reader: ClipReader, batches: Iterable[Sequence[ClipRequest]], *, threads: int) -> Iterator[ClipBatch]:
    """Yield one ClipBatch for each batch of requests, in order, reading a few batches ahead."""
    with _pool(threads) as pool:
        begun = ([pool.submit(reader.read, request) for request in requests] for requests in batches)
        for clips in _a_few_later(begun):
            yield ClipBatch.collate([clip.result() for clip in clips])


def make_ahead(make: Callable[[Job], Result], jobs: Iterable[Job], *, threads: int) -> Iterator[Result]:
    """Yield what is made of each job, in order, made a few jobs ahead."""
    with _pool(threads) as pool:
        for made in _a_few_later(pool.submit(make, job) for job in jobs):
            yield made.result()


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Give threads; when the block ends, what is not begun is never made."""
    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _a_few_later(begun: Iterable[Begun]) -> Iterator[Begun]:
    """Hand each on when the next few are begun too."""
    ahead: deque[Begun] = deque()
    for one in begun:
        ahead.append(one)
        if len(ahead) > _BATCHES_AHEAD:
            yield ahead.popleft()
    while ahead:
        yield ahead.popleft()


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
