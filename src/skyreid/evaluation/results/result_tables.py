"""Results as tables for a page or a paper: no score without its protocol, none beside one it cannot be set beside."""

from collections.abc import Sequence

from skyreid.evaluation.results.protocol_card import ProtocolCard, differences
from skyreid.evaluation.results.result_file import SCORE_NAMES, EvaluationResult
from skyreid.evaluation.results.uncertainty import Estimate

_RANKER = frozenset({"ranker"})
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\n": " ",
}
_MARKDOWN = {"|": r"\|", "<": "&lt;", "\n": " "}


def to_markdown(results: Sequence[EvaluationResult]) -> str:
    """Write a table for each protocol card; re-ranked results have rows of their own, below the others."""
    return "\n\n".join(_markdown_table(group) for group in _comparable(results)) + "\n"


def to_latex(results: Sequence[EvaluationResult]) -> str:
    """Write a booktabs table for each protocol card; re-ranked results stand below a rule."""
    return "\n\n".join(_latex_table(group) for group in _comparable(results)) + "\n"


def _comparable(results: Sequence[EvaluationResult]) -> list[list[EvaluationResult]]:
    """Put together what may stand in one table: cards that differ in the ranker at most; plain rankings first.

    A checkpoint chosen by its test score is comparable with nothing, so it gets a table of its own.
    """
    groups: list[list[EvaluationResult]] = []
    for result in results:
        for group in groups:
            if not differences(group[0].card, result.card, apart_from=_RANKER):
                group.append(result)
                break
        else:
            groups.append([result])
    return [sorted(group, key=lambda result: result.card.is_reranked) for group in groups]


def _markdown_table(group: Sequence[EvaluationResult]) -> str:
    names = _columns(group)
    heading = ["model", "ranking", *names, "queries"]
    rows = [heading, ["---", "---", *("---:" for _ in heading[2:])], *(_row(result, names) for result in group)]
    lines = ["| " + " | ".join(_escaped(cell, _MARKDOWN) for cell in row) + " |" for row in rows]
    return "\n".join([_escaped(_caption(group), _MARKDOWN), "", *lines])


def _latex_table(group: Sequence[EvaluationResult]) -> str:
    names = _columns(group)
    heading = ["model", "ranking", *names, "queries"]
    plain = [_row(result, names) for result in group if not result.card.is_reranked]
    reranked = [_row(result, names) for result in group if result.card.is_reranked]
    rule = ["\\midrule"] if plain and reranked else []
    return "\n".join(
        [
            "\\begin{table}",
            f"\\caption{{{_escaped(_caption(group), _LATEX)}}}",
            "\\centering",
            f"\\begin{{tabular}}{{ll{'r' * (len(heading) - 2)}}}",
            "\\toprule",
            _latex_row(heading),
            "\\midrule",
            *map(_latex_row, plain),
            *rule,
            *map(_latex_row, reranked),
            "\\bottomrule",
            "\\end{tabular}",
            "\\end{table}",
        ]
    )


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(_escaped(cell, _LATEX) for cell in cells) + r" \\"


def _columns(group: Sequence[EvaluationResult]) -> list[str]:
    further = sorted({name for result in group for name in result.scores} - set(SCORE_NAMES))
    return [*SCORE_NAMES, *further]


def _row(result: EvaluationResult, names: Sequence[str]) -> list[str]:
    cells = [_cell(result.scores.get(name)) for name in names]
    return [_name(result.card), result.card.ranker, *cells, str(result.queries)]


def _name(card: ProtocolCard) -> str:
    """What tells rows apart; simulated data is named in every row, since rows are copied without captions."""
    words = [card.model or "model not stated"]
    if card.seed is not None:
        words.append(f"seed {card.seed}")
    return ", ".join(words) + (" (SIMULATED)" if card.simulated else "")


def _cell(score: Estimate | None) -> str:
    if score is None:
        return "-"
    return f"{100 * score.value:.1f} [{100 * score.low:.1f}, {100 * score.high:.1f}]"


def _caption(group: Sequence[EvaluationResult]) -> str:
    rules = sorted({(result.interval.level, result.interval.resampled) for result in group})
    intervals = " and ".join(f"{level:.0%} intervals by bootstrap over {resampled}" for level, resampled in rules)
    return f"Per cent, in brackets {intervals}. {group[0].card.in_words()}"


def _escaped(text: str, signs: dict[str, str]) -> str:
    return "".join(signs.get(sign, sign) for sign in text)
