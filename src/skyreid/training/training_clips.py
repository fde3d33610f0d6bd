"""The clips that a run trains on: which ones, in which order, which part belongs to this process."""

from collections.abc import Iterator, Sequence

from skyreid.clips.augmentation import AugmentationConfig
from skyreid.clips.clip_batch import ClipBatch
from skyreid.clips.clip_loader import ClipReader, ClipRequest, load_batches
from skyreid.clips.frame_bank import FrameBank
from skyreid.clips.frame_sampling import restricted_begin
from skyreid.clips.identity_sampler import IdentitySamplerConfig, identity_batches
from skyreid.distributed import Workers
from skyreid.tracklet import Tracklet, training_labels


class TrainingClips:
    """Deals training tracklets out as batches of clips; the same seed and epoch give the same clips."""

    def __init__(
        self,
        tracklets: Sequence[Tracklet],
        bank: FrameBank,
        workers: Workers,
        *,
        clip_length: int,
        augmentation: AugmentationConfig,
        seed: int,
        threads: int,
    ) -> None:
        label_of = training_labels(tracklets)
        self.num_identities = len(label_of)
        self._tracklets = tracklets
        self._labels = [label_of[tracklet.pid] for tracklet in tracklets]
        self._bank = bank
        self._workers = workers
        self._clip_length = clip_length
        self._augmentation = augmentation
        self._seed = seed
        self._threads = threads

    def num_batches(self, sampler: IdentitySamplerConfig, epoch: int) -> int:
        """Batches of one epoch."""
        return len(identity_batches(self._labels, sampler, seed=self._seed, epoch=epoch))

    def augmented(self, sampler: IdentitySamplerConfig, epoch: int) -> Iterator[ClipBatch]:
        """Yield this process's part of every batch of one epoch, under augmentation."""
        batches = [
            self._workers.share(
                [
                    ClipRequest(
                        self._tracklets[position],
                        label=self._labels[position],
                        draw=f"clip/{self._seed}/{epoch}/{number}/{slot}",
                    )
                    for slot, position in enumerate(batch)
                ]
            )
            for number, batch in enumerate(identity_batches(self._labels, sampler, seed=self._seed, epoch=epoch))
        ]
        reader = ClipReader(self._bank, clip_length=self._clip_length, augmentation=self._augmentation)
        return load_batches(reader, batches, threads=self._threads)

    def plain(self, batch_size: int) -> Iterator[ClipBatch]:
        """Yield this process's part of the test-time clips of all training tracklets."""
        requests = [
            ClipRequest(tracklet, label=label, frames=tuple(restricted_begin(len(tracklet.frames), self._clip_length)))
            for tracklet, label in zip(self._tracklets, self._labels, strict=True)
        ]
        part = self._workers.uneven_share(requests)
        reader = ClipReader(self._bank, clip_length=self._clip_length, augmentation=None)
        batches = [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
        return load_batches(reader, batches, threads=self._threads)
