"""One training run, whatever is trained: what it is told, what its parts share, how it begins and how it ends.

    Benchmark.train → clips → a method's epochs → checkpoint → embeddings of the test set → scores

`two_stage.py` and `baseline_training.py` tell the story of their method with these parts. Scores are those of the last
epoch: the test set never chooses one (docs/method.md, "Where we differ").
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import Tensor, nn

from skyreid.checkpoint import WEIGHTS_FILE, provenance_of_this_run, weights_sha256, write_checkpoint
from skyreid.clips.augmentation import AugmentationConfig
from skyreid.clips.frame_bank import FrameBank
from skyreid.clips.frame_sampling import TrainingChoice
from skyreid.datasets import read_benchmark
from skyreid.datasets.benchmark import Benchmark
from skyreid.datasets.data_hash import data_sha256, hash_benchmark
from skyreid.evaluation.ranking_scores import Scores, evaluate
from skyreid.extraction.embed_tracklets import Encoder, ExtractionConfig, embed_tracklets
from skyreid.files.atomic_file import sweep_leftovers
from skyreid.files.config_json import to_json
from skyreid.files.regular_file import file_sha256
from skyreid.files.strict_json import Json
from skyreid.processes.distributed import Precision, Processes
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.embedding_table import EmbeddingTable, load_table, save_table
from skyreid.training.run_folder import RunFolder, locked_run, open_run, refuse_taken
from skyreid.training.training_clips import TrainingClips


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What every run is told; a method's own configuration adds its fields."""

    benchmark: str
    """A name of `skyreid data list`."""
    data_root: Path
    """Folder of the benchmark."""
    run_dir: Path
    """Folder that the run writes."""
    split: int = 0
    """Of benchmarks with several splits."""
    pretrained: Path | None = None
    """What training starts from: the checkpoint folder of a CLIP pair (`skyreid model import`), or, for a method on a
    ResNet-50 or PiT, the file of published ImageNet weights (torchvision's, timm's); None = random weights."""
    clip_length: int = 8
    """Frames a clip."""
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    extraction: ExtractionConfig = field(default_factory=ExtractionConfig)
    seed: int = 1234
    precision: Precision = "auto"
    frame_bank_gb: float = 8.0
    """Disk in the run's folder for decoded training frames, until the training ends; frames that do not fit are decoded
    whenever they are used."""

    def epoch_seed(self, epoch: int) -> int:
        """Seed of all that is drawn in an epoch, from 1: an epoch that is run again draws the same."""
        return self.seed * 1_000_003 + epoch


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a finished run leaves."""

    scores: Scores
    query: EmbeddingTable
    gallery: EmbeddingTable
    checkpoint: Path
    was_finished: bool = False
    """Whether an earlier process had come to this end, so that nothing was trained or written."""


class Run:
    """What the parts of one run share: processes, benchmark, clips, folder.

    It begins without a folder, so that settings which cannot work leave none behind; `opened` takes the folder.

    Args:
        config: of the run.
        image_size: (height, width) of a frame in pixels.
        choice: how the frames of a training clip are drawn.
        resume: whether the folder may hold a run already.
        progress: told after every step and batch.

    Raises:
        DatasetError: the benchmark is not what its format says.
        CheckpointError: the folder holds a run that nobody asked to go on with.
    """

    def __init__(
        self,
        config: RunConfig,
        *,
        image_size: tuple[int, int],
        choice: TrainingChoice = "restricted",
        resume: bool = False,
        progress: Progress = silent,
    ) -> None:
        refuse_taken(config.run_dir, resume=resume)
        self.config = config
        self.progress = progress
        self.processes = Processes(precision=config.precision)
        self._image_size = image_size
        self.benchmark = read_benchmark(config.benchmark, config.data_root, split=config.split)
        self._choice: TrainingChoice = choice
        self._resume = resume
        self.clips = self._training_clips()

    @contextmanager
    def opened(self) -> Iterator[RunFolder]:
        """Hash the pictures, and hold the folder while the run is in it.

        Raises:
            CheckpointError: another training is at work there, or it holds a run of other settings or pictures.
        """
        self.benchmark = self.processes.first_then_others(
            lambda: hash_benchmark(self.benchmark, progress=self.progress)
        )
        self.clips = self._training_clips()
        with locked_run(self.config.run_dir, is_first=self.processes.is_first):
            yield self.processes.first_then_others(
                lambda: open_run(
                    self.config.run_dir,
                    to_json(self.config),
                    data_sha256=data_sha256(self.benchmark.tracklets),
                    resume=self._resume,
                )
            )
            self.processes.wait_for_all()
            self.clips.forget_frames()  # not after an error or an interruption: the run may be gone on with

    def read_finished(self) -> RunResult | None:
        """Read what an earlier process left in the folder; None where it did not come to the end.

        Raises:
            TableError: a table is damaged.
        """
        return self.processes.first_then_others(lambda: _read_finished(self.config.run_dir, self.benchmark))

    def finish(
        self,
        encoder: Encoder,
        model: nn.Module,
        description: Mapping[str, Json],
        *,
        epochs: int,
        beside: Mapping[str, Tensor] | None = None,
    ) -> RunResult:
        """Embed the test set with the last epoch's weights, score it, write checkpoint, query.npz and gallery.npz.

        Args:
            encoder: what embeds; on `processes.device`.
            model: what is written: `encoder`, or the whole that it is a part of.
            description: kind and configuration of `model`: what rebuilds it without the training data.
            epochs: that it was trained for.
            beside: tensors that the checkpoint keeps beside the model's own.
        """
        config = self.config
        model.eval()
        query, gallery = embed_test_set(
            encoder, self.benchmark, self.processes, config.extraction, progress=self.progress
        )
        scores = evaluate(query, gallery, self.benchmark.protocol)
        folder = config.run_dir / "checkpoint"
        if self.processes.is_first:
            write_checkpoint(
                folder,
                weights={**model.state_dict(), **(beside or {})},
                config={
                    **description,
                    "feeding": to_json(config.extraction.feeding_of(encoder)),
                    "training": to_json(config),
                },
                provenance={
                    **provenance_of_this_run(
                        seed=config.seed,
                        world_size=self.processes.world_size,
                        data_sha256=data_sha256(self.benchmark.tracklets),
                    ),
                    "pretrained_sha256": None if config.pretrained is None else _sha256(config.pretrained),
                },
                metrics={"benchmark": config.benchmark, "epoch": epochs, **scores.to_json()},
            )
            sha256 = weights_sha256(folder)
            save_table(config.run_dir / "query.npz", replace(query, model=sha256))
            save_table(config.run_dir / "gallery.npz", replace(gallery, model=sha256))
        self.processes.wait_for_all()
        return RunResult(scores=scores, query=query, gallery=gallery, checkpoint=folder)

    def _training_clips(self) -> TrainingClips:
        bank = FrameBank(
            self.config.run_dir,
            [frame for tracklet in self.benchmark.train for frame in tracklet.frames],
            self._image_size,
            capacity_bytes=int(self.config.frame_bank_gb * 1e9),
            machine=self.processes.machine,
        )
        return TrainingClips(
            self.benchmark.train,
            bank,
            self.processes,
            clip_length=self.config.clip_length,
            augmentation=self.config.augmentation,
            seed=self.config.seed,
            threads=self.config.extraction.threads,
            choice=self._choice,
            progress=self.progress,
        )


def embed_test_set(
    encoder: Encoder,
    benchmark: Benchmark,
    processes: Processes,
    extraction: ExtractionConfig,
    *,
    progress: Progress = silent,
) -> tuple[EmbeddingTable, EmbeddingTable]:
    """Embed query and gallery with an encoder in evaluation mode, on `processes.device`."""
    query, gallery = (
        embed_tracklets(
            encoder,
            tracklets,
            processes,
            extraction.feeding_of(encoder),
            batch_size=extraction.batch_size,
            threads=extraction.threads,
            progress=progress,
        )
        for tracklets in (benchmark.query, benchmark.gallery)
    )
    return query, gallery


def _read_finished(run_dir: Path, benchmark: Benchmark) -> RunResult | None:
    folder, paths = run_dir / "checkpoint", (run_dir / "query.npz", run_dir / "gallery.npz")
    sweep_leftovers(run_dir)  # a checkpoint may be left that was just to be named
    if not (folder / WEIGHTS_FILE).exists() or not all(path.exists() for path in paths):
        return None
    query, gallery = (load_table(path) for path in paths)
    if {query.model, gallery.model} != {weights_sha256(folder)}:
        return None  # the checkpoint is written before its tables
    scores = evaluate(query, gallery, benchmark.protocol)
    return RunResult(scores=scores, query=query, gallery=gallery, checkpoint=folder, was_finished=True)


def _sha256(pretrained: Path) -> str:
    """Hash the very weights, so that a result can be traced to them."""
    return weights_sha256(pretrained) if pretrained.is_dir() else file_sha256(pretrained)
