"""`skyreid ablate`: the paper's ablations on simulated people."""

import os
from pathlib import Path
from typing import Annotated, Literal

import tyro

from skyreid.cli.terminal import Bars, show_result


def ablate(
    table: Annotated[Literal["table3", "table4", "table5", "fig4"], tyro.conf.Positional],
    out: Path = Path("ablation"),
    *,
    seeds: int = 3,
    identities: int = 450,
    epochs: int = 60,
    workers: int = os.cpu_count() or 1,
    json: bool = False,
) -> None:
    """Train every row of one of the paper's ablation tables on simulated people; ours beside the paper's.

    Args:
        table: of the paper.
        out: folder for worlds, runs and TABLE.json; running again goes on where it stopped.
        seeds: worlds and trainings.
        identities: simulated people of each world; a third of them train.
        epochs: of stage 2.
        workers: trainings at once, one processor each.
        json: print JSON.
    """
    from skyreid.experiments.ablation import AblationConfig
    from skyreid.experiments.ablation import ablate as run_table

    config = AblationConfig(identities=identities, epochs=epochs, seeds=seeds)
    with Bars() as bars:
        result = run_table(table, config, out, num_workers=workers, progress=bars)
    show_result(result, json=json)
