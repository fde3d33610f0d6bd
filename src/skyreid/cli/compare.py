"""`skyreid compare`, `skyreid evaluate average`: several results, side by side or as one."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from skyreid.cli.terminal import File, show_result


def compare(a: File, b: File, *, json: bool = False) -> None:
    """Compare two results on the same queries.

    Difference, interval, p-value, who got better and who worse.

    Args:
        a: result file of one model.
        b: result file of the other; unlike protocols are refused.
        json: print JSON.
    """
    from skyreid.evaluation.results.paired_difference import compare as compare_results

    difference = compare_results(a, b)
    show_result(difference, json=json)


def average(
    results: Annotated[tuple[Path, ...], tyro.conf.Positional],
    *,
    over: Literal["seeds", "splits"],
    json: bool = False,
) -> None:
    """Average results over splits or seeds: mean ± sd.

    Over the ten splits of iLIDS-VID and PRID-2011, or over the seeds of trainings.

    Args:
        results: result files, each of one run.
        over: what they differ in; whatever else differs is refused.
        json: print JSON.
    """
    from skyreid.evaluation.results.result_average import average_over_splits, mean_over_seeds
    from skyreid.evaluation.results.result_file import read_result

    read = [read_result(path) for path in results]
    averaged = mean_over_seeds(read) if over == "seeds" else average_over_splits(read)
    show_result(averaged, json=json)
