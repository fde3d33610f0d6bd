"""Training of a method of the comparison: benchmark in, one stage, checkpoint and scores out."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skyreid.baselines.baseline import Baseline
from skyreid.baselines.building import build_baseline
from skyreid.baselines.tf_clip import TfClip
from skyreid.clips.frame_bank import FrameBank
from skyreid.clips.normalization import normalize
from skyreid.config_json import to_json
from skyreid.datasets import read_benchmark
from skyreid.datasets.benchmark import Benchmark
from skyreid.datasets.data_hash import data_sha256, hash_benchmark
from skyreid.distributed import Workers
from skyreid.errors import SettingError
from skyreid.extraction.loading import BASELINE
from skyreid.pretrained.clip_tower import load_clip_tower
from skyreid.pretrained.imagenet import load_imagenet
from skyreid.progress import Progress, silent
from skyreid.training.baseline_config import BaselineConfig
from skyreid.training.finishing import RunFacts, RunResult, finish_run, read_finished
from skyreid.training.one_epoch import train_epoch
from skyreid.training.optimizer import make_optimizer
from skyreid.training.resuming import Resumable
from skyreid.training.run_folder import locked_run, open_run, refuse_taken
from skyreid.training.starting_model import read_pair
from skyreid.training.training_clips import TrainingClips


class BaselineStep(nn.Module):
    """One batch to its losses; the network runs in the precision of the run, losses in float32."""

    def __init__(self, model: Baseline) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        frames: Float[Tensor, "clip frame channel height width"],
        platforms: Int[Tensor, " clip"],
        labels: Int[Tensor, " clip"],
    ) -> dict[str, Float[Tensor, ""]]:
        outputs = self.model(frames, platforms)
        with torch.autocast(frames.device.type, enabled=False):
            return self.model.losses({name: output.float() for name, output in outputs.items()}, labels)


def train_baseline(config: BaselineConfig, *, resume: bool = False, progress: Progress = silent) -> RunResult:
    """Train a method, or go on with a run that was stopped, and evaluate the last epoch.

    Raises:
        DatasetError: the benchmark is not what its format says.
        CheckpointError: the run folder or the pretrained weights do not fit.
        SettingError: more than one process, or sizes that the method cannot have.
    """
    refuse_taken(config.run_dir, resume=resume)
    workers = Workers(precision=config.precision)
    if workers.world_size > 1:
        raise SettingError(
            f"the methods of the comparison are trained by one process, since their batch normalisation must see "
            f"the whole batch; got {workers.world_size}"
        )
    bank = FrameBank(config.image_size, capacity_bytes=int(config.frame_bank_gb * 1e9))
    benchmark = read_benchmark(config.benchmark, config.data_root, split=config.split)
    clips = _training_clips(config, benchmark, bank, workers)
    # What cannot work is refused before a minute is spent on it, and leaves no folder behind.
    clips.check_batches(config.sampler)
    model = _starting_model(config, clips.num_identities)
    benchmark = hash_benchmark(benchmark, progress=progress)
    clips = _training_clips(config, benchmark, bank, workers)
    with locked_run(config.run_dir, is_first=True):
        folder = open_run(config.run_dir, to_json(config), data_sha256=data_sha256(benchmark.tracklets), resume=resume)
        if (finished := read_finished(config.run_dir, benchmark)) is not None:
            return finished
        training = Resumable(model, model.state_dict().keys(), folder, workers, progress)
        model.to(workers.device)
        if not training.is_done(1, config.epochs):
            _train(model, training, clips, workers, config, steps_per_epoch=clips.num_batches(config.sampler, epoch=1))
        return finish_run(
            model,
            model,
            benchmark,
            bank,
            workers,
            RunFacts(
                run_dir=config.run_dir,
                benchmark=config.benchmark,
                model={"kind": BASELINE, "model": to_json(config.model_of(clips.num_identities))},
                training=to_json(config),
                epochs=config.epochs,
                seed=config.seed,
                pretrained=config.pretrained,
            ),
            config.extraction,
            progress=progress,
        )


def _training_clips(config: BaselineConfig, benchmark: Benchmark, bank: FrameBank, workers: Workers) -> TrainingClips:
    return TrainingClips(
        benchmark.train,
        bank,
        workers,
        clip_length=config.clip_length,
        augmentation=config.augmentation,
        seed=config.seed,
        threads=config.extraction.threads,
        choice=config.choice,
    )


def _starting_model(config: BaselineConfig, num_identities: int) -> Baseline:
    """Same seed and pretrained weights, same model."""
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        model = build_baseline(config.model_of(num_identities))
    if config.pretrained is not None:
        if isinstance(model, TfClip):
            load_clip_tower(model, read_pair(config.pretrained))
        else:
            load_imagenet(model, config.pretrained)
    return model


def _train(
    model: Baseline,
    training: Resumable,
    clips: TrainingClips,
    workers: Workers,
    config: BaselineConfig,
    *,
    steps_per_epoch: int,
) -> None:
    if not training.is_begun:
        model.eval()
        model.look_at(_plain_clips(clips, workers, config.extraction.batch_size))
    optimizer = make_optimizer(model, config.optimizer)
    epochs = training.epochs(1, config.epochs, optimizer, steps_per_epoch=steps_per_epoch)
    prepared_step, prepared_optimizer = workers.prepare(BaselineStep(model), optimizer)
    for epoch in epochs:
        with torch.random.fork_rng():
            # Dropout draws from torch's own generator; an epoch that is run again must draw the same.
            torch.manual_seed(config.seed * 1_000_003 + epoch)
            train_epoch(
                prepared_step,
                prepared_optimizer,
                clips.epoch(config.sampler, epoch),
                learning_rate=config.learning_rate(epoch),
                erase_fill=config.augmentation.erase_fill,
                workers=workers,
                report=epochs.report,
            )


def _plain_clips(
    clips: TrainingClips, workers: Workers, batch_size: int
) -> Iterator[tuple[Float[Tensor, "clip frame channel height width"], Int[Tensor, " clip"], Int[Tensor, " clip"]]]:
    for batch in clips.once_plain(batch_size):
        on_device = batch.to(workers.device)
        yield normalize(on_device.frames), on_device.platforms, on_device.labels
