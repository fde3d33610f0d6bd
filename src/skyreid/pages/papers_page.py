"""Papers with marked places that a person must fill in, as a page of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skyreid.pages.page import packaged_text, render, write_page

SIMULATED = "Drawn people: nothing here is a result on real footage."


@dataclass(frozen=True)
class Item:
    """One thing that a paper says."""

    name: str
    words: str = ""
    """Empty = it is for a person to say."""
    hint: str = ""
    """What a person must say, alone or beside the words."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a paper."""

    title: str
    items: Sequence[Item]


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A paper."""

    title: str
    sections: Sequence[Section]


def write_papers_page(path: Path, sheets: Sequence[Sheet], *, case: str, lead: str, is_simulated: bool) -> None:
    """Write one HTML file; an older one is replaced.

    Args:
        path: the .html file.
        sheets: the papers.
        case: its name.
        lead: the sentence under the heading.
        is_simulated: whether the people are drawn.

    Raises:
        SettingError: as `check_page_place`.
    """
    write_page(
        path,
        title=f"Papers of the case {case}",
        lead=lead,
        notice=SIMULATED if is_simulated else None,
        body=render("papers.html", sheets=sheets),
        footer=render("papers_footer.html"),
        style=packaged_text("papers.css"),
    )
