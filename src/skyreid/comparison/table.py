"""The outcome of a comparison beside the paper's Table 2."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev

from skyreid.atomic_file import write_atomically
from skyreid.checkpoint import provenance_of_this_run
from skyreid.comparison.configuring import ComparisonConfig, Reduction
from skyreid.comparison.cost import Cost
from skyreid.comparison.methods import PAPER_TABLE_2
from skyreid.comparison.running import RANDOM, Outcome, Refusal, run_methods
from skyreid.config_json import to_json
from skyreid.datasets.mars_layout import OWN_FILE
from skyreid.progress import Progress, silent

TABLE_FILE = "table2.json"


@dataclass(frozen=True, kw_only=True)
class ComparedMethod:
    """One row over all seeds."""

    method: str
    start: str
    """What training began with."""
    seeds: int
    mAP: float  # noqa: N815 - the field's own spelling
    mAP_sd: float  # noqa: N815
    """Over seeds; 0 for a single one."""
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
        mAP=fmean(run.mAP for run in runs),
        mAP_sd=stdev(run.mAP for run in runs) if len(runs) > 1 else 0.0,
        rank_1=fmean(run.rank_1 for run in runs),
        rank_5=fmean(run.rank_5 for run in runs),
        rank_10=fmean(run.rank_10 for run in runs),
        clip_length=runs[0].clip_length,
        image_size=runs[0].image_size,
        cost=runs[0].cost,
        training_s=fmean(times) if times else None,
        paper=PAPER_TABLE_2.get(runs[0].method),
    )


def _line(row: ComparedMethod) -> str:
    height, width = row.image_size
    clip = f"{row.clip_length}x{height}x{width}"
    counts = row.cost.parameters
    parameters = " ".join(f"{count / 1e6:7.2f}M" for count in (counts.all, counts.without_heads, counts.trained))
    took = f"{row.training_s:8.0f}s" if row.training_s is not None else f"{'resumed':>9}"
    paper = f"{100 * row.paper['mAP']:4.1f}/{100 * row.paper['rank-1']:4.1f}" if row.paper else f"{'-':>9}"
    return (
        f"{row.method:12} {100 * row.mAP:5.1f} ± {100 * row.mAP_sd:4.1f} {100 * row.rank_1:7.1f} "
        f"{100 * row.rank_5:7.1f} {100 * row.rank_10:7.1f} {clip:>11} {parameters} {row.cost.gflops_per_clip:8.2f} "
        f"{row.cost.clips_per_s:8.2f} {took}   {paper}  {row.start}"
    )
