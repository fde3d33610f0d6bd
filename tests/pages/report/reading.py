"""What a reader sees of a page, and what a parser sees of a drawing in it."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.skipped = 0

    def handle_starttag(self, tag, attrs):
        self.skipped += tag in ("style", "script")
        self.words.append("\n" if tag == "tr" else " ")

    def handle_endtag(self, tag):
        self.skipped -= tag in ("style", "script")

    def handle_data(self, data):
        if not self.skipped:
            self.words.append(data.replace("\n", " "))


def lines(html: str) -> list[str]:
    """The words, a table row to a line."""
    reader = _Text()
    reader.feed(html)
    return [" ".join(line.split()) for line in "".join(reader.words).split("\n")]


def words(html: str) -> str:
    return " ".join(lines(html)).strip()


def drawing(html: str) -> ElementTree.Element:
    """The only large drawing in it."""
    [svg] = re.findall(r'<svg viewBox="[^"]*" role="img".*?</svg>', html, re.DOTALL)
    return ElementTree.fromstring(svg)


def points_of(path: ElementTree.Element) -> list[tuple[float, float]]:
    numbers = [point.split() for point in path.get("d", "").removesuffix(" z").lstrip("M").split("L")]
    return [(float(x), float(y)) for x, y in numbers]
