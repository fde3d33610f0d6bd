"""`skyreid case adapt`: what the decisions of a case teach."""

from skyreid.cli.terminal import File, show_result, who


def case_adapt(case: File, *, seed: int = 0, by: str | None = None, json: bool = False) -> None:
    """Learn from the decisions of a case how to tell its people apart; kept only if others are found better by it.

    Two thirds of those who are confirmed or rejected train a small adapter of the vectors; the others say whether it
    helps. Searches by tracklets use what is adopted until new tracklets come.

    Args:
        case: whose decisions.
        seed: of the split and of the training.
        by: who asks.
        json: print JSON.
    """
    from skyreid.cases.case import open_case
    from skyreid.cases.search.adapting import adapt

    with open_case(case) as opened:
        report = adapt(opened, by=who(by), seed=seed)
    show_result(report, json=json)
