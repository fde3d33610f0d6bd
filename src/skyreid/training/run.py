"""One run in progress: both stages, each from its first unfinished epoch."""

import torch
from torch import Tensor
from torch.optim import Adam

from skyreid.checkpoint import load_strictly
from skyreid.distributed import Workers
from skyreid.errors import CheckpointError
from skyreid.progress import Progress
from skyreid.training.epochs import Epochs
from skyreid.training.optimizer import make_adam
from skyreid.training.run_folder import RunFolder, TrainingState
from skyreid.training.stage1 import Stage1Config, stage1_epoch
from skyreid.training.stage2 import Stage2Config, Stage2Step, stage2_epoch
from skyreid.training.starting_model import build_model, names_that_change, train_in_stage2, weights_sha256
from skyreid.training.training_clips import TrainingClips
from skyreid.training.two_stage_config import TwoStageConfig

IDENTITIES_AT_ONCE = 64
"""Sentences that the frozen text tower encodes in one go."""


class Run:
    """What both stages share: model, clips, processes, folder."""

    def __init__(
        self,
        config: TwoStageConfig,
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
        self.model = build_model(config, num_identities=clips.num_identities)
        self.initial_sha256 = weights_sha256(self.model)
        self.changing = names_that_change(self.model, config)
        self.state = self._resume()
        self.model.to(workers.device)

    def stage1(self, config: Stage1Config) -> None:
        """Learn the sentences."""
        features, labels = (part.to(self.workers.device) for part in self._stage1_features(config))
        self.model.train_in_stage1()
        optimizer = make_adam(self.model, config.weight_decay)
        steps = len(features) // config.batch_size
        epochs = self._epochs(1, config.epochs, optimizer, steps_per_epoch=max(steps, 1))
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
        epochs = self._epochs(
            2, config.epochs, optimizer, steps_per_epoch=self.clips.num_batches(config.sampler, epoch=1)
        )
        step = Stage2Step(self.model, self.workers, config.loss, texts)
        prepared_step, prepared_optimizer = self.workers.prepare(step, optimizer)
        for epoch in epochs:
            stage2_epoch(
                prepared_step,
                prepared_optimizer,
                self.clips.epoch(config.sampler, epoch),
                epoch=epoch,
                config=config,
                erase_fill=self.config.augmentation.erase_fill,
                workers=self.workers,
                report=epochs.report,
            )

    def _resume(self) -> TrainingState | None:
        state = self.folder.load_state()
        if state is None:
            return None
        if state.initial_sha256 != self.initial_sha256:
            raise CheckpointError(
                f"{self.folder.path}: the run started from other weights (sha256 {state.initial_sha256[:12]}, now "
                f"{self.initial_sha256[:12]}); put the pretrained weights of then back, or start a new run"
            )
        load_strictly(self.model, {**self.model.state_dict(), **state.weights}, origin=str(self.folder.path))
        return state

    def is_done(self, stage: int, epochs: int) -> bool:
        """Tell whether an earlier process finished this stage."""
        return self.state is not None and (self.state.stage, self.state.epoch) >= (stage, epochs)

    def _epochs(self, stage: int, total: int, optimizer: Adam, *, steps_per_epoch: int) -> Epochs:
        """Take up a stage where the state left it."""
        state = self.state if self.state is not None and self.state.stage == stage else None
        if state is not None:
            optimizer.load_state_dict(state.optimizer)
            self.workers.restore_gradient_scaler(state.gradient_scaler)

        def keep(epoch: int, step: int) -> None:
            if self.workers.is_first:
                weights = {name: tensor for name, tensor in self.model.state_dict().items() if name in self.changing}
                self.folder.save_state(
                    TrainingState(
                        stage=stage,
                        epoch=epoch,
                        step=step,
                        weights=weights,
                        optimizer=optimizer.state_dict(),
                        gradient_scaler=self.workers.gradient_scaler_state(),
                        initial_sha256=self.initial_sha256,
                    )
                )

        return Epochs(
            stage=stage,
            total=total,
            finished=state.epoch if state else 0,
            steps=state.step if state else 0,
            steps_per_epoch=steps_per_epoch,
            log_dir=self.folder.path if self.workers.is_first else None,
            keep=keep,
            progress=self.progress,
        )

    @torch.no_grad()
    def _stage1_features(self, config: Stage1Config) -> tuple[Tensor, Tensor]:
        """Features of the bare tower and their labels, computed at most once a run."""
        if (kept := self.folder.load_features()) is not None:
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
            self.folder.save_features(*whole)
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
