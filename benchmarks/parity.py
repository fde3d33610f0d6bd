"""Print how far we are from every stored output of the authors' program.

python benchmarks/parity.py [FOLDER OF THE LARGE CASES]
"""

import sys
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.reference.comparison import Comparison
from tests.reference.parity import CHECKS, reference_loops
from tests.reference.parts import PARTS
from tests.reference.stored_cases import CASES, find_case


def report(case: str, check: str, comparisons: Iterable[Comparison]) -> bool:
    found = list(comparisons)
    worst = max(found, key=lambda comparison: comparison.deviation / max(comparison.tolerance, 1e-300))
    margin = (
        f"{worst.deviation:9.1e} of {worst.tolerance:7.0e}"
        if worst.tolerance
        else f"{worst.deviation:6.0f} entries differ"
    )
    print(f"{case:9} {check:22} {len(found):4} {margin:20} {'ok' if worst.is_close else 'TOO FAR':8} {worst.name}")
    return worst.is_close


def main() -> int:
    large_cases = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    print("case      check                  quantities, worst deviation of its tolerance, where")
    verdicts = [report("parts", part, compare()) for part, compare in PARTS.items()]
    for name in CASES:
        try:
            case = find_case(name, large_cases)
        except FileNotFoundError:
            print(f"{name:9} not here: give the folder of the large cases")
            continue
        verdicts += [report(name, check, compare(case)) for check, compare in CHECKS.items()]
        if name == "pbp_3x16":
            verdicts.append(report(name, "the release's loops", reference_loops(case)))
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
