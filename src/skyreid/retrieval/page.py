"""One self-contained HTML page: style inside, nothing fetched, no foreign script, legible by day and by night."""

from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path

from skyreid.atomic_file import write_atomically

# Nothing may run and nothing may be fetched, even if a name slipped through unescaped.
_CONTENT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_page(
    path: Path,
    *,
    title: str,
    lead: str,
    notice: str | None,
    body: str,
    footer: str,
    style: str = "",
    script: str = "",
) -> None:
    """Write a page, whole or not at all.

    Args:
        path: the .html file; an older one is replaced.
        title: plain text, in the heading and in the browser's tab.
        lead: plain text, the one sentence under the heading.
        notice: plain text in a banner above everything, or None.
        body: HTML whose names are escaped.
        footer: HTML whose names are escaped.
        style: CSS of this kind of page, behind what all pages share.
        script: JavaScript that is ours to the last letter; it alone may run. "" = none.
    """
    style = files("skyreid.retrieval").joinpath("page.css").read_text(encoding="utf-8") + style
    banner = "" if notice is None else f'<p class="notice" role="note">{escape(notice)}</p>'
    program = f"<script>{script}</script>\n" if script else ""
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_content_policy(script)}">
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
{program}</body>
</html>
"""
    write_atomically(path, [page.encode("utf-8", "backslashreplace")])


def _content_policy(script: str) -> str:
    """The script is allowed by its hash, so that no other text can become one."""
    if not script:
        return _CONTENT_POLICY
    digest = b64encode(sha256(script.encode("utf-8")).digest()).decode("ascii")
    return f"{_CONTENT_POLICY}; script-src 'sha256-{digest}'"
