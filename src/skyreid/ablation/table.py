"""The outcome of an ablation beside the paper's table."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev

from skyreid.ablation.rows import TABLES, Row
from skyreid.ablation.running import AblationConfig, Outcome, run_rows
from skyreid.atomic_file import write_atomically
from skyreid.checkpoint import provenance_of_this_run
from skyreid.errors import SettingError
from skyreid.progress import Progress, silent

NOTICE = (
    "Simulated people, a small CLIP that knows nothing else, both sizes a hundredth of the paper's: the order of "
    "the rows can be compared with the paper's, the scores cannot."
)


@dataclass(frozen=True, kw_only=True)
class TableLine:
    """One row over all seeds."""

    name: str
    mAP: float  # noqa: N815 - the field's own spelling
    mAP_sd: float  # noqa: N815
    """Over seeds, each another world; 0 for a single one."""
    rank_1: float
    rank_1_sd: float
    gain: float | None
    """Mean over seeds of the mAP over that of the row before; None for rows that learn nothing."""
    gain_sd: float | None
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
        gain = f"{100 * line.gain:+.1f} ± {100 * (line.gain_sd or 0):.1f}" if line.gain is not None else ""
        printed = ", ".join(
            f"{name} {100 * value:.2f} %" if name in ("mAP", "rank-1") else f"{name} {value} M"
            for name, value in line.paper.items()
        )
        return (
            f"{line.name:26} {100 * line.mAP:5.1f} ± {100 * line.mAP_sd:3.1f} % {100 * line.rank_1:5.1f} ± "
            f"{100 * line.rank_1_sd:3.1f} % {gain:>13} {line.overall:7.3f} M {line.tunable:7.3f} M   {printed}"
        )


def ablate(
    table: str, config: AblationConfig, out: Path, *, num_workers: int = 1, progress: Progress = silent
) -> AblationTable:
    """Train a table of the paper on simulated people and write `out`/TABLE.json.

    Args:
        table: a name in `skyreid.ablation.rows.TABLES`.
        config: size of worlds and trainings.
        out: folder; the tables share their worlds, and runs that an earlier call finished are kept.
        num_workers: runs at once, one thread each.
        progress: told about worlds and finished runs.

    Raises:
        SettingError: there is no such table.
    """
    if table not in TABLES:
        raise SettingError(f"the paper has no ablation called {table!r}; there are {', '.join(TABLES)}")
    rows = TABLES[table]
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
                mAP=fmean(run.mAP for run in runs),
                mAP_sd=_deviation([run.mAP for run in runs]),
                rank_1=fmean(run.rank_1 for run in runs),
                rank_1_sd=_deviation([run.rank_1 for run in runs]),
                gain=fmean(gains) if gains else None,
                gain_sd=_deviation(gains) if gains else None,
                overall=runs[0].overall,
                tunable=runs[0].tunable,
                paper=paper.get(name, {}),
            )
        )
        before = runs if name in paper else None
    return lines


def _deviation(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0
