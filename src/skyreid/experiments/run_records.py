"""What training runs left in a folder, for whoever looks at several: state, loss, scores, and where they come from.

Read as files of strangers are: no link is walked into on the way to a run, nothing is executed, and what is damaged is
named and left out.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np

from skyreid.errors import ResultError
from skyreid.evaluation.results.result_file import EvaluationResult, read_result
from skyreid.files.regular_file import natural_order, open_regular
from skyreid.files.strict_json import Json, read_json

DEEPEST = 3
"""Folders below the one that is looked through."""
MOST_RUNS = 500
MOST_LOG_BYTES = 256 * 2**20
_POINTS = 300
"""Of a curve: the mean of as many parts of its steps."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """How the loss of a stage went."""

    stage: int
    steps: tuple[float, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One run."""

    name: str
    """Of its folder, below the one that was looked through."""
    benchmark: str
    method: str
    """What was trained; "" = the run has not come to its end, and does not say."""
    seed: int | None
    commit: str
    is_dirty: bool
    data_sha256: str
    last_step_at: str | None
    """When the log was written last, ISO 8601 in UTC."""
    own_scores: Mapping[str, Json] | None
    """Those of the last epoch; None = the run has not come to its end."""
    problems: tuple[str, ...]
    """What cannot be read."""

    @property
    def is_finished(self) -> bool:
        """Whether it came to its end."""
        return self.own_scores is not None

    @property
    def shares(self) -> dict[str, float]:
        """The scores of the last epoch, 0 to 1: mAP, mINP and rank-k; what else may stand in the file is left out."""
        told = self.own_scores or {}
        cmc = told.get("cmc")
        ranks = {f"rank-{k}": share for k, share in cmc.items()} if isinstance(cmc, dict) else {}
        found = {name: told.get(name) for name in ("mAP", "mINP")} | ranks
        return {name: one for name, one in found.items() if isinstance(one, float | int) and 0 <= one <= 1}

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        return {
            "name": self.name,
            "finished": self.is_finished,
            "benchmark": self.benchmark,
            "method": self.method,
            "seed": self.seed,
            "commit": self.commit,
            "dirty": self.is_dirty,
            "data_sha256": self.data_sha256,
            "last_step": self.last_step_at,
            "scores": None if self.own_scores is None else dict(self.own_scores),
            "problems": list(self.problems),
        }


def list_runs(folder: Path) -> list[RunRecord]:
    """Describe the runs in a folder and some levels below it, by name; at most `MOST_RUNS`."""
    return [_read(path, name) for name, path in islice(_named_runs(folder), MOST_RUNS)]


def find_run(folder: Path, name: str) -> tuple[Path, RunRecord] | None:
    """Look one up by its name among those that are there; None = there is none."""
    return next(((path, _read(path, name)) for called, path in _named_runs(folder) if called == name), None)


def _named_runs(folder: Path) -> Iterator[tuple[str, Path]]:
    """Give the runs with what they are called: their place below the folder, or its own name where it is one."""
    for path in _run_folders(folder, DEEPEST):
        yield (path.name if path == folder else str(path.relative_to(folder))), path


def _run_folders(folder: Path, deepest: int) -> Iterator[Path]:
    if (folder / "config.json").is_file() and any(
        (folder / one).is_file() for one in ("log.jsonl", "checkpoint/metrics.json")
    ):
        yield folder
        return
    if deepest:
        try:
            below = [one for one in folder.iterdir() if not one.name.startswith(".") and not one.is_symlink()]
        except OSError:
            return
        for one in sorted(below, key=lambda path: natural_order(path.name)):
            if one.is_dir():
                yield from _run_folders(one, deepest - 1)


def _read(path: Path, name: str) -> RunRecord:
    problems: list[str] = []

    def content(file: str) -> Mapping[str, Json]:
        if not (path / file).exists():
            return {}
        try:
            told = read_json(path / file)
        except (OSError, ValueError) as error:
            problems.append(_without_path(error, path / file, file))
            return {}
        return told if isinstance(told, dict) else {}

    config, metrics = content("config.json"), content("checkpoint/metrics.json")
    provenance, model = content("checkpoint/provenance.json"), content("checkpoint/config.json")
    seed = config.get("seed")
    try:
        last = datetime.fromtimestamp((path / "log.jsonl").stat().st_mtime, UTC).isoformat(timespec="seconds")
    except OSError:
        last = None
    return RunRecord(
        name=name,
        benchmark=_text(config, "benchmark"),
        method=_text(model, "kind"),
        seed=seed if isinstance(seed, int) else None,
        commit=_text(provenance, "commit"),
        is_dirty=provenance.get("dirty") is True,
        data_sha256=_text(config, "data_sha256"),
        last_step_at=last,
        own_scores=metrics or None,
        problems=tuple(problems),
    )


def _without_path(error: Exception, path: Path, name: str) -> str:
    """Say what is wrong with a file, and not where on this machine it lies."""
    told = str(error).replace(str(path), name)
    return told if name in told else f"{name}: {told}"


def _text(content: Mapping[str, Json], key: str) -> str:
    value = content.get(key)
    return value if isinstance(value, str) else ""


def read_evaluations(path: Path) -> tuple[list[EvaluationResult], list[str]]:
    """Give the results that `skyreid evaluate` and `reproduce` wrote beside a run, and what cannot be read."""
    results, problems = [], []
    folder = path / "evaluation"
    for file in sorted(folder.glob("*.json")) if folder.is_dir() and not folder.is_symlink() else ():
        try:
            results.append(read_result(file))
        except (OSError, ResultError) as error:
            problems.append(_without_path(error, file, file.name))
    return results, problems


def read_curves(path: Path) -> tuple[list[Curve], str]:
    """Give the loss of each stage from the log of a run, and why there is none."""
    log = path / "log.jsonl"
    try:
        told = log.stat()
    except OSError:
        return [], "the run has no log"
    if told.st_size > MOST_LOG_BYTES:
        return [], f"the log has {told.st_size / 2**20:,.0f} MiB, and is drawn up to {MOST_LOG_BYTES // 2**20}"
    try:
        curves = _curves_of(log, told.st_mtime_ns, told.st_size)
    except OSError as error:
        return [], f"the log cannot be read ({error.strerror})"
    return list(curves), "" if curves else "the log holds no loss"


@lru_cache(maxsize=32)
def _curves_of(log: Path, *_state: int) -> tuple[Curve, ...]:
    stages: dict[int, dict[int, float]] = {}
    with open_regular(log, most_bytes=MOST_LOG_BYTES) as file:
        for line in file:
            try:
                told = json.loads(line)
                stage, step, loss = int(told.get("stage", 1)), int(float(told["step"])), float(told["loss"])
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
                continue  # a line that a kill cut short, or that we did not write
            if math.isfinite(loss):
                stages.setdefault(stage, {})[step] = loss  # of an epoch that was run again, the later one
    return tuple(_curve(stage, losses) for stage, losses in sorted(stages.items()))


def _curve(stage: int, losses: Mapping[int, float]) -> Curve:
    steps = np.array(sorted(losses), dtype=np.float64)
    values = np.array([losses[int(step)] for step in steps])
    parts = min(_POINTS, len(steps))

    def means(array: np.ndarray) -> Sequence[float]:
        return [float(part.mean()) for part in np.array_split(array, parts)]

    return Curve(stage=stage, steps=tuple(means(steps)), losses=tuple(means(values)))
