"""A whole run: benchmark in, two stages, checkpoint and scores out.

    Benchmark.train → stage 1 (identity prompt against stored features) → stage 2 (image tower
    against the sentences) → checkpoint → extraction → evaluation

Source: paper section 4.2; METHOD sections 5, 6 and 9. Scores are those of the last epoch: the test
set never chooses one (METHOD section 0, rule 6).
"""

from skyreid.clips.frame_bank import FrameBank
from skyreid.config_json import to_json
from skyreid.datasets import read_benchmark
from skyreid.datasets.benchmark import Benchmark
from skyreid.datasets.data_hash import data_sha256, hash_benchmark
from skyreid.distributed import Workers
from skyreid.progress import Progress, silent
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.tracklet import training_labels
from skyreid.training.finishing import RunFacts, RunResult, embed_test_set, finish_run, read_finished
from skyreid.training.run import Run
from skyreid.training.run_folder import locked_run, open_run, refuse_taken
from skyreid.training.starting_model import build_model
from skyreid.training.training_clips import TrainingClips
from skyreid.training.two_stage_config import TwoStageConfig


def train(config: TwoStageConfig, *, resume: bool = False, progress: Progress = silent) -> RunResult:
    """Run both stages, or go on with a run that was stopped, and evaluate the last epoch.

    Raises:
        DatasetError: the benchmark is not what its format says.
        CheckpointError: the run folder or the pretrained weights do not fit.
        SettingError: settings that cannot work with this benchmark; the run folder is not begun.
    """
    refuse_taken(config.run_dir, resume=resume)
    workers = Workers(precision=config.precision)
    bank = _frame_bank(config)
    benchmark = read_benchmark(config.benchmark, config.data_root, split=config.split)
    clips = _training_clips(config, benchmark, bank, workers)
    # What cannot work is refused before a minute is spent on it, and leaves no folder behind.
    clips.check_batches(config.stage2.sampler)
    if config.stage2.loss.needs_text:
        is_augmented = config.stage1.augmented_features
        config.stage1.check_num_features(clips.num_features(config.stage2.sampler, is_augmented=is_augmented))
    model = build_model(config, num_identities=clips.num_identities)
    benchmark = workers.first_then_others(lambda: hash_benchmark(benchmark, progress=progress))
    clips = _training_clips(config, benchmark, bank, workers)
    with locked_run(config.run_dir, is_first=workers.is_first):
        folder = workers.first_then_others(
            lambda: open_run(
                config.run_dir, to_json(config), data_sha256=data_sha256(benchmark.tracklets), resume=resume
            )
        )
        finished = workers.first_then_others(lambda: read_finished(config.run_dir, benchmark))
        if finished is not None:
            return finished
        run = Run(config, model, clips, workers, folder, progress)
        if config.stage2.loss.needs_text and not run.training.is_done(1, config.stage1.epochs):
            run.stage1(config.stage1)
        if not run.training.is_done(2, config.stage2.epochs):
            run.stage2(config.stage2)
        return finish_run(
            run.model.encoder,
            run.model,
            benchmark,
            bank,
            workers,
            RunFacts(
                run_dir=config.run_dir,
                benchmark=config.benchmark,
                model={"kind": "vsla-clip", "model": to_json(config.model), "num_identities": run.model.num_identities},
                training=to_json(config),
                epochs=config.stage2.epochs,
                seed=config.seed,
                pretrained=config.pretrained,
            ),
            config.extraction,
            progress=progress,
        )


def embed_untrained(
    config: TwoStageConfig, benchmark: Benchmark, *, progress: Progress = silent
) -> tuple[EmbeddingTable, EmbeddingTable]:
    """Embed query and gallery with the model that a run starts from: what training has to beat."""
    workers = Workers(precision=config.precision)
    model = build_model(config, num_identities=len(training_labels(benchmark.train))).to(workers.device).eval()
    return embed_test_set(model.encoder, benchmark, _frame_bank(config), workers, config.extraction, progress=progress)


def _training_clips(config: TwoStageConfig, benchmark: Benchmark, bank: FrameBank, workers: Workers) -> TrainingClips:
    return TrainingClips(
        benchmark.train,
        bank,
        workers,
        clip_length=config.clip_length,
        augmentation=config.augmentation,
        seed=config.seed,
        threads=config.extraction.threads,
    )


def _frame_bank(config: TwoStageConfig) -> FrameBank:
    return FrameBank(config.model.image.image_size, capacity_bytes=int(config.frame_bank_gb * 1e9))
