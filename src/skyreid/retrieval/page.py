"""One self-contained HTML page: style inside, no script, nothing fetched, legible by day and by night."""

from html import escape
from importlib.resources import files
from pathlib import Path

from skyreid.atomic_file import write_atomically

# Nothing may run and nothing may be fetched, even if a name slipped through unescaped.
_CONTENT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_page(path: Path, *, title: str, lead: str, notice: str | None, body: str, footer: str) -> None:
    """Write a page, whole or not at all.

    Args:
        path: the .html file; an older one is replaced.
        title: plain text, in the heading and in the browser's tab.
        lead: plain text, the one sentence under the heading.
        notice: plain text in a banner above everything, or None.
        body: HTML whose names are escaped.
        footer: HTML whose names are escaped.
    """
    style = files("skyreid.retrieval").joinpath("page.css").read_text(encoding="utf-8")
    banner = "" if notice is None else f'<p class="notice" role="note">{escape(notice)}</p>'
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_CONTENT_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
{banner}
<header><h1>{escape(title)}</h1>
<p class="lead">{escape(lead)}</p></header>
<main>
{body}
</main>
<footer>
{footer}
</footer>
</body>
</html>
"""
    write_atomically(path, [page.encode("utf-8")])
