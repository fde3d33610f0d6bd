"""HTML from templates: what is filled in is escaped, unless it is a drawing or a part that this folder made itself."""

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from skyreid.tracklet import Platform

# Shapes and words, so that nothing is told by colour alone.
PLATFORM_MARKS = {Platform.GROUND: "●", Platform.AERIAL: "▲"}


def as_percent(share: float) -> str:
    """A share as the tables print it, without the sign: 0.6125 is 61.2."""
    return f"{share * 100:.1f}"


def as_range(interval: tuple[float, float]) -> str:
    """An interval as the tables print it."""
    low, high = interval
    return f"{as_percent(low)}–{as_percent(high)}"  # noqa: RUF001 - an en dash between numbers


_TEMPLATES = Environment(
    loader=PackageLoader("skyreid.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals["platform_marks"] = PLATFORM_MARKS
_TEMPLATES.filters |= {"percent": as_percent, "range": as_range, "thousands": "{:,}".format}


def render(template: str, **values: object) -> Markup:
    """Fill in a template.

    Args:
        template: a file in `templates/`.
        values: by the names that the template uses; text is escaped, `Markup` is not.
    """
    return Markup(_TEMPLATES.get_template(template).render(values))
