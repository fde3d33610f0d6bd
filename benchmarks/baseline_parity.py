"""Print how far the methods of the comparison are from stored outputs of their originals.

python benchmarks/baseline_parity.py FOLDER [--methods NAME ...] [--train]

FOLDER holds a folder for each method, as tests/reference/baselines does; --train compares training outputs,
gradients and statistics too. Losses and samplers are compared with what is in the repository.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.reference.baselines import parity
from tests.reference.baselines.parts import PARTS
from tests.reference.baselines.stored_outputs import MAPPED, find_stored
from tests.reference.comparison import Comparison


def kind(comparison: Comparison) -> str:
    """Outputs and digests are printed one by one; gradients, buffers and what each slot draws together."""
    group = comparison.name.split("/")[0]
    return group if group in ("grad", "buf", "support") else comparison.name


def report(method: str, comparisons: Iterable[Comparison]) -> Iterator[bool]:
    for name, group in groupby(comparisons, key=kind):
        found = list(group)
        worst = max(found, key=lambda comparison: comparison.deviation)
        verdict = "ok" if all(comparison.is_close for comparison in found) else "TOO FAR"
        print(
            f"{method:16} {name:57} {len(found):4} {worst.deviation:9.1e} of {worst.tolerance:5.0e} {verdict:8}", end=""
        )
        print(worst.name if len(found) > 1 else "", flush=True)
        yield verdict == "ok"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--methods", nargs="+", default=MAPPED, choices=MAPPED)
    parser.add_argument("--train", action="store_true")
    options = parser.parse_args()
    if absent := [method for method in options.methods if not (options.folder / method).is_dir()]:
        parser.error(f"{options.folder} has no folder for {', '.join(absent)}; --methods chooses from those it has")
    print("method, quantity, how many, worst relative deviation of its tolerance, where")
    verdicts = [is_close for part, compare in PARTS.items() for is_close in report(part, compare())]
    for method in options.methods:
        stored = find_stored(method, options.folder)
        verdicts += report(method, parity.evaluation(stored))
        if options.train:
            verdicts += report(method, parity.training(stored))
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
