"""The embedding map as inline SVG: shapes for platforms, colours for a dozen people, lines within a person."""

import numpy as np
from jaxtyping import Bool, Float64
from markupsafe import Markup, escape

from skyreid.evaluation.embedding_map import EmbeddingMap
from skyreid.pages.page import render
from skyreid.pages.report.section import Section
from skyreid.tracklet import PLATFORMS, Platform

_WIDTH, _HEIGHT, _MARGIN = 640, 480, 18
_LEAST_SIZE, _MOST_SIZE = 3.2, 6.5
_SHOWN_LARGER = 1.4
_LEAST_SPAN = 1e-9


def map_section(embedding_map: EmbeddingMap | None) -> Section | None:
    """The map with its legend, which is also a choice of the person to look at; None without a map."""
    if embedding_map is None:
        return None
    drawn, whole = len(embedding_map.points), embedding_map.num_tracklets
    sample = f"All {whole:,} tracklets" if drawn == whole else f"{drawn:,} of {whole:,} tracklets, whole people,"
    return Section(
        anchor="map",
        title="Embedding map",
        lead=f"{sample} laid out so that those that look alike to the model lie together ({embedding_map.method}; "
        "the axes have no meaning, and distances between far groups none either). Lines join the tracklets of a "
        "person who was seen from both platforms: short lines are people whom the model knows again. "
        + _rings(embedding_map),
        body=render("report/map.html", shown_pids=embedding_map.shown_pids, drawing=map_svg(embedding_map)),
    )


def _rings(embedding_map: EmbeddingMap) -> str:
    asked, failed = np.count_nonzero(embedding_map.is_query), np.count_nonzero(embedding_map.is_failure)
    if not asked:
        return "Nobody here asked, so there are no rings."
    others = "" if asked == len(embedding_map.points) else " The other tracklets did not ask and have no ring."
    return (
        f"A ring marks a query that found somebody else first: {failed:,} of the {asked:,} drawn here "
        f"({failed / asked:.0%}).{others}"
    )


def map_svg(embedding_map: EmbeddingMap) -> Markup:
    """Draw everybody in grey, and over them the people to be told apart."""
    places = _places(embedding_map.points)
    shown = embedding_map.shown_pids
    others = [int(pid) for pid in np.unique(embedding_map.pids) if pid not in shown]
    groups = [_person(embedding_map, places, pid, "person") for pid in others]
    # The first of the legend lies on top.
    groups += [
        _person(embedding_map, places, pid, f"person shown p{number}")
        for number, pid in reversed(list(enumerate(shown)))
    ]
    spoken = (
        f"Map of {len(places):,} tracklets of {len(np.unique(embedding_map.pids)):,} people; "
        f"{np.count_nonzero(embedding_map.is_failure):,} queries found somebody else first"
    )
    note = f'<text x="{_MARGIN}" y="{_HEIGHT - 4}">near = alike to the model; no units</text>'
    return Markup(
        "\n".join([f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{spoken}">', *groups, note, "</svg>"])
    )


def _places(points: Float64[np.ndarray, "tracklet 2"]) -> Float64[np.ndarray, "tracklet 2"]:
    """In the drawing, with one scale for both directions."""
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.array([_WIDTH, _HEIGHT]) - 2 * _MARGIN
    scale = float((room / np.maximum(high - low, _LEAST_SPAN)).min())
    return (points - (low + high) / 2) * scale + np.array([_WIDTH, _HEIGHT]) / 2


def _person(embedding_map: EmbeddingMap, places: Float64[np.ndarray, "tracklet 2"], pid: int, style: str) -> str:
    rows = np.flatnonzero(embedding_map.pids == pid)
    size = min(max(60 / np.sqrt(len(places)), _LEAST_SIZE), _MOST_SIZE)  # many small ones or a few large ones
    if "shown" in style:
        size *= _SHOWN_LARGER
    marks = "".join(_mark(embedding_map, int(row), places[row], size) for row in rows)
    return f'<g class="{style}">{_lines(places, embedding_map, embedding_map.pids == pid)}{marks}</g>'


def _lines(
    places: Float64[np.ndarray, "tracklet 2"], embedding_map: EmbeddingMap, is_person: Bool[np.ndarray, " tracklet"]
) -> str:
    """From each tracklet to the middle of all; only where the person was seen from both platforms."""
    if len(np.unique(embedding_map.platforms[is_person])) < len(PLATFORMS):
        return ""
    middle = places[is_person].mean(axis=0)
    path = " ".join(f"M{middle[0]:.1f} {middle[1]:.1f} L{x:.1f} {y:.1f}" for x, y in places[is_person])
    return f'<path class="join" d="{path}"/>'


def _mark(embedding_map: EmbeddingMap, row: int, place: Float64[np.ndarray, " 2"], size: float) -> str:
    platform = PLATFORMS[int(embedding_map.platforms[row])]
    x, y = place
    words = f"person {embedding_map.pids[row]}, {platform}, {embedding_map.tracklet_ids[row]}"
    style = f'class="{platform}{" failure" if embedding_map.is_failure[row] else ""}"'
    title = f"<title>{escape(words)}</title>"
    if platform is Platform.GROUND:
        return f'<circle {style} cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}">{title}</circle>'
    path = f"M{x:.1f} {y - 1.2 * size:.1f} l{1.15 * size:.1f} {2 * size:.1f} h{-2.3 * size:.1f} z"
    return f'<path {style} d="{path}">{title}</path>'
