"""Ranked lists: what a searcher would have seen, at its best, at its worst, and just beside the mark."""

from collections.abc import Sequence
from dataclasses import dataclass

from skyreid.evaluation.ranking_examples import ExampleKind
from skyreid.pages.ranked_list import RankedTracklet, ranked_list_html
from skyreid.pages.report.section import Section
from skyreid.pages.templates import render
from skyreid.tracklet import Tracklet

# Shapes and words, so that nothing is told by colour alone.
_BADGES = {
    ExampleKind.BEST: ("best", "✓ best"),
    ExampleKind.NEAR_MISS: ("near-miss", "≈ near miss"),
    ExampleKind.WORST: ("worst", "✕ worst"),
}


@dataclass(frozen=True, kw_only=True)
class RankedExample:
    """One query and what was found for it."""

    name: str
    query: Tracklet
    ranked: tuple[RankedTracklet, ...]
    kind: ExampleKind | None = None
    """Why it is shown; None = it stands for no kind."""


def example_section(examples: Sequence[RankedExample]) -> Section | None:
    """One list after the other, the first of each kind open; None where there is none.

    Raises:
        MissingFrameError: a frame that would be shown is missing or is no picture.
    """
    if not examples:
        return None
    opened = {example.kind: number for number, example in reversed(list(enumerate(examples)))}
    return Section(
        anchor="ranked-lists",
        title="Ranked lists",
        lead="The tracklet that was asked for, and what stood first. ● is seen from the ground, ▲ from the air.",
        body=render(
            "report/examples.html",
            badges=_BADGES,
            examples=[
                (example, opened[example.kind] == number, ranked_list_html(example.query, example.ranked))
                for number, example in enumerate(examples)
            ],
        ),
    )
