"""How far two people agree beyond chance."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from skyreid.building.linking.events import Decision, Pair


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Two annotators, on the pairs that both decided."""

    annotators: tuple[str, str]
    pairs: int
    agreed: int
    kappa: float | None
    """Cohen's: 1 = always, 0 = as chance would; None where both always said one and the same, or no pair is shared."""


def agreements(decisions: Mapping[Pair, Mapping[str, Decision]]) -> list[Agreement]:
    """Compare each two annotators; the categories are same, different and unsure."""
    annotators = sorted({annotator for said in decisions.values() for annotator in said})
    return [
        _agreement(
            first,
            second,
            [(said[first], said[second]) for said in decisions.values() if {first, second} <= said.keys()],
        )
        for first, second in combinations(annotators, 2)
    ]


def _agreement(first: str, second: str, answers: list[tuple[Decision, Decision]]) -> Agreement:
    """Kappa = (observed - expected) / (1 - expected), both multiplied by n² to stay in whole numbers.

    Source: Cohen 1960, A coefficient of agreement for nominal scales.
    """
    count = len(answers)
    agreed = sum(one is other for one, other in answers)
    first_says, second_says = (Counter(answer[side] for answer in answers) for side in (0, 1))
    expected = sum(first_says[decision] * second_says[decision] for decision in Decision)
    possible = count * count - expected
    return Agreement(
        annotators=(first, second),
        pairs=count,
        agreed=agreed,
        kappa=(count * agreed - expected) / possible if possible else None,
    )
