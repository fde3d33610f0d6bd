"""Tracklets to batches of clips, read ahead by threads.

Every clip draws from a generator of its own, named by the caller, so the numbers do not depend on
how many threads read, on the rank, or on where a run was resumed. Threads suffice: Pillow decodes
and resizes outside the interpreter lock, and they share one frame cache.
"""

import random
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from skyreid.clips.augmentation import NO_ERASURE, AugmentationConfig, augment
from skyreid.clips.clip_batch import Clip, ClipBatch
from skyreid.clips.clip_choice import TRAINING_CLIPS, TrainingChoice
from skyreid.clips.frame_cache import FrameCache
from skyreid.tracklet import Tracklet

BATCHES_AHEAD = 2


@dataclass(frozen=True)
class ClipRequest:
    """Which frames of which tracklet, and what to draw."""

    tracklet: Tracklet
    label: int = -1
    frames: tuple[int, ...] | None = None
    """Frame positions; None = draw them (training)."""
    draw: str = ""
    """Names the generator of this clip's draws."""


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


def load_batches(reader: ClipReader, batches: Iterable[Sequence[ClipRequest]], *, threads: int) -> Iterator[ClipBatch]:
    """Yield one ClipBatch for each batch of requests, in order, reading a few batches ahead."""
    with ThreadPoolExecutor(max_workers=threads) as pool:
        ahead: deque[list[Future[Clip]]] = deque()
        try:
            for requests in batches:
                ahead.append([pool.submit(reader.read, request) for request in requests])
                if len(ahead) > BATCHES_AHEAD:
                    yield ClipBatch.collate([clip.result() for clip in ahead.popleft()])
            while ahead:
                yield ClipBatch.collate([clip.result() for clip in ahead.popleft()])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
