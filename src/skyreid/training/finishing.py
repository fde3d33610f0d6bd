"""The end of every run: embed the test set with the last epoch's weights, score it, write the checkpoint."""

from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from skyreid.atomic_file import sweep_leftovers
from skyreid.checkpoint import WEIGHTS_FILE, provenance_of_this_run, weights_sha256, write_checkpoint
from skyreid.clips.frame_bank import FrameBank
from skyreid.config_json import to_json
from skyreid.content_hash import file_sha256
from skyreid.datasets.benchmark import Benchmark
from skyreid.datasets.data_hash import data_sha256
from skyreid.distributed import Workers
from skyreid.evaluation.ranking_scores import Scores, evaluate
from skyreid.extraction.embed_tracklets import ExtractionConfig, embed_tracklets
from skyreid.models.encoder import Encoder
from skyreid.progress import Progress, silent
from skyreid.retrieval.embedding_table import EmbeddingTable, load_table, save_table
from skyreid.strict_json import Json


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What a checkpoint must say about the run that made it."""

    run_dir: Path
    benchmark: str
    model: dict[str, Json]
    """Kind and configuration: what rebuilds the model without the training data."""
    training: Json
    epochs: int
    seed: int
    pretrained: Path | None
    """What training began with: a file, or a checkpoint folder; None = random weights."""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a finished run leaves."""

    scores: Scores
    query: EmbeddingTable
    gallery: EmbeddingTable
    checkpoint: Path
    was_finished: bool = False
    """Whether an earlier process had come to this end, so that nothing was trained or written."""


def read_finished(run_dir: Path, benchmark: Benchmark) -> RunResult | None:
    """Read what an earlier process left in a run's folder; None where it did not come to the end.

    Raises:
        TableError: a table is damaged.
    """
    folder, paths = run_dir / "checkpoint", (run_dir / "query.npz", run_dir / "gallery.npz")
    sweep_leftovers(run_dir)  # a checkpoint may be left that was just to be named
    if not (folder / WEIGHTS_FILE).exists() or not all(path.exists() for path in paths):
        return None
    query, gallery = (load_table(path) for path in paths)
    if {query.model, gallery.model} != {weights_sha256(folder)}:
        return None  # the checkpoint is written before its tables
    scores = evaluate(query, gallery, benchmark.protocol)
    return RunResult(scores=scores, query=query, gallery=gallery, checkpoint=folder, was_finished=True)


def finish_run(
    encoder: Encoder,
    model: nn.Module,
    benchmark: Benchmark,
    bank: FrameBank,
    workers: Workers,
    facts: RunFacts,
    extraction: ExtractionConfig,
    *,
    progress: Progress = silent,
) -> RunResult:
    """Write query.npz, gallery.npz and checkpoint/ into the run's folder.

    Args:
        encoder: what embeds; on `workers.device`.
        model: what is written: `encoder` or the whole that it is a part of.
        benchmark: whose test set is scored, by its own protocol; its frames are hashed.
        bank: frames at the encoder's size.
        workers: the processes; the first of them writes.
        facts: for the checkpoint.
        extraction: frames per clip and how they are taken.
        progress: told after every batch.
    """
    model.eval()
    query, gallery = embed_test_set(encoder, benchmark, bank, workers, extraction, progress=progress)
    scores = evaluate(query, gallery, benchmark.protocol)
    folder = facts.run_dir / "checkpoint"
    if workers.is_first:
        write_checkpoint(
            folder,
            weights=model.state_dict(),
            config={**facts.model, "feeding": to_json(extraction.feeding_of(encoder)), "training": facts.training},
            provenance={
                **provenance_of_this_run(
                    seed=facts.seed, world_size=workers.world_size, data_sha256=data_sha256(benchmark.tracklets)
                ),
                "pretrained_sha256": None if facts.pretrained is None else _sha256(facts.pretrained),
            },
            metrics={"benchmark": facts.benchmark, "epoch": facts.epochs, **scores.to_json()},
        )
        sha256 = weights_sha256(folder)
        save_table(facts.run_dir / "query.npz", replace(query, model=sha256))
        save_table(facts.run_dir / "gallery.npz", replace(gallery, model=sha256))
    workers.wait_for_all()
    return RunResult(scores=scores, query=query, gallery=gallery, checkpoint=folder)


def embed_test_set(
    encoder: Encoder,
    benchmark: Benchmark,
    bank: FrameBank,
    workers: Workers,
    extraction: ExtractionConfig,
    *,
    progress: Progress = silent,
) -> tuple[EmbeddingTable, EmbeddingTable]:
    """Embed query and gallery with an encoder in evaluation mode, on `workers.device`."""
    query, gallery = (
        embed_tracklets(
            encoder,
            tracklets,
            bank,
            workers,
            extraction.feeding_of(encoder),
            batch_size=extraction.batch_size,
            threads=extraction.threads,
            progress=progress,
        )
        for tracklets in (benchmark.query, benchmark.gallery)
    )
    return query, gallery


def _sha256(pretrained: Path) -> str:
    """Of the very weights, so that a result can be traced to them."""
    return weights_sha256(pretrained) if pretrained.is_dir() else file_sha256(pretrained)
