"""Print how far the methods of the comparison are from stored outputs of their originals.

python benchmarks/baseline_parity.py FOLDER [--methods NAME ...] [--train]

FOLDER holds a folder for each method, as tests/reference/baselines does, with names.json and spec.json of its own
or none; without --methods, those that it has are compared. --train compares training outputs, gradients and
statistics too. Losses and samplers are compared with what is in the repository.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.reference.baselines import parity
from tests.reference.baselines.parts import PARTS
from tests.reference.baselines.stored_outputs import MAPPED, OUTPUTS_FILE, find_stored
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
    parser.add_argument("--methods", nargs="+", choices=MAPPED)
    parser.add_argument("--train", action="store_true")
    options = parser.parse_args()
    stored_here = [method for method in MAPPED if (options.folder / method / OUTPUTS_FILE).is_file()]
    methods = options.methods or stored_here
    if absent := [method for method in methods if method not in stored_here]:
        parser.error(
            f"{options.folder} has no {OUTPUTS_FILE} for {', '.join(absent)}; --methods chooses from those it has"
        )
    if not methods:
        parser.error(f"{options.folder} has no folder METHOD/{OUTPUTS_FILE}; METHOD is one of {', '.join(MAPPED)}")
    if left_out := [method for method in MAPPED if method not in methods]:
        print(f"not compared: {', '.join(left_out)}")
    print("method, quantity, how many, worst relative deviation of its tolerance, where")
    verdicts = [is_close for part, compare in PARTS.items() for is_close in report(part, compare())]
    for method in methods:
        stored = find_stored(method, options.folder)
        verdicts += report(method, parity.evaluation(stored))
        if options.train:
            verdicts += report(method, parity.training(stored))
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
