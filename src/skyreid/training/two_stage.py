"""VSLA-CLIP, FT-CLIP and CLIP-ReID trained in two stages.

    stage 1: a sentence for every identity, against features of the frozen towers
    stage 2: the image tower, against those sentences

Source: paper section 4.2; METHOD sections 5, 6 and 9.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from skyreid.checkpoint import read_checkpoint
from skyreid.datasets.benchmark import Benchmark
from skyreid.files.config_json import to_json
from skyreid.files.strict_json import Json
from skyreid.models.tower_pair import start_from_pair
from skyreid.models.vsla_clip import VslaClip, VslaClipConfig
from skyreid.pretrained.pair_checkpoint import read_pair
from skyreid.processes.distributed import Processes
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.tracklet import training_labels
from skyreid.training.epochs import Resumable
from skyreid.training.memory import check_memory
from skyreid.training.run import Run, RunConfig, RunResult, embed_test_set
from skyreid.training.stage1 import Stage1Config, train_stage1
from skyreid.training.stage2 import Stage2Config, train_stage2
from skyreid.training.training_clips import TrainingClips


@dataclass(frozen=True, kw_only=True)
class TwoStageConfig(RunConfig):
    model: VslaClipConfig = field(default_factory=VslaClipConfig)
    stage1: Stage1Config = field(default_factory=Stage1Config)
    """Not run when no loss of stage 2 needs text (the paper's baseline)."""
    stage2: Stage2Config = field(default_factory=Stage2Config)

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of a frame in pixels."""
        return self.model.image.image_size


def train_two_stages(config: TwoStageConfig, *, resume: bool = False, progress: Progress = silent) -> RunResult:
    """Run both stages, or go on with a run that was stopped, and evaluate the last epoch.

    Raises:
        DatasetError: the benchmark is not what its format says.
        CheckpointError: the run folder or the pretrained weights do not fit.
        SettingError: settings that cannot work with this benchmark; the run folder is not begun.
    """
    run = Run(config, image_size=config.image_size, resume=resume, progress=progress)
    # What cannot work is refused before a minute is spent on it, and leaves no folder behind.
    _check(config, run.clips)
    memory = check_memory(
        config.model,
        config.stage2,
        run.processes,
        frames=config.clip_length,
        num_identities=run.clips.num_identities,
    )
    progress("memory", 1, 1, memory)
    model = build_model(config, num_identities=run.clips.num_identities)
    with run.opened() as folder:
        if (finished := run.read_finished()) is not None:
            return finished
        training = Resumable(model, names_that_change(model, config), folder, run.processes, progress)
        model.to(run.processes.device)
        # The last bit of a product hangs on whether its factors are trained (PyTorch folds it or not): whatever is left
        # to do, features and tables are made as stage 2 makes its own.
        model.train_in_stage2(config.stage2.tuned, config.stage2.loss.identity_on)
        stage1, stage2 = config.stage1, config.stage2
        if stage2.loss.needs_text and not training.is_done(1, stage1.epochs):
            train_stage1(model, stage1, run, training, folder, sampler=stage2.sampler)
        if not training.is_done(2, stage2.epochs):
            train_stage2(model, stage2, run, training)
        tokens, told = _tokens_of(config)
        description = {
            "kind": "vsla-clip",
            "model": to_json(config.model),
            "num_identities": model.num_identities,
            **told,
        }
        return run.finish(model.encoder, model, description, epochs=stage2.epochs, beside=tokens)


def _tokens_of(config: TwoStageConfig) -> tuple[dict[str, Tensor], dict[str, Json]]:
    """Give the pair's token embedding and what says what its tokens stand for: by them a text can be asked with."""
    if config.pretrained is None:
        return {}, {}
    pair = read_checkpoint(config.pretrained)
    name = "token_embedding.weight"
    return {name: pair.weights[name]}, {key: pair.config[key] for key in ("vocabulary", "words") if key in pair.config}


def build_model(config: TwoStageConfig, *, num_identities: int) -> VslaClip:
    """Make the model that a run starts from: same seed and pretrained weights, same model."""
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        model = VslaClip(config.model, num_identities=num_identities)
    if config.pretrained is not None:
        start_from_pair(model, read_pair(config.pretrained))
    return model


def names_that_change(model: VslaClip, config: TwoStageConfig) -> set[str]:
    """Name the tensors that some stage trains, and the running statistics of the heads."""
    names = {name for name, _ in model.named_buffers()} | model.names_of_stage2(
        config.stage2.tuned, config.stage2.loss.identity_on
    )
    return names | model.names_of_stage1() if config.stage2.loss.needs_text else names


def embed_untrained(
    config: TwoStageConfig, benchmark: Benchmark, *, progress: Progress = silent
) -> tuple[EmbeddingTable, EmbeddingTable]:
    """Embed query and gallery with the model that a run starts from: what training has to beat."""
    processes = Processes(precision=config.precision)
    model = build_model(config, num_identities=len(training_labels(benchmark.train))).to(processes.device).eval()
    return embed_test_set(model.encoder, benchmark, processes, config.extraction, progress=progress)


def _check(config: TwoStageConfig, clips: TrainingClips) -> None:
    clips.check_batches(config.stage2.sampler)
    if config.stage2.loss.needs_text:
        is_augmented = config.stage1.augmented_features
        config.stage1.check_num_features(clips.num_features(config.stage2.sampler, is_augmented=is_augmented))
