"""The clips that a run trains on: which ones, in which order, which part belongs to this process."""

from collections.abc import Iterator, Sequence

from skyreid.clips.augmentation import AugmentationConfig
from skyreid.clips.clip_loader import ClipBatch, ClipReader, ClipRequest, load_batches
from skyreid.clips.frame_cache import FrameCache
from skyreid.clips.frame_sampling import TrainingChoice, restricted_begin
from skyreid.clips.identity_sampler import IdentitySamplerConfig, identity_batches
from skyreid.errors import SettingError
from skyreid.processes.distributed import Processes
from skyreid.tracklet import Tracklet, training_labels


class TrainingClips:
    """Deals training tracklets out as batches of clips; the same seed and epoch give the same clips."""

    def __init__(
        self,
        tracklets: Sequence[Tracklet],
        frame_cache: FrameCache,
        processes: Processes,
        *,
        clip_length: int,
        augmentation: AugmentationConfig,
        seed: int,
        threads: int,
        choice: TrainingChoice = "restricted",
    ) -> None:
        label_of = training_labels(tracklets)
        self.num_identities = len(label_of)
        self._tracklets = tracklets
        self._labels = [label_of[tracklet.pid] for tracklet in tracklets]
        self._frame_cache = frame_cache
        self._processes = processes
        self._clip_length = clip_length
        self._augmentation = augmentation
        self._seed = seed
        self._threads = threads
        self._choice: TrainingChoice = choice

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
        """Yield this process's part of every batch of one epoch, under augmentation."""
        batches = [self._processes.share(batch) for batch in self._augmented_requests(sampler, epoch)]
        return self._load(batches, self._augmentation)

    def once_augmented(self, sampler: IdentitySamplerConfig, batch_size: int) -> Iterator[ClipBatch]:
        """Yield this process's consecutive part of epoch 0, which stage 2 does not train on."""
        requests = [request for batch in self._augmented_requests(sampler, 0) for request in batch]
        return self._load(self._consecutive_part(requests, batch_size), self._augmentation)

    def once_plain(self, batch_size: int) -> Iterator[ClipBatch]:
        """Yield this process's consecutive part of the test-time clips of all training tracklets."""
        requests = [
            ClipRequest(tracklet, label=label, frames=tuple(restricted_begin(len(tracklet.frames), self._clip_length)))
            for tracklet, label in zip(self._tracklets, self._labels, strict=True)
        ]
        return self._load(self._consecutive_part(requests, batch_size), None)

    def _augmented_requests(self, sampler: IdentitySamplerConfig, epoch: int) -> list[list[ClipRequest]]:
        return [
            [
                ClipRequest(
                    self._tracklets[position],
                    label=self._labels[position],
                    draw=f"clip/{self._seed}/{epoch}/{number}/{slot}",
                )
                for slot, position in enumerate(batch)
            ]
            for number, batch in enumerate(identity_batches(self._labels, sampler, seed=self._seed, epoch=epoch))
        ]

    def _consecutive_part(self, requests: list[ClipRequest], batch_size: int) -> list[list[ClipRequest]]:
        part = self._processes.uneven_share(requests)
        return [part[i : i + batch_size] for i in range(0, len(part), batch_size)]

    def _load(
        self, batches: Sequence[Sequence[ClipRequest]], augmentation: AugmentationConfig | None
    ) -> Iterator[ClipBatch]:
        reader = ClipReader(
            self._frame_cache, clip_length=self._clip_length, augmentation=augmentation, choice=self._choice
        )
        return load_batches(reader, batches, threads=self._threads)
