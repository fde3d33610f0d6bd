"""The paper's ablation tables, trained on simulated people: `skyreid reproduce table3`, `table4`, `table5`, `fig4`.

    OUT/worlds/450x12-0     450 simulated people, 12 frames a tracklet, seed 0: other numbers, other people
    OUT/runs/ROW/SEED       one training run, resumable by itself; refused with other numbers
    OUT/TABLE.json          ours beside the paper's

A row is compared with another seed by seed: both have seen the same people.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from skyreid.checkpoint import provenance_of_this_run
from skyreid.datasets import read_benchmark
from skyreid.datasets.protocol import GROUND_TO_AERIAL
from skyreid.errors import SettingError
from skyreid.evaluation.ranking_scores import evaluate
from skyreid.evaluation.results.uncertainty import Spread, spread
from skyreid.experiments.paper_tables import ABLATIONS, Row, bare_tower
from skyreid.experiments.parameter_report import count_parameters
from skyreid.extraction.colour_stripes import embed_colours
from skyreid.files.atomic_file import write_atomically
from skyreid.processes.distributed import Precision
from skyreid.processes.pool import finish_all
from skyreid.processes.progress import Progress, silent
from skyreid.recipes.simulated import vsla_clip_simulated
from skyreid.simulation.crop_benchmark import write_crop_benchmark
from skyreid.tracklet import training_labels
from skyreid.training.two_stage import TwoStageConfig, embed_untrained, train_two_stages

NOTICE = (
    "Simulated people, a small CLIP that knows nothing else, both sizes a hundredth of the paper's: the order of "
    "the rows can be compared with the paper's, the scores cannot."
)
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


@dataclass(frozen=True, kw_only=True)
class TableLine:
    """One row over all seeds."""

    name: str
    mAP: Spread  # noqa: N815 - the field's own spelling
    """Over seeds, each another world."""
    rank_1: Spread
    gain: Spread | None
    """Of the mAP over that of the row before, seed by seed; None for rows that learn nothing."""
    overall: float
    tunable: float
    paper: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class AblationTable:
    """A table of the paper, ours and theirs."""

    table: str
    config: AblationConfig
    table_lines: tuple[TableLine, ...]
    outcomes: tuple[Outcome, ...]
    provenance: dict[str, object]

    def lines(self) -> list[str]:
        """Aligned columns for a terminal."""
        heading = f"{'':26} {'mAP':>13} {'rank-1':>13} {'gain':>13} {'overall':>9} {'tunable':>9}   paper"
        return [NOTICE, heading, *(self._line(line) for line in self.table_lines)]

    def to_json(self) -> dict[str, object]:
        """Everything, one entry a row and one a run."""
        return {
            "table": self.table,
            "notice": NOTICE,
            "config": asdict(self.config),
            "rows": [asdict(line) for line in self.table_lines],
            "runs": [asdict(outcome) for outcome in self.outcomes],
            "provenance": self.provenance,
        }

    def _line(self, line: TableLine) -> str:
        gain = "" if line.gain is None else f"+{line.gain}" if line.gain.mean >= 0 else str(line.gain)
        printed = ", ".join(
            f"{name} {100 * value:.2f} %" if name in ("mAP", "rank-1") else f"{name} {value} M"
            for name, value in line.paper.items()
        )
        return (
            f"{line.name:26} {line.mAP!s:>13} {line.rank_1!s:>13} {gain:>13} "
            f"{line.overall:7.3f} M {line.tunable:7.3f} M   {printed}"
        )


def ablate(
    table: str, config: AblationConfig, out: Path, *, num_workers: int = 1, progress: Progress = silent
) -> AblationTable:
    """Train a table of the paper on simulated people and write `out`/TABLE.json.

    Args:
        table: a name in `skyreid.experiments.paper_tables.ABLATIONS`.
        config: size of worlds and trainings.
        out: folder; the tables share their worlds, and runs that an earlier call finished are kept.
        num_workers: runs at once, one thread each.
        progress: told about worlds and finished runs.

    Raises:
        SettingError: there is no such table.
    """
    if table not in ABLATIONS:
        raise SettingError(f"the paper has no ablation called {table!r}; there are {', '.join(ABLATIONS)}")
    rows = ABLATIONS[table]
    outcomes = run_rows(rows, config, out, num_workers=num_workers, progress=progress)
    result = AblationTable(
        table=table,
        config=config,
        table_lines=tuple(summarize(outcomes, rows)),
        outcomes=tuple(outcomes),
        provenance=dict(provenance_of_this_run(seed=0, world_size=1, data_sha256=None)),
    )
    write_atomically(out / f"{table}.json", [json.dumps(result.to_json(), indent=2).encode()])
    return result


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
        rows: of `skyreid.experiments.paper_tables.ABLATIONS`.
        config: size of worlds and trainings.
        out: folder; a second call with the same arguments goes on where the first was stopped.
        num_workers: runs at once.
        progress: told about worlds and finished runs.
    """
    for seed in range(config.seeds):
        world = _world(config, out, seed)
        if not world.exists():
            write_crop_benchmark(
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


def summarize(outcomes: Sequence[Outcome], rows: Sequence[Row]) -> list[TableLine]:
    """One line a row; what learns something is compared with the learning row before, seed by seed."""
    paper = {row.name: row.paper for row in rows}
    runs_of: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        runs_of.setdefault(outcome.row, []).append(outcome)
    lines, before = [], None
    for name, runs in runs_of.items():
        gains = [run.mAP - earlier.mAP for run, earlier in zip(runs, before, strict=True)] if before else None
        lines.append(
            TableLine(
                name=name,
                mAP=spread([run.mAP for run in runs]),
                rank_1=spread([run.rank_1 for run in runs]),
                gain=spread(gains) if gains else None,
                overall=runs[0].overall,
                tunable=runs[0].tunable,
                paper=paper.get(name, {}),
            )
        )
        before = runs if name in paper else None
    return lines
