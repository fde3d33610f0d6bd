"""A whole run: benchmark in, two stages, checkpoint and scores out.

    Benchmark.train → stage 1 (identity prompt against stored features) → stage 2 (image tower
    against the sentences) → checkpoint → extraction → evaluation

Source: paper section 4.2; METHOD sections 5, 6 and 9. Scores are those of the last epoch: the test
set never chooses one (METHOD section 0, rule 6).
"""

from dataclasses import dataclass
from pathlib import Path

from skyreid.checkpoint import provenance_of_this_run, write_checkpoint
from skyreid.clips.frame_bank import FrameBank
from skyreid.config_json import to_json
from skyreid.datasets import read_benchmark
from skyreid.datasets.benchmark import Benchmark
from skyreid.datasets.manifest import tracklets_sha256
from skyreid.distributed import Workers
from skyreid.evaluation.ranking_scores import Scores, evaluate
from skyreid.extraction.embed_tracklets import ExtractionConfig, embed_tracklets
from skyreid.models.vsla_clip import VslaClip
from skyreid.progress import Progress, silent
from skyreid.retrieval.embedding_table import EmbeddingTable, save_table
from skyreid.tracklet import training_labels
from skyreid.training.run import Run
from skyreid.training.run_folder import open_run
from skyreid.training.starting_model import build_model
from skyreid.training.training_clips import TrainingClips
from skyreid.training.two_stage_config import TwoStageConfig


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
    bank = _frame_bank(config)
    clips = TrainingClips(
        benchmark.train,
        bank,
        workers,
        clip_length=config.clip_length,
        augmentation=config.augmentation,
        seed=config.seed,
        threads=config.extraction.threads,
    )
    run = Run(config, clips, workers, folder, progress)
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
    query, gallery = _embed_test_set(model, benchmark, bank, workers, config.extraction, progress)
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


def embed_untrained(
    config: TwoStageConfig, benchmark: Benchmark, *, progress: Progress = silent
) -> tuple[EmbeddingTable, EmbeddingTable]:
    """Embed query and gallery with the model that a run starts from: what training has to beat."""
    workers = Workers(precision=config.precision)
    model = build_model(config, num_identities=len(training_labels(benchmark.train))).to(workers.device)
    return _embed_test_set(model, benchmark, _frame_bank(config), workers, config.extraction, progress)


def _embed_test_set(
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


def _frame_bank(config: TwoStageConfig) -> FrameBank:
    return FrameBank(config.model.image.image_size, capacity_bytes=int(config.frame_bank_gb * 1e9))
