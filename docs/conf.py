"""The site: python -m sphinx -W --keep-going docs site (after pip install '.[docs]')."""

import re
from importlib.metadata import version as installed_version

from sphinx.application import Sphinx

project = "skyreid"
copyright = "The skyreid engineers, Apache-2.0"
version = release = installed_version("skyreid")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

html_theme = "furo"
html_title = f"skyreid {release}"
html_theme_options = {"top_of_page_buttons": []}
html_copy_source = False

myst_heading_anchors = 4

# Docstrings are written for people: one backtick is code, and may be followed by a letter.
default_role = "code"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 88


def _part_code_from_words(
    _app: Sphinx, _what: str, _name: str, _it: object, _options: object, lines: list[str]
) -> None:
    lines[:] = [re.sub(r"(?<![`\w])(`[^`]+`)(?=\w)", r"\1\\ ", line) for line in lines]


def setup(app: Sphinx) -> None:
    """Read docstrings as they are meant."""
    app.connect("autodoc-process-docstring", _part_code_from_words)
