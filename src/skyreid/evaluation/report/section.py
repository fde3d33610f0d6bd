"""What a report is made of: a heading, a sentence of explanation, and content."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, kw_only=True)
class Section:
    """One part of the page, reachable by its anchor."""

    anchor: str
    """Ours, never a user's text: it becomes an id."""
    title: str
    lead: str
    """Plain text: how to read what follows."""
    body: str
    """HTML whose names are escaped."""

    def html(self) -> str:
        return f"""<section id="{self.anchor}">
<h2>{escape(self.title)}</h2>
<p class="lead">{escape(self.lead)}</p>
{self.body}
</section>"""


@dataclass(frozen=True, kw_only=True)
class Key:
    """One entry of a legend."""

    style: str
    """CSS class that the drawing uses for the same thing."""
    mark: str
    """SVG elements in a box of 28 by 12."""
    label: str


def chart_figure(title: str, svg: str, keys: Sequence[Key], note: str = "") -> str:
    """A drawing under its title, above its legend and what must be known of it."""
    entries = "".join(
        f'<li class="{key.style}"><svg class="key" viewBox="0 0 28 12" aria-hidden="true">{key.mark}</svg>'
        f"{escape(key.label)}</li>"
        for key in keys
    )
    legend = f'<ul class="legend">{entries}</ul>' if keys else ""
    remark = f'<p class="remark">{escape(note)}</p>' if note else ""
    return f'<figure class="chart"><h3>{escape(title)}</h3>\n{svg}\n{legend}{remark}</figure>'


def as_percent(share: float) -> str:
    """A share as the tables print it, without the sign: 0.6125 is 61.2."""
    return f"{share * 100:.1f}"


def as_range(interval: tuple[float, float]) -> str:
    """An interval as the tables print it."""
    low, high = interval
    return f"{as_percent(low)}–{as_percent(high)}"  # noqa: RUF001 - an en dash between numbers
