"""`skyreid case re-embed`: a case by another model, without its footage."""

from skyreid.cli.terminal import DONE_IN_PART, Bars, File, show_result, who


def case_re_embed(case: File, *, model: str, sample: int = 2_000, by: str | None = None, json: bool = False) -> int:
    """Embed everybody in a case by another model, from the crops that it keeps; searches take it when all are through.

    Until then tracklets ask by the old vectors, and pictures and texts by the new model, where a linear map stands in
    for vectors that are missing; what that loses is measured and said. The same command goes on where it was killed.

    Args:
        case: whose people.
        model: a checkpoint folder, a network with its settings, or the name of published weights.
        sample: tracklets with both vectors that the map is learned from and judged by.
        by: who asks.
        json: print JSON.
    """
    from skyreid.cases.case import open_case
    from skyreid.cases.search.re_embedding import re_embed

    with open_case(case) as opened, Bars() as bars:
        report = re_embed(opened, model, by=who(by), sample=sample, progress=bars)
    show_result(report, json=json)
    return DONE_IN_PART if report.left_out else 0
