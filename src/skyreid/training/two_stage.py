"""A whole run: benchmark in, two stages, checkpoint and scores out.

    Benchmark.train → stage 1 (identity prompt against stored features) → stage 2 (image tower
    against the sentences) → checkpoint → extraction → evaluation

Source: paper section 4.2; METHOD sections 5, 6 and 9. Scores are those of the last epoch: the test
set never chooses one (METHOD section 0, rule 6).
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Adam

from skyreid.checkpoint import load_strictly, provenance_of_this_run, read_checkpoint, write_checkpoint
from skyreid.clips.augmentation import AugmentationConfig
from skyreid.clips.frame_bank import FrameBank
from skyreid.config_json import from_json, to_json
from skyreid.datasets import read_benchmark
from skyreid.datasets.benchmark import Benchmark
from skyreid.datasets.manifest import tracklets_sha256
from skyreid.distributed import Precision, Workers
from skyreid.errors import CheckpointError
from skyreid.evaluation.ranking_scores import Scores, evaluate
from skyreid.extraction.embed_tracklets import ExtractionConfig, embed_tracklets
from skyreid.models.clip_pair import ClipPair, start_from_pair
from skyreid.models.vsla_clip import VslaClip, VslaClipConfig
from skyreid.progress import Progress, silent
from skyreid.retrieval.embedding_table import EmbeddingTable, save_table
from skyreid.training.epochs import Epochs
from skyreid.training.optimizer import make_adam
from skyreid.training.run_folder import RunFolder, TrainingState, open_run
from skyreid.training.stage1 import Stage1Config, stage1_epoch
from skyreid.training.stage2 import Stage2Config, Stage2Step, stage2_epoch
from skyreid.training.training_clips import TrainingClips

IDENTITIES_AT_ONCE = 64
"""Sentences that the frozen text tower encodes in one go."""


@dataclass(frozen=True, kw_only=True)
class TwoStageConfig:
    benchmark: str
    """A name of `skyreid data list`."""
    data_root: Path
    """Folder of the benchmark."""
    run_dir: Path
    """Folder that the run writes."""
    split: int = 0
    """Of benchmarks with several splits."""
    pretrained: Path | None = None
    """Checkpoint folder of a pretrained CLIP pair (`skyreid model import`); None = random towers."""
    model: VslaClipConfig = field(default_factory=VslaClipConfig)
    clip_length: int = 8
    """Frames a clip."""
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    stage1: Stage1Config = field(default_factory=Stage1Config)
    """Not run when no loss of stage 2 needs text (the paper's baseline)."""
    stage2: Stage2Config = field(default_factory=Stage2Config)
    extraction: ExtractionConfig = field(default_factory=ExtractionConfig)
    seed: int = 1234
    precision: Precision = "auto"
    frame_bank_gb: float = 8.0
    """Memory for decoded frames; what does not fit is decoded again."""


@dataclass(frozen=True, kw_only=True)
class TwoStageResult:
    """What a finished run leaves."""

    scores: Scores
    query: EmbeddingTable
    gallery: EmbeddingTable
    checkpoint: Path


def train(config: TwoStageConfig, *, resume: bool = False, progress: Progress = silent) -> TwoStageResult:
    """Run both stages, or go on with a run that was stopped, and evaluate the last epoch.

    Raises:
        DatasetError: the benchmark is not what its format says.
        CheckpointError: the run folder or the pretrained weights do not fit.
    """
    benchmark = read_benchmark(config.benchmark, config.data_root, split=config.split)
    workers = Workers(precision=config.precision)
    folder = workers.first_then_others(lambda: open_run(config.run_dir, to_json(config), resume=resume))
    bank = FrameBank(config.model.image.image_size, capacity_bytes=int(config.frame_bank_gb * 1e9))
    clips = TrainingClips(
        benchmark.train,
        bank,
        workers,
        clip_length=config.clip_length,
        augmentation=config.augmentation,
        seed=config.seed,
        threads=config.extraction.threads,
    )
    run = _Run(config, clips, workers, folder, progress)
    if config.stage2.loss.needs_text and not run.is_done(1, config.stage1.epochs):
        run.stage1(config.stage1)
    if not run.is_done(2, config.stage2.epochs):
        run.stage2(config.stage2)
    return _finish(config, benchmark, run.model, bank, workers, progress)


def _finish(
    config: TwoStageConfig,
    benchmark: Benchmark,
    model: VslaClip,
    bank: FrameBank,
    workers: Workers,
    progress: Progress,
) -> TwoStageResult:
    """Embed the test set, score it, write the checkpoint."""
    query, gallery = embed_benchmark(model, benchmark, bank, workers, config.extraction, progress)
    scores = evaluate(query, gallery, benchmark.protocol)
    folder = config.run_dir / "checkpoint"
    if workers.is_first:
        save_table(config.run_dir / "query.npz", query)
        save_table(config.run_dir / "gallery.npz", gallery)
        data_sha256 = tracklets_sha256((*benchmark.train, *benchmark.query, *benchmark.gallery))
        write_checkpoint(
            folder,
            weights=model.state_dict(),
            config={
                "kind": "vsla-clip",
                "model": to_json(config.model),
                "num_identities": model.num_identities,
                "training": to_json(config),
            },
            provenance=provenance_of_this_run(seed=config.seed, world_size=workers.world_size, data_sha256=data_sha256),
            metrics={"benchmark": config.benchmark, "epoch": config.stage2.epochs, **scores.to_json()},
        )
    workers.wait_for_all()
    return TwoStageResult(scores=scores, query=query, gallery=gallery, checkpoint=folder)


def build_model(config: TwoStageConfig, *, num_identities: int) -> VslaClip:
    """Make the model that a run starts from: same seed and pretrained weights, same model."""
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        model = VslaClip(config.model, num_identities=num_identities)
    if config.pretrained is not None:
        start_from_pair(model, _read_pair(config.pretrained))
    return model


def embed_benchmark(
    model: VslaClip,
    benchmark: Benchmark,
    bank: FrameBank,
    workers: Workers,
    config: ExtractionConfig,
    progress: Progress,
) -> tuple[EmbeddingTable, EmbeddingTable]:
    """Embed query and gallery with a model on `workers.device`."""
    model.eval()
    query, gallery = (
        embed_tracklets(model.encoder, tracklets, bank, workers, config, progress=progress)
        for tracklets in (benchmark.query, benchmark.gallery)
    )
    return query, gallery


class _Run:
    """One run in progress: what both stages share."""

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
        self.initial_sha256 = _digest(self.model)
        self.changing = _names_that_change(self.model, config)
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
        step = Stage2Step(self.model, self.workers, config.loss)
        prepared_step, prepared_optimizer = self.workers.prepare(step, optimizer)
        for epoch in epochs:
            stage2_epoch(
                prepared_step,
                prepared_optimizer,
                self.clips.epoch(config.sampler, epoch),
                texts,
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


def train_in_stage2(model: VslaClip, config: Stage2Config) -> None:
    """Let gradients flow into what stage 2 trains under `config`, and into nothing else."""
    heads = {"final": model.head_final, "joint": model.head_joint}
    model.train_in_stage2(config.tuned, [heads[name] for name in config.loss.identity_on])


def _names_that_change(model: VslaClip, config: TwoStageConfig) -> set[str]:
    """Tensors that some stage trains, and the running statistics of the heads."""
    names = {name for name, _ in model.named_buffers()}
    if config.stage2.loss.needs_text:
        model.train_in_stage1()
        names |= {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    train_in_stage2(model, config.stage2)
    return names | {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def _digest(model: VslaClip) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _generator(seed: int, epoch: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed * 1_000_003 + epoch)


def _read_pair(folder: Path) -> ClipPair:
    checkpoint = read_checkpoint(folder)
    vocabulary = checkpoint.config.get("vocabulary")
    if checkpoint.config.get("kind") != "clip-pair" or not isinstance(vocabulary, int):
        raise CheckpointError(
            f"{folder}: training starts from a pretrained CLIP pair; got {checkpoint.config.get('kind')!r} "
            "(make one by 'skyreid model import openai FILE --out DIR')"
        )
    pair = ClipPair(from_json(VslaClipConfig, checkpoint.config.get("model")), vocabulary=vocabulary)
    load_strictly(pair, checkpoint.weights, origin=str(folder))
    return pair
