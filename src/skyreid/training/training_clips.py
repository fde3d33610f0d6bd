"""The clips that a run trains on: which ones, in which order, which part belongs to this process.

Every clip draws from a generator of its own, named by seed, epoch, batch and place in it, so that the numbers do not
depend on how many threads read, on the rank, or on where a run was resumed.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from einops import rearrange
from jaxtyping import UInt8
from torch import Tensor

from skyreid.clips.augmentation import UNCHANGED, AugmentationConfig, change_frames, draw_changes
from skyreid.clips.clip_loader import ClipBatch, make_ahead
from skyreid.clips.frame_bank import FrameBank
from skyreid.clips.frame_sampling import TRAINING_CLIPS, TrainingChoice, restricted_begin
from skyreid.clips.identity_sampler import IdentitySamplerConfig, identity_batches
from skyreid.errors import SettingError
from skyreid.processes.distributed import Processes
from skyreid.processes.progress import Progress, silent
from skyreid.tracklet import Tracklet, training_labels


@dataclass(frozen=True, slots=True)
class _Request:
    """One clip of a training tracklet."""

    position: int
    """Of the tracklet."""
    draw: str | None = None
    """Names the generator of its draws; None = the test-time frames, as they are."""


class TrainingClips:
    """Deals training tracklets out as batches of clips; the same seed and epoch give the same clips.

    Args:
        tracklets: of training.
        frame_bank: all their frames, one tracklet after the other.
        processes: those that share the work.
        clip_length: frames a clip.
        augmentation: of training clips.
        seed: of all draws.
        threads: that make batches ahead.
        choice: how the frames of a training clip are drawn.
        progress: hears of frames that are decoded before an epoch.
    """

    def __init__(
        self,
        tracklets: Sequence[Tracklet],
        frame_bank: FrameBank,
        processes: Processes,
        *,
        clip_length: int,
        augmentation: AugmentationConfig,
        seed: int,
        threads: int,
        choice: TrainingChoice = "restricted",
        progress: Progress = silent,
    ) -> None:
        label_of = training_labels(tracklets)
        self.num_identities = len(label_of)
        self._tracklets = tracklets
        self._labels = [label_of[tracklet.pid] for tracklet in tracklets]
        self._first_frames = [0, *accumulate(len(tracklet.frames) for tracklet in tracklets)]
        self._frame_bank = frame_bank
        self._processes = processes
        self._clip_length = clip_length
        self._augmentation = augmentation
        self._seed = seed
        self._threads = threads
        self._choice: TrainingChoice = choice
        self._progress = progress
        self._num_passes = 0

    def num_batches(self, sampler: IdentitySamplerConfig, epoch: int) -> int:
        """Batches of one epoch."""
        return len(identity_batches(self._labels, sampler, seed=self._seed, epoch=epoch))

    def check_batches(self, sampler: IdentitySamplerConfig) -> None:
        """Refuse settings that would stop the first epoch, before anything is computed.

        Raises:
            SettingError: too few identities or tracklets for one batch, or batches that the processes cannot share.
        """
        batches = identity_batches(self._labels, sampler, seed=self._seed, epoch=1)
        if not batches:
            raise SettingError(
                f"{len(self._tracklets)} training tracklets of {self.num_identities} identities give no whole batch of "
                f"{sampler.identities} x {sampler.tracklets}: lower the sampler's identities or tracklets, or keep "
                "incomplete batches (its drop_last)"
            )
        for batch in batches:
            self._processes.share(batch)

    def num_features(self, sampler: IdentitySamplerConfig, *, is_augmented: bool) -> int:
        """Count the clips of `once_augmented`, or of `once_plain`."""
        if not is_augmented:
            return len(self._tracklets)
        return sum(map(len, identity_batches(self._labels, sampler, seed=self._seed, epoch=0)))

    def epoch(self, sampler: IdentitySamplerConfig, epoch: int) -> Iterator[ClipBatch]:
        """Yield this process's part of every batch of one epoch, under augmentation.

        Raises:
            MissingFrameError: a frame is missing; a clip is never shortened.
            ChangedFrameError: it is another picture than when the run began.
        """
        return self._load([self._processes.share(batch) for batch in self._augmented_requests(sampler, epoch)])

    def once_augmented(self, sampler: IdentitySamplerConfig, batch_size: int) -> Iterator[ClipBatch]:
        """Yield this process's consecutive part of epoch 0, which stage 2 does not train on."""
        requests = [request for batch in self._augmented_requests(sampler, 0) for request in batch]
        return self._load(self._consecutive_part(requests, batch_size))

    def once_plain(self, batch_size: int) -> Iterator[ClipBatch]:
        """Yield this process's consecutive part of the test-time clips of all training tracklets."""
        requests = [_Request(position) for position in range(len(self._tracklets))]
        return self._load(self._consecutive_part(requests, batch_size))

    def forget_frames(self) -> None:
        """Remove the decoded frames: the training has ended."""
        self._frame_bank.remove()

    def _augmented_requests(self, sampler: IdentitySamplerConfig, epoch: int) -> list[list[_Request]]:
        return [
            [
                _Request(position, draw=f"clip/{self._seed}/{epoch}/{number}/{slot}")
                for slot, position in enumerate(batch)
            ]
            for number, batch in enumerate(identity_batches(self._labels, sampler, seed=self._seed, epoch=epoch))
        ]

    def _consecutive_part(self, requests: list[_Request], batch_size: int) -> list[list[_Request]]:
        part = self._processes.uneven_share(requests)
        return [part[i : i + batch_size] for i in range(0, len(part), batch_size)]

    def _load(self, batches: Sequence[Sequence[_Request]]) -> Iterator[ClipBatch]:
        self._prepare_frames()
        return make_ahead(self._read, batches, threads=self._threads)

    def _prepare_frames(self) -> None:
        """Before the first pass open the bank, which then decodes what it is asked for; before the second fill it."""
        if self._num_passes == 0:
            if is_first := self._processes.is_first_on_machine:
                self._frame_bank.prepare()
            self._processes.wait_for_all()
            if not is_first:
                self._frame_bank.open()
        if self._num_passes == 1:
            own = self._processes.uneven_share(range(self._first_frames[-1]))
            self._frame_bank.fill(own, progress=self._progress if self._processes.is_first else silent)
        self._num_passes += 1

    def _read(self, requests: Sequence[_Request]) -> ClipBatch:
        """Draw, gather and change the frames of one batch."""
        numbers, changes = [], []
        for request in requests:
            count, first = len(self._tracklets[request.position].frames), self._first_frames[request.position]
            if request.draw is None:
                positions = restricted_begin(count, self._clip_length)
                changes += [UNCHANGED] * len(positions)
            else:
                rng = random.Random(request.draw)
                positions = TRAINING_CLIPS[self._choice](count, self._clip_length, rng)
                changes += draw_changes(len(positions), self._frame_bank.image_size, self._augmentation, rng)
            numbers += [first + position for position in positions]
        frames = self._room_for(len(numbers))
        self._frame_bank.gather(np.array(numbers, dtype=np.int64), frames.numpy())
        change_frames(frames.numpy(), changes, self._augmentation)
        erasures = torch.tensor([change.erasure for change in changes])
        return ClipBatch(
            # The colours of a pixel stay together: the last bit of a convolution hangs on that.
            frames=rearrange(frames, "(clip frame) h w channel -> clip frame channel h w", clip=len(requests)),
            erasures=rearrange(erasures, "(clip frame) side -> clip frame side", clip=len(requests)),
            platforms=torch.tensor([self._tracklets[request.position].platform.number for request in requests]),
            labels=torch.tensor([self._labels[request.position] for request in requests]),
        )

    def _room_for(self, count: int) -> UInt8[Tensor, "frame height width 3"]:
        """Memory for frames; where a GPU trains, such as it copies from while it computes (not run: none at hand)."""
        shape = (count, *self._frame_bank.image_size, 3)
        if self._processes.device.type == "cuda":
            return torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        return torch.from_numpy(np.empty(shape, dtype=np.uint8))
