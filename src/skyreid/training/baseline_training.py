"""Training of a method of the comparison, in one stage.

Source: BASELINES sections 2 and 3.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skyreid.baselines import BaselineModel, build_baseline
from skyreid.baselines.baseline import PAPER_SIZE, Baseline, Preset
from skyreid.baselines.tf_clip import TfClip
from skyreid.clips.clip_loader import normalize
from skyreid.clips.frame_sampling import TrainingChoice
from skyreid.clips.identity_sampler import IdentitySamplerConfig
from skyreid.errors import SettingError
from skyreid.extraction.loading import BASELINE
from skyreid.files.config_json import to_json
from skyreid.pretrained.imagenet import load_imagenet
from skyreid.pretrained.pair_checkpoint import load_clip_tower, read_pair
from skyreid.processes.progress import Progress, silent
from skyreid.training.epochs import Resumable, train_epoch
from skyreid.training.optimizer import CosineSchedule, OptimizerConfig, StepSchedule, make_optimizer
from skyreid.training.run import Run, RunConfig, RunResult


@dataclass(frozen=True, kw_only=True)
class BaselineConfig(RunConfig):
    method: str
    """A name in `skyreid.baselines.BASELINES`."""
    preset: Preset = "release"
    image_size: tuple[int, int] = PAPER_SIZE
    """(height, width) of a frame in pixels."""
    choice: TrainingChoice = "restricted"
    """How the frames of a training clip are drawn."""
    sampler: IdentitySamplerConfig = field(default_factory=IdentitySamplerConfig)
    epochs: int
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: StepSchedule | CosineSchedule

    def __post_init__(self) -> None:
        if self.extraction.clip_length != self.clip_length:
            raise SettingError(
                "a method is tested with clips as long as those it is trained with; got "
                f"clip_length={self.clip_length}, extraction.clip_length={self.extraction.clip_length}"
            )

    def model_of(self, num_identities: int) -> BaselineModel:
        """What is built for a number of training identities."""
        return BaselineModel(
            method=self.method,
            preset=self.preset,
            num_classes=num_identities,
            frames=self.clip_length,
            image_size=self.image_size,
        )

    def learning_rate(self, epoch: int) -> float:
        """Learning rate of `epoch`, from 1."""
        if isinstance(self.schedule, CosineSchedule):
            return self.schedule.learning_rate(epoch, self.epochs)
        return self.schedule.learning_rate(epoch)


def train_baseline(config: BaselineConfig, *, resume: bool = False, progress: Progress = silent) -> RunResult:
    """Train a method, or go on with a run that was stopped, and evaluate the last epoch.

    Raises:
        DatasetError: the benchmark is not what its format says.
        CheckpointError: the run folder or the pretrained weights do not fit.
        SettingError: more than one process, or sizes that the method cannot have; the run folder is not begun.
    """
    run = Run(config, image_size=config.image_size, choice=config.choice, resume=resume, progress=progress)
    if run.processes.world_size > 1:
        raise SettingError(
            f"the methods of the comparison are trained by one process, since their batch normalisation must see "
            f"the whole batch; got {run.processes.world_size}"
        )
    # What cannot work is refused before a minute is spent on it, and leaves no folder behind.
    run.clips.check_batches(config.sampler)
    model = _starting_model(config, run.clips.num_identities)
    with run.opened() as folder:
        if (finished := run.read_finished()) is not None:
            return finished
        training = Resumable(model, model.state_dict().keys(), folder, run.processes, progress)
        model.to(run.processes.device)
        if not training.is_done(1, config.epochs):
            _train(model, config, run, training)
        description = {"kind": BASELINE, "model": to_json(config.model_of(run.clips.num_identities))}
        return run.finish(model, model, description, epochs=config.epochs)


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


def _train(model: Baseline, config: BaselineConfig, run: Run, training: Resumable) -> None:
    if not training.is_begun:
        model.eval()
        model.look_at(_plain_clips(run))
    optimizer = make_optimizer(model, config.optimizer)
    steps = run.clips.num_batches(config.sampler, epoch=1)
    epochs = training.epochs(1, config.epochs, optimizer, steps_per_epoch=steps)
    prepared_step, prepared_optimizer = run.processes.prepare(BaselineStep(model), optimizer)
    for epoch in epochs:
        with torch.random.fork_rng():
            # Dropout draws from torch's own generator.
            torch.manual_seed(config.epoch_seed(epoch))
            train_epoch(
                prepared_step,
                prepared_optimizer,
                run.clips.epoch(config.sampler, epoch),
                learning_rate=config.learning_rate(epoch),
                erase_fill=config.augmentation.erase_fill,
                processes=run.processes,
                report=epochs.report,
            )


def _plain_clips(
    run: Run,
) -> Iterator[tuple[Float[Tensor, "clip frame channel height width"], Int[Tensor, " clip"], Int[Tensor, " clip"]]]:
    for batch in run.clips.once_plain(run.config.extraction.batch_size):
        on_device = batch.to(run.processes.device)
        yield normalize(on_device.frames), on_device.platforms, on_device.labels


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
