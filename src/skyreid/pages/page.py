"""One self-contained HTML page: style inside, nothing fetched, no foreign script, legible by day and by night.

What is filled into a template is escaped, unless it is a drawing or a part that this folder made itself.
"""

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from skyreid.errors import SettingError
from skyreid.files.atomic_file import write_atomically
from skyreid.files.regular_file import open_regular
from skyreid.tracklet import Platform

_BEGINNING = b"<!doctype html>"
# Nothing may run and nothing may be fetched, even if a name slipped through unescaped.
_CONTENT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_page(
    path: Path,
    *,
    title: str,
    lead: str,
    notice: str | None,
    body: Markup,
    footer: Markup,
    style: str = "",
    script: str = "",
) -> None:
    """Write a page, whole or not at all.

    Args:
        path: the .html file; an older one is replaced.
        title: plain text, in the heading and in the browser's tab.
        lead: plain text, the one sentence under the heading.
        notice: plain text in a banner above everything, or None.
        body: what a template gave.
        footer: what a template gave.
        style: CSS of this kind of page, behind what all pages share.
        script: JavaScript that is ours to the last letter; it alone may run. "" = none.

    Raises:
        SettingError: as `check_page_place`.
    """
    check_page_place(path)
    page = render(
        "page.html",
        content_policy=_content_policy(script),
        title=title,
        style=Markup(packaged_text("page.css") + style),
        notice=notice,
        lead=lead,
        body=body,
        footer=footer,
        script=Markup(script),
    )
    write_atomically(path, [f"{page}\n".encode("utf-8", "backslashreplace")])


def check_page_place(path: Path) -> None:
    """See that a page may be written there, before the work that it takes.

    Raises:
        SettingError: another file than a page lies there, such as a video, or a folder.
    """
    if path.is_dir():
        raise SettingError(f"{path}: a page is a file, and this is a folder; name a file, such as {path / 'page.html'}")
    if path.is_file() and path.stat().st_size:
        with open_regular(path) as older:
            if not older.read(len(_BEGINNING)).lower().startswith(_BEGINNING):
                raise SettingError(f"{path}: is there already and is no page; name another file, or remove that one")


def packaged_text(name: str) -> str:
    """Read a style or a script of this folder."""
    return files("skyreid.pages").joinpath(name).read_text(encoding="utf-8")


def _content_policy(script: str) -> str:
    """The script is allowed by its hash, so that no other text can become one."""
    if not script:
        return _CONTENT_POLICY
    digest = b64encode(sha256(script.encode("utf-8")).digest()).decode("ascii")
    return f"{_CONTENT_POLICY}; script-src 'sha256-{digest}'"


def as_percent(share: float) -> str:
    """A share as the tables print it, without the sign: 0.6125 is 61.2."""
    return f"{share * 100:.1f}"


def as_range(interval: tuple[float, float]) -> str:
    """An interval as the tables print it."""
    low, high = interval
    return f"{as_percent(low)}–{as_percent(high)}"  # noqa: RUF001 - an en dash between numbers


# Shapes and words, so that nothing is told by colour alone.
_PLATFORM_MARKS = {Platform.GROUND: "●", Platform.AERIAL: "▲"}
_TEMPLATES = Environment(
    loader=PackageLoader("skyreid.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals["platform_marks"] = _PLATFORM_MARKS
_TEMPLATES.filters |= {"percent": as_percent, "range": as_range, "thousands": "{:,}".format}


def render(template: str, **values: object) -> Markup:
    """Fill in a template.

    Args:
        template: a file in `templates/`.
        values: by the names that the template uses; text is escaped, `Markup` is not.
    """
    return Markup(_TEMPLATES.get_template(template).render(values))
