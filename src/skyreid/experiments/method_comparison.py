"""The paper's Table 2: every method with every seed on one benchmark, one data layer and one protocol.

OUT/runs/METHOD/SEED    one run, resumable by itself; outcome.json in it holds its scores and costs, and says that it
is done
OUT/table2.json         the table; running again takes up what an earlier call left
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from skyreid.baselines import build_baseline
from skyreid.checkpoint import provenance_of_this_run
from skyreid.datasets import read_benchmark
from skyreid.datasets.benchmarks.mars_layout import OWN_FILE
from skyreid.errors import CheckpointError, SettingError
from skyreid.evaluation.results.uncertainty import Spread, spread
from skyreid.experiments.cost import Cost, measure_cost
from skyreid.experiments.method_settings import ComparisonConfig, Reduction, configure, imagenet_file
from skyreid.experiments.paper_tables import TABLE_2
from skyreid.extraction.loading import TRAINING_ONLY
from skyreid.files.atomic_file import write_atomically
from skyreid.files.config_json import from_json, to_json
from skyreid.files.strict_json import read_json
from skyreid.pretrained.pair_checkpoint import TINY_TOWERS
from skyreid.processes.distributed import Processes
from skyreid.processes.progress import Progress, silent
from skyreid.tracklet import training_labels
from skyreid.training import train
from skyreid.training.baseline_training import BaselineConfig
from skyreid.training.run_folder import RunFolder, setting_differences
from skyreid.training.two_stage import TwoStageConfig, build_model

TABLE_FILE = "table2.json"
OUTCOME_FILE = "outcome.json"
RANDOM = "random weights"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One method with one seed."""

    method: str
    seed: int
    start: str
    """What training began with."""
    mAP: float  # noqa: N815 - the field's own spelling
    rank_1: float
    rank_5: float
    rank_10: float
    clip_length: int
    """Frames a clip."""
    image_size: tuple[int, int]
    """(height, width) of a frame in pixels."""
    cost: Cost
    training_s: float | None
    """Wall time of training and the test at its end; None where it was interrupted."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A method that cannot be run with these settings, and why."""

    method: str
    seed: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class ComparedMethod:
    """One row over all seeds."""

    method: str
    start: str
    """What training began with."""
    seeds: int
    mAP: Spread  # noqa: N815 - the field's own spelling
    """Over seeds."""
    rank_1: float
    rank_5: float
    rank_10: float
    clip_length: int
    """Frames a clip."""
    image_size: tuple[int, int]
    """(height, width) of a frame in pixels."""
    cost: Cost
    training_s: float | None
    """Mean over the runs that were not interrupted; None where all were."""
    paper: dict[str, float] | None
    """mAP and rank-1 on G2A-VReID, where the paper has this row."""


@dataclass(frozen=True, kw_only=True)
class ComparisonTable:
    config: ComparisonConfig
    rows: tuple[ComparedMethod, ...]
    refusals: tuple[Refusal, ...]
    is_papers_data: bool
    """Whether the paper's figures were made on this benchmark."""
    provenance: dict[str, object]

    @property
    def comparable(self) -> bool:
        """Whether a figure of ours may be held against the paper's."""
        return not self._reasons_against()

    @property
    def notice(self) -> str:
        """What has to be said beside the paper's figures."""
        if self.comparable:
            return "The same benchmark as the paper's; which frames, losses and schedules it gave others is unknown."
        return f"NOT COMPARABLE with the paper's figures: {', '.join(self._reasons_against())}."

    def _reasons_against(self) -> list[str]:
        reasons = {
            "this is not its data": not self.is_papers_data,
            "the settings are reduced": self.config.reduction != Reduction(),
            "methods start from random weights": any(row.start == RANDOM for row in self.rows),
        }
        return [reason for reason, holds in reasons.items() if holds]

    def lines(self) -> list[str]:
        """Aligned columns for a terminal."""
        heading = (
            f"{'':12} {'mAP':>12} {'rank-1':>7} {'rank-5':>7} {'rank-10':>7} {'clip':>11} {'all':>8} {'no heads':>8} "
            f"{'trained':>8} {'GFLOP':>8} {'clips/s':>8} {'training':>9}   paper      starts from"
        )
        refused = [f"{refusal.method}, seed {refusal.seed}: not run: {refusal.reason}" for refusal in self.refusals]
        return [self.notice, heading, *(_line(row) for row in self.rows), *refused]

    def to_json(self) -> dict[str, object]:
        """Everything, one entry a method."""
        return {
            "table": "table2",
            "notice": self.notice,
            "comparable": self.comparable,
            "config": to_json(self.config),
            "rows": [asdict(row) for row in self.rows],
            "refusals": [asdict(refusal) for refusal in self.refusals],
            "provenance": self.provenance,
        }


def compare_methods(config: ComparisonConfig, out: Path, *, progress: Progress = silent) -> ComparisonTable:
    """Train and score methods on one benchmark and write `out`/table2.json.

    Args:
        config: methods, benchmark, settings.
        out: folder; a second call goes on where the first was stopped.
        progress: told about every step and every finished method.

    Raises:
        DatasetError: the benchmark is not what its format says.
        CheckpointError: `out` holds runs of other settings, or files of weights are missing.
    """
    outcomes = run_methods(config, out, progress=progress)
    is_ours = (config.data_root / OWN_FILE).exists()
    table = ComparisonTable(
        config=config,
        rows=tuple(summarize([outcome for outcome in outcomes if isinstance(outcome, Outcome)])),
        refusals=tuple(outcome for outcome in outcomes if isinstance(outcome, Refusal)),
        is_papers_data=config.benchmark == "g2a-vreid" and not is_ours,
        provenance=dict(provenance_of_this_run(seed=0, world_size=1, data_sha256=None)),
    )
    write_atomically(out / TABLE_FILE, [json.dumps(table.to_json(), indent=2).encode()])
    return table


def run_methods(config: ComparisonConfig, out: Path, *, progress: Progress = silent) -> list[Outcome | Refusal]:
    """Run what is missing; ordered by method, then by seed.

    A method that refuses the settings becomes a row that says so; the others go on.

    Raises:
        DatasetError: the benchmark is not what its format says.
        CheckpointError: `out` holds runs of other settings, or files of weights are missing.
    """
    # Before hours of work, not after them.
    identities = len(training_labels(read_benchmark(config.benchmark, config.data_root).train))
    _refuse_missing_weights(config)
    jobs = [(method, seed) for method in config.methods for seed in range(config.seeds)]
    rows: list[Outcome | Refusal] = []
    for method, seed in jobs:
        run_dir = out / "runs" / method / str(seed)
        rows.append(_run_one(method, seed, config, run_dir, identities=identities, progress=progress))
        progress("methods", len(rows), len(jobs), _note(rows[-1]))
    return rows


def _refuse_missing_weights(config: ComparisonConfig) -> None:
    if config.imagenet is None:
        return
    files = {file for method in config.methods if (file := imagenet_file(method)) is not None}
    if missing := sorted(file for file in files if not (config.imagenet / file).is_file()):
        raise CheckpointError(
            f"{config.imagenet} lacks {', '.join(missing)}; put it there, or leave out the methods that start from it"
        )


def _note(row: Outcome | Refusal) -> str:
    return f"{row.method}: {row.reason}" if isinstance(row, Refusal) else f"{row.method}: mAP {row.mAP:.1%}"


def _run_one(
    method: str, seed: int, config: ComparisonConfig, run_dir: Path, *, identities: int, progress: Progress
) -> Outcome | Refusal:
    try:
        wanted = configure(method, seed, config, run_dir)
        return _read_outcome(run_dir, wanted) or _train(method, wanted, identities=identities, progress=progress)
    except SettingError as error:
        return Refusal(method=method, seed=seed, reason=str(error))


def _train(method: str, wanted: BaselineConfig | TwoStageConfig, *, identities: int, progress: Progress) -> Outcome:
    was_begun = (wanted.run_dir / "config.json").exists()
    begin = time.perf_counter()
    run = train(wanted, resume=True, progress=progress)
    seconds = time.perf_counter() - begin
    outcome = Outcome(
        method=method,
        seed=wanted.seed,
        start=_start(wanted),
        mAP=run.scores.mAP,
        rank_1=run.scores.rank(1),
        rank_5=run.scores.rank(5),
        rank_10=run.scores.rank(10),
        clip_length=wanted.clip_length,
        image_size=wanted.image_size,
        cost=_cost(wanted, identities),
        training_s=None if was_begun else seconds,
    )
    record = {"config": to_json(wanted), "outcome": asdict(outcome)}
    write_atomically(wanted.run_dir / OUTCOME_FILE, [json.dumps(record, indent=2).encode()])
    RunFolder(wanted.run_dir).drop_state()
    return outcome


def _read_outcome(run_dir: Path, wanted: BaselineConfig | TwoStageConfig) -> Outcome | None:
    path = run_dir / OUTCOME_FILE
    if not path.exists():
        return None
    try:
        record = read_json(path)
    except ValueError as error:
        raise CheckpointError(f"{path}: cannot be read: {error}; remove it, and the run is made again") from error
    if not isinstance(record, dict) or record.keys() != {"config", "outcome"}:
        raise CheckpointError(f"{path}: is no outcome of a run; remove it, and the run is made again")
    settings = to_json(wanted)
    assert isinstance(settings, dict)
    if differences := setting_differences(record["config"], settings):
        raise CheckpointError(
            f"{run_dir} holds a run of other settings ({'; '.join(differences)}); name another --out, or remove it"
        )
    return from_json(Outcome, record["outcome"], where=str(path))


def _start(wanted: BaselineConfig | TwoStageConfig) -> str:
    if wanted.pretrained is None:
        return RANDOM
    return "small CLIP of drawn people" if wanted.pretrained == TINY_TOWERS else wanted.pretrained.name


def _cost(wanted: BaselineConfig | TwoStageConfig, identities: int) -> Cost:
    """Measure a model of the same shape as the one that was trained."""
    processes = Processes(precision=wanted.precision)
    if isinstance(wanted, BaselineConfig):
        model = build_baseline(wanted.model_of(identities))
        encoder, training_only = model, model.training_only
    else:
        model = build_model(wanted, num_identities=identities)
        model.train_in_stage2(wanted.stage2.tuned, wanted.stage2.loss.identity_on)
        encoder, training_only = model.encoder, TRAINING_ONLY["vsla-clip"]
    return measure_cost(encoder, model, processes, frames=wanted.clip_length, training_only=training_only)


def summarize(outcomes: Sequence[Outcome]) -> list[ComparedMethod]:
    """One row a method, in the order of the outcomes."""
    runs_of: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        runs_of.setdefault(outcome.method, []).append(outcome)
    return [_row(runs) for runs in runs_of.values()]


def _row(runs: list[Outcome]) -> ComparedMethod:
    times = [run.training_s for run in runs if run.training_s is not None]
    return ComparedMethod(
        method=runs[0].method,
        start=runs[0].start,
        seeds=len(runs),
        mAP=spread([run.mAP for run in runs]),
        rank_1=fmean(run.rank_1 for run in runs),
        rank_5=fmean(run.rank_5 for run in runs),
        rank_10=fmean(run.rank_10 for run in runs),
        clip_length=runs[0].clip_length,
        image_size=runs[0].image_size,
        cost=runs[0].cost,
        training_s=fmean(times) if times else None,
        paper=TABLE_2.get(runs[0].method),
    )


def _line(row: ComparedMethod) -> str:
    height, width = row.image_size
    clip = f"{row.clip_length}x{height}x{width}"
    counts = row.cost.parameters
    parameters = " ".join(f"{count / 1e6:7.2f}M" for count in (counts.all, counts.without_heads, counts.trained))
    took = f"{row.training_s:8.0f}s" if row.training_s is not None else f"{'resumed':>9}"
    paper = f"{100 * row.paper['mAP']:4.1f}/{100 * row.paper['rank-1']:4.1f}" if row.paper else f"{'-':>9}"
    return (
        f"{row.method:12} {row.mAP!s:>12} {100 * row.rank_1:7.1f} "
        f"{100 * row.rank_5:7.1f} {100 * row.rank_10:7.1f} {clip:>11} {parameters} {row.cost.gflops_per_clip:8.2f} "
        f"{row.cost.clips_per_s:8.2f} {took}   {paper}  {row.start}"
    )
