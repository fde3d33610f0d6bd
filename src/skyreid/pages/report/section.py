"""What a report is made of: a heading, a sentence of explanation, and content; and drawings with their legends."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from skyreid.pages.templates import render


@dataclass(frozen=True, kw_only=True)
class Section:
    """One part of the page, reachable by its anchor."""

    anchor: str
    """Ours, never a user's text: it becomes an id."""
    title: str
    lead: str
    """Plain text: how to read what follows."""
    body: Markup

    def html(self) -> Markup:
        return render("report/section.html", section=self)


@dataclass(frozen=True, kw_only=True)
class Key:
    """One entry of a legend."""

    style: str
    """CSS class that the drawing uses for the same thing."""
    mark: Markup
    """SVG elements in a box of 28 by 12."""
    label: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A drawing under its title, above its legend and what must be known of it."""

    title: str
    svg: Markup
    keys: Sequence[Key]
    note: str = ""


def charts_html(charts: Sequence[Chart]) -> Markup:
    """Charts side by side where there is room."""
    return render("report/charts.html", charts=charts)
