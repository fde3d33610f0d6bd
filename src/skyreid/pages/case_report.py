"""The report of a case as a PDF, to be read, printed and put on file.

Everything that came from a file or was typed is escaped before it reaches ReportLab, whose paragraphs obey markup. A
character that the font lacks is shown as its escape, never as an empty box. The document's only metadata is its title.
"""

import io
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfdoc import PDFDictionary, PDFInfo, PDFString
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    Image,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

NOTICE = "Similarity of appearance only – not proof of identity"  # noqa: RUF001 - an en dash between words
SIMULATED = "Drawn people: nothing here is a result on real footage."
_LONGEST_FACT = 240
"""Characters of a fact that stands beside a picture."""
_MARGIN = 18 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_INK, _SOFT, _LINE, _SHADE = HexColor("#1b1f24"), HexColor("#5b626b"), HexColor("#d8dbe0"), HexColor("#f3f3f1")
_FONT, _BOLD, _MONO = "DejaVu", "DejaVu-Bold", "DejaVu-Mono"
_FILES = {_FONT: "DejaVuSans.ttf", _BOLD: "DejaVuSans-Bold.ttf", _MONO: "DejaVuSansMono.ttf"}
"""They come with Matplotlib, under a permissive licence."""


@dataclass(frozen=True, kw_only=True)
class ReportedSighting:
    """One appearance of somebody."""

    film: bytes
    """JPEG of frames beside each other, faces covered."""
    film_size: tuple[int, int]
    """Width and height in pixels."""
    is_query: bool
    facts: Sequence[tuple[str, str]]
    """What is said of it, and the words."""


@dataclass(frozen=True, kw_only=True)
class ReportedIdentity:
    """Somebody who was found more than once."""

    title: str
    sightings: Sequence[ReportedSighting]
    decisions: Sequence[Sequence[str]]
    """Rows: when, who, what, on whom, rank, similarity, model."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that the report says."""

    title: str
    is_simulated: bool
    facts: Sequence[tuple[str, str]]
    identities: Sequence[ReportedIdentity]
    conflicts: Sequence[str]
    """What contradicts itself, a sentence each."""
    models: Sequence[Sequence[str]]
    """Rows: number, hash, what it is."""
    sources: Sequence[Sequence[str]]
    """Rows: source and file, camera, begins, hash."""


def draw_report(report: Report) -> bytes:
    """Draw the report as a PDF file."""
    _fonts()
    # Twice: how many pages there are is known when all are drawn.
    _, pages = _drawn(report, 0)
    content, _ = _drawn(report, pages)
    return content


def _drawn(report: Report, pages: int) -> tuple[bytes, int]:
    out = io.BytesIO()
    foot = 22 * mm
    height = A4[1] - _MARGIN - foot
    frame = Frame(_MARGIN, foot, _WIDTH, height, leftPadding=0, bottomPadding=0, rightPadding=0, topPadding=0)
    template = PageTemplate(frames=[frame], onPage=_foot(pages))
    document = BaseDocTemplate(out, pagesize=A4, pageTemplates=[template])
    document.build(_story(report), canvasmaker=_canvas_called(_without_gaps(report.title)))
    return out.getvalue(), document.page


def _story(report: Report) -> list[Flowable]:
    styles = _styles()
    story: list[Flowable] = [Paragraph(_safe(report.title), styles["title"]), Spacer(0, 3 * mm)]
    story += [_banner(NOTICE, styles)]
    if report.is_simulated:
        story += [Spacer(0, 2 * mm), _banner(SIMULATED, styles)]
    story += [Spacer(0, 4 * mm), _facts(report.facts, styles, _WIDTH)]
    for sentence in report.conflicts:
        story += [Spacer(0, 2 * mm), _banner(f"Conflict: {sentence}", styles)]
    for identity in report.identities:
        story += _identity(identity, styles)
    if report.models:
        story += [Paragraph("Models", styles["heading"])]
        story += [_table(("Number", "Hash", "What it is"), report.models, (0.1, 0.56, 0.34), styles, mono=1)]
    story += [Paragraph("Source files", styles["heading"])]
    columns = ("Source", "Camera", "Begins", "SHA-256")
    return [*story, _table(columns, report.sources, (0.24, 0.16, 0.22, 0.38), styles, mono=3)]


def _identity(identity: ReportedIdentity, styles: dict[str, ParagraphStyle]) -> list[Flowable]:
    told: list[Flowable] = []
    for sighting in identity.sightings:
        width, height = sighting.film_size
        scale = min(0.36 * _WIDTH / width, 42 * mm / height)
        film = Image(io.BytesIO(sighting.film), width=width * scale, height=height * scale, hAlign="LEFT")
        facts = _facts([(name, _in_short(words)) for name, words in sighting.facts], styles, 0.6 * _WIDTH - 6)
        label = [Paragraph("Query", styles["label"])] if sighting.is_query else []
        row = Table([[film, [*label, facts]]], colWidths=(0.4 * _WIDTH, 0.6 * _WIDTH))
        row.setStyle(
            TableStyle(
                [
                    ("VALIGN", (0, 0), (-1, -1), "TOP"),
                    ("LINEABOVE", (0, 0), (-1, 0), 0.5, _LINE),
                    ("LEFTPADDING", (0, 0), (0, -1), 0),
                    ("TOPPADDING", (0, 0), (-1, -1), 6),
                    ("BOTTOMPADDING", (0, 0), (-1, -1), 6),
                ]
            )
        )
        told.append(row)
    heading = Paragraph(_safe(identity.title), styles["heading"])
    columns = ("When", "Who", "Decision", "Tracklets", "Rank", "Similarity", "Model")
    widths = (0.19, 0.13, 0.13, 0.27, 0.08, 0.12, 0.08)
    decisions = _table(columns, identity.decisions, widths, styles) if identity.decisions else None
    return [heading, *told, *([Spacer(0, 2 * mm), decisions] if decisions is not None else [])]


def _facts(facts: Sequence[tuple[str, str]], styles: dict[str, ParagraphStyle], width: float) -> Table:
    rows = [[Paragraph(_safe(name), styles["soft"]), Paragraph(_safe(words), styles["text"])] for name, words in facts]
    table = Table(rows, colWidths=(0.28 * width, 0.72 * width), splitInRow=1)
    padding = [("TOPPADDING", (0, 0), (-1, -1), 1.5), ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5)]
    table.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), *padding, ("LEFTPADDING", (0, 0), (0, -1), 0)]))
    return table


def _table(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    shares: Sequence[float],
    styles: dict[str, ParagraphStyle],
    *,
    mono: int | None = None,
) -> Table:
    def cell(place: int, words: str) -> Paragraph:
        return Paragraph(_safe(words), styles["mono" if place == mono else "cell"])

    head = [Paragraph(_safe(name), styles["soft"]) for name in names]
    body = [[cell(place, words) for place, words in enumerate(row)] for row in rows]
    table = Table([head, *body], colWidths=[share * _WIDTH for share in shares], repeatRows=1, splitInRow=1)
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, -1), 0.5, _LINE),
                ("LEFTPADDING", (0, 0), (-1, -1), 3),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3),
            ]
        )
    )
    return table


def _banner(words: str, styles: dict[str, ParagraphStyle]) -> Table:
    table = Table([[Paragraph(_safe(words), styles["label"])]], colWidths=(_WIDTH,))
    table.setStyle(TableStyle([("BACKGROUND", (0, 0), (-1, -1), _SHADE), ("LEFTPADDING", (0, 0), (-1, -1), 8)]))
    return table


def _styles() -> dict[str, ParagraphStyle]:
    def style(name: str, size: float, *, font: str = _FONT, colour: Color = _INK) -> ParagraphStyle:
        # A long name or hash breaks anywhere rather than running out of its column.
        return ParagraphStyle(
            name, fontName=font, fontSize=size, leading=1.35 * size, textColor=colour, splitLongWords=1
        )

    heading = style("heading", 12.0, font=_BOLD)
    heading.spaceBefore, heading.spaceAfter, heading.keepWithNext = 7 * mm, 2 * mm, 1
    made = (
        style("title", 18.0, font=_BOLD),
        heading,
        style("label", 8.5, font=_BOLD),
        style("text", 8.5),
        style("soft", 8.5, colour=_SOFT),
        style("cell", 7.5),
        style("mono", 6.5, font=_MONO),
    )
    return {one.name: one for one in made}


# Text.
@cache
def _fonts() -> dict[str, TTFont]:
    """Load what is written with."""
    folder = files("matplotlib") / "mpl-data" / "fonts" / "ttf"
    loaded = {name: TTFont(name, io.BytesIO((folder / file).read_bytes())) for name, file in _FILES.items()}
    for font in loaded.values():
        registerFont(font)
    return loaded


def _safe(words: str) -> str:
    """Escape what ReportLab would obey, and write out what no font shows."""
    return escape(_without_gaps(words), quote=False)


def _in_short(words: str) -> str:
    """Cut what would not fit beside a picture."""
    return words if len(words) <= _LONGEST_FACT else f"{words[:_LONGEST_FACT]}…"


def _without_gaps(words: str) -> str:
    glyphs = _fonts()[_FONT].face.charToGlyph
    return "".join(one if _is_shown(one, glyphs) else one.encode("unicode_escape").decode("ascii") for one in words)


def _is_shown(character: str, glyphs: dict[int, int]) -> bool:
    # Letters that join or stand from right to left would need a shaper: better their numbers than a wrong reading.
    return (
        character.isprintable() and ord(character) in glyphs and unicodedata.bidirectional(character) not in ("R", "AL")
    )


class _TitleOnly(PDFInfo):
    """What the document says of itself: its title, and neither who made it when, nor with what."""

    def format(self, document: object) -> bytes:
        return PDFDictionary({"Title": PDFString(self.title)}).format(document)


def _canvas_called(title: str) -> type[Canvas]:
    class TitledCanvas(Canvas):
        """Forgets all but the title, when everything is drawn and ReportLab has said what it knows."""

        def save(self) -> None:
            info = _TitleOnly()
            info.title = title
            vars(self)["_doc"].info = info
            super().save()

    return TitledCanvas


def _foot(pages: int) -> Callable[[Canvas, BaseDocTemplate], None]:
    """What draws the foot of each of so many pages."""

    def draw(canvas: Canvas, _: BaseDocTemplate) -> None:
        canvas.setFont(_FONT, 7)
        canvas.setFillColor(_SOFT)
        canvas.drawString(_MARGIN, 12 * mm, NOTICE)
        canvas.drawRightString(A4[0] - _MARGIN, 12 * mm, f"page {canvas.getPageNumber()} of {pages}")

    return draw
