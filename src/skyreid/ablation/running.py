"""Train every row of a table for every seed, on several processes, and take up what an earlier call left.

    OUT/worlds/450x12-0     450 simulated people, 12 frames a tracklet, seed 0: other numbers, other people
    OUT/runs/ROW/SEED       one training run, resumable by itself; refused with other numbers

A row is compared with another seed by seed: both have seen the same people.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from skyreid.ablation.rows import Row, bare_tower
from skyreid.datasets import read_benchmark
from skyreid.datasets.protocol import GROUND_TO_AERIAL
from skyreid.distributed import Precision
from skyreid.errors import SettingError
from skyreid.evaluation.ranking_scores import evaluate
from skyreid.extraction.colour_stripes import embed_colours
from skyreid.process_pool import finish_all
from skyreid.progress import Progress, silent
from skyreid.recipes.simulated import vsla_clip_simulated
from skyreid.simulation.miniature import write_miniature
from skyreid.tracklet import training_labels
from skyreid.training.parameter_report import count_parameters
from skyreid.training.two_stage import TwoStageConfig, embed_untrained, train_two_stages

COLOUR, ZERO_SHOT = "colour stripes", "zero-shot"
"""Rows that every table has first: no learning at all, and the small CLIP as it comes."""
_REFERENCES = (
    Row(name=COLOUR, change=bare_tower, paper={}),
    Row(name=ZERO_SHOT, change=bare_tower, paper={}),
)


@dataclass(frozen=True, kw_only=True)
class AblationConfig:
    identities: int = 450
    """Simulated people of each world; a third of them train, nobody of them is tested."""
    frames_per_tracklet: int = 12
    epochs: int = 60
    """Of stage 2."""
    seeds: int = 3
    """Worlds and trainings, from seed 0."""
    precision: Precision = "bfloat16"
    """Of the towers."""

    def __post_init__(self) -> None:
        for name in ("seeds", "epochs"):
            if getattr(self, name) < 1:
                raise SettingError(f"an ablation's {name} must be at least 1; got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One row with one seed."""

    row: str
    seed: int
    mAP: float  # noqa: N815 - the field's own spelling
    rank_1: float
    overall: float
    """Parameters in millions, as the paper counts them; 0 where nothing is learned."""
    tunable: float


@dataclass(frozen=True)
class _Job:
    row: str
    seed: int
    config: TwoStageConfig


def run_rows(
    rows: Sequence[Row], config: AblationConfig, out: Path, *, num_workers: int = 1, progress: Progress = silent
) -> list[Outcome]:
    """Make the worlds, train every row with every seed, one thread each; ordered by row, then by seed.

    Args:
        rows: of `skyreid.ablation.rows.TABLES`.
        config: size of worlds and trainings.
        out: folder; a second call with the same arguments goes on where the first was stopped.
        num_workers: runs at once.
        progress: told about worlds and finished runs.
    """
    for seed in range(config.seeds):
        world = _world(config, out, seed)
        if not world.exists():
            write_miniature(
                world,
                identities=config.identities,
                frames_per_tracklet=config.frames_per_tracklet,
                seed=seed,
                num_workers=num_workers,
                progress=progress,
            )
    jobs = [
        _Job(row.name, seed, row.change(_whole_method(config, out, row.name, seed)))
        for row in (*_REFERENCES, *rows)
        for seed in range(config.seeds)
    ]
    outcomes: dict[tuple[str, int], Outcome] = {}
    for job, outcome in finish_all(_run, jobs, num_workers):
        outcomes[job.row, job.seed] = outcome
        note = f"{job.row}, seed {job.seed}: mAP {outcome.mAP:.1%}"
        progress("ablation runs", len(outcomes), len(jobs), note)
    return [outcomes[job.row, job.seed] for job in jobs]


def _world(config: AblationConfig, out: Path, seed: int) -> Path:
    return out / "worlds" / f"{config.identities}x{config.frames_per_tracklet}-{seed}"


def _whole_method(config: AblationConfig, out: Path, row: str, seed: int) -> TwoStageConfig:
    folder = "".join(letter if letter.isalnum() else "-" for letter in row)
    return vsla_clip_simulated(
        _world(config, out, seed),
        out / "runs" / folder / str(seed),
        seed=seed,
        epochs=config.epochs,
        precision=config.precision,
    )


def _run(job: _Job) -> Outcome:
    torch.set_num_threads(1)
    benchmark = read_benchmark(job.config.benchmark, job.config.data_root)
    if job.row == COLOUR:
        query, gallery = embed_colours(benchmark.query), embed_colours(benchmark.gallery)
    elif job.row == ZERO_SHOT:
        query, gallery = embed_untrained(job.config, benchmark)
    else:
        result = train_two_stages(job.config, resume=True)
        query, gallery = result.query, result.gallery
    scores = evaluate(query, gallery, GROUND_TO_AERIAL)
    is_trained = job.row not in (COLOUR, ZERO_SHOT)
    counts = count_parameters(job.config, num_identities=len(training_labels(benchmark.train)))
    return Outcome(
        row=job.row,
        seed=job.seed,
        mAP=scores.mAP,
        rank_1=scores.rank(1),
        overall=counts.paper_overall / 1e6 if is_trained else 0.0,
        tunable=counts.paper_tunable / 1e6 if is_trained else 0.0,
    )
