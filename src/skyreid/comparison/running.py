"""Train and score every method with every seed, one after the other, and take up what an earlier call left.

A run stands in OUT/runs/METHOD/SEED and is resumable by itself; outcome.json in it holds its scores and costs,
and says that it is done.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from skyreid.atomic_file import write_atomically
from skyreid.baselines import build_baseline
from skyreid.comparison.configuring import ComparisonConfig, configure
from skyreid.comparison.cost import Cost, measure_cost
from skyreid.comparison.methods import imagenet_file
from skyreid.config_json import from_json, to_json
from skyreid.datasets import read_benchmark
from skyreid.distributed import Processes
from skyreid.errors import CheckpointError, SettingError
from skyreid.extraction.loading import TRAINING_ONLY
from skyreid.pretrained.tiny_towers import TINY_TOWERS
from skyreid.progress import Progress, silent
from skyreid.strict_json import read_json
from skyreid.tracklet import training_labels
from skyreid.training import train
from skyreid.training.baseline_training import BaselineConfig
from skyreid.training.run_folder import RunFolder, setting_differences
from skyreid.training.two_stage import TwoStageConfig, build_model

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


def run_methods(config: ComparisonConfig, out: Path, *, progress: Progress = silent) -> list[Outcome | Refusal]:
    """Run what is missing; ordered by method, then by seed.

    A method that refuses the settings becomes a row that says so; the others go on.

    Raises:
        DatasetError: the benchmark is not what its format says.
        CheckpointError: `out` holds runs of other settings, or files of weights are missing.
    """
    # Before hours of work, not after them.
    read_benchmark(config.benchmark, config.data_root)
    _refuse_missing_weights(config)
    jobs = [(method, seed) for method in config.methods for seed in range(config.seeds)]
    rows: list[Outcome | Refusal] = []
    for method, seed in jobs:
        rows.append(_row(method, seed, config, out / "runs" / method / str(seed), progress))
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


def _row(method: str, seed: int, config: ComparisonConfig, run_dir: Path, progress: Progress) -> Outcome | Refusal:
    try:
        wanted = configure(method, seed, config, run_dir)
        return _read_outcome(run_dir, wanted) or _train(method, wanted, progress)
    except SettingError as error:
        return Refusal(method=method, seed=seed, reason=str(error))


def _train(method: str, wanted: BaselineConfig | TwoStageConfig, progress: Progress) -> Outcome:
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
        cost=_cost(wanted),
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


def _cost(wanted: BaselineConfig | TwoStageConfig) -> Cost:
    """Of a model of the same shape as the one that was trained."""
    benchmark = read_benchmark(wanted.benchmark, wanted.data_root)
    identities = len(training_labels(benchmark.train))
    processes = Processes(precision=wanted.precision)
    if isinstance(wanted, BaselineConfig):
        model = build_baseline(wanted.model_of(identities))
        encoder, training_only = model, model.training_only
    else:
        model = build_model(wanted, num_identities=identities)
        model.train_in_stage2(wanted.stage2.tuned, wanted.stage2.loss.identity_on)
        encoder, training_only = model.encoder, TRAINING_ONLY["vsla-clip"]
    return measure_cost(encoder, model, processes, frames=wanted.clip_length, training_only=training_only)
