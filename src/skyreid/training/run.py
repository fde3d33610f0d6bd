"""One run in progress: both stages, each from its first unfinished epoch."""

import torch
from torch import Tensor

from skyreid.distributed import Workers
from skyreid.models.vsla_clip import VslaClip
from skyreid.progress import Progress
from skyreid.training.one_epoch import train_epoch
from skyreid.training.optimizer import make_adam
from skyreid.training.resuming import Resumable
from skyreid.training.run_folder import RunFolder
from skyreid.training.stage1 import Stage1Config, stage1_epoch
from skyreid.training.stage2 import Stage2Config, Stage2Step
from skyreid.training.starting_model import names_that_change, train_in_stage2
from skyreid.training.training_clips import TrainingClips
from skyreid.training.two_stage_config import TwoStageConfig

IDENTITIES_AT_ONCE = 64
"""Sentences that the frozen text tower encodes in one go."""


class Run:
    """What both stages share: model, clips, processes, folder."""

    def __init__(
        self,
        config: TwoStageConfig,
        model: VslaClip,
        clips: TrainingClips,
        workers: Workers,
        folder: RunFolder,
        progress: Progress,
    ) -> None:
        self.config = config
        self.clips = clips
        self.workers = workers
        self.folder = folder
        self.progress = progress
        self.model = model
        self.training = Resumable(self.model, names_that_change(self.model, config), folder, workers, progress)
        self.model.to(workers.device)

    def stage1(self, config: Stage1Config) -> None:
        """Learn the sentences."""
        features, labels = (part.to(self.workers.device) for part in self._stage1_features(config))
        self.model.train_in_stage1()
        optimizer = make_adam(self.model, config.weight_decay)
        steps = len(features) // config.batch_size
        epochs = self.training.epochs(1, config.epochs, optimizer, steps_per_epoch=max(steps, 1))
        for epoch in epochs:
            order = torch.randperm(len(features), generator=_generator(self.config.seed, epoch))
            with self.workers.mixed_precision():
                stage1_epoch(
                    self.model,
                    optimizer,
                    features,
                    labels,
                    order=order.to(features.device),
                    epoch=epoch,
                    config=config,
                    report=epochs.report,
                )

    def stage2(self, config: Stage2Config) -> None:
        """Adapt the image tower."""
        texts = self._text_features() if config.loss.needs_text else None
        train_in_stage2(self.model, config)
        optimizer = make_adam(self.model, config.weight_decay)
        epochs = self.training.epochs(
            2, config.epochs, optimizer, steps_per_epoch=self.clips.num_batches(config.sampler, epoch=1)
        )
        step = Stage2Step(self.model, self.workers, config.loss, texts)
        prepared_step, prepared_optimizer = self.workers.prepare(step, optimizer)
        for epoch in epochs:
            train_epoch(
                prepared_step,
                prepared_optimizer,
                self.clips.epoch(config.sampler, epoch),
                learning_rate=config.schedule.learning_rate(epoch),
                erase_fill=self.config.augmentation.erase_fill,
                workers=self.workers,
                report=epochs.report,
            )

    @torch.no_grad()
    def _stage1_features(self, config: Stage1Config) -> tuple[Tensor, Tensor]:
        """Features of the bare tower and their labels, computed at most once a run."""
        if (kept := self.folder.load_features(initial_sha256=self.training.initial_sha256)) is not None:
            return kept
        sampler, batch_size = self.config.stage2.sampler, self.config.extraction.batch_size
        is_augmented = config.augmented_features
        clips = self.clips.once_augmented(sampler, batch_size) if is_augmented else self.clips.once_plain(batch_size)
        features, labels = [], []
        for batch in clips:
            pixels = batch.to(self.workers.device).pixels(self.config.augmentation.erase_fill)
            with self.workers.mixed_precision():
                features.append(self.model.encoder.bare_features(pixels).float())
            labels.append(batch.labels)
            self.progress("features for stage 1", len(features), len(features))
        whole = self.workers.gather_rows(torch.cat(features)), self.workers.gather_rows(torch.cat(labels))
        if self.workers.is_first:
            self.folder.save_features(*whole, initial_sha256=self.training.initial_sha256)
        return whole

    @torch.no_grad()
    def _text_features(self) -> Tensor:
        """Text feature of every training identity; frozen in stage 2, so computed once."""
        everyone = torch.arange(self.model.num_identities, device=self.workers.device)
        with self.workers.mixed_precision():
            parts = [self.model.text_features(part).float() for part in everyone.split(IDENTITIES_AT_ONCE)]
        return torch.cat(parts)


def _generator(seed: int, epoch: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed * 1_000_003 + epoch)
