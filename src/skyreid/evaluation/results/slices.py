"""Scores by what is known about the queries: altitude, view, crop width, length, scene, whatever column there is.

A query belongs to the slice that its own tracklet has; the gallery stays whole. Numbers are cut into parts of
equally many queries, texts stand for themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from skyreid.errors import MissingFrameError
from skyreid.evaluation.ranking_scores import Scores
from skyreid.evaluation.results.uncertainty import mean_interval
from skyreid.files.picture_file import picture_size
from skyreid.retrieval.table_rows import TableRows
from skyreid.tracklet import Tracklet

PARTS = 4
"""Slices of a column of numbers."""
MAX_TEXTS = 12
"""A column of more texts, such as names of files, is not worth a picture."""
_PLACES = frozenset(("latitude", "longitude", "position error, m"))
"""Attributes of a tracklet that say where, not how, somebody was seen."""

Column = Sequence[str | float | None]
"""One value per row of the query table; None where nobody knows."""


@dataclass(frozen=True, kw_only=True)
class SliceScore:
    """How well the queries of one slice find their people."""

    column: str
    label: str
    queries: int
    """With a match in the gallery; the scores are over these."""
    mAP: float  # noqa: N815 - the field's own spelling
    mAP_low: float  # noqa: N815
    mAP_high: float  # noqa: N815
    rank_1: float


def columns_of(table: TableRows, tracklets: Sequence[Tracklet]) -> dict[str, Column]:
    """Give what is known about the rows of a table: platform, frames, crop width, and all attributes.

    Args:
        table: whose rows are asked for.
        tracklets: what its ids stand for; others may be among them.

    Raises:
        MissingFrameError: a crop that has to be measured is missing or unreadable.
    """
    by_id = {tracklet.tracklet_id: tracklet for tracklet in tracklets}
    rows = [by_id.get(str(tracklet_id)) for tracklet_id in table.tracklet_ids]
    known = [row for row in rows if row is not None]
    names = sorted({name for tracklet in known for name in tracklet.attributes} - _PLACES)
    columns: dict[str, Column] = {
        "platform": [row.platform.value if row else None for row in rows],
        "frames": [float(len(row.frames)) if row else None for row in rows],
        "crop width": [_width(row) if row else None for row in rows],
    }
    for name in names:
        columns[name] = [row.attributes.get(name) if row else None for row in rows]
    return columns


def slice_scores(
    scores: Scores, pids: Int64[np.ndarray, " query"], columns: Mapping[str, Column], *, rng: np.random.Generator
) -> tuple[SliceScore, ...]:
    """Score the slices of every column that tells queries apart.

    Args:
        scores: of the whole.
        pids: of the rows of the query table; intervals draw people, not queries.
        columns: one value per row of the query table.
        rng: draws the confidence intervals.
    """
    has_match = np.isfinite(scores.average_precisions)
    found = []
    for name, values in columns.items():
        for label, rows in _parts(values, has_match):
            precisions = scores.average_precisions[rows]
            low, high = mean_interval(precisions, rng=rng, pids=pids[rows])
            found.append(
                SliceScore(
                    column=name,
                    label=label,
                    queries=len(precisions),
                    mAP=float(precisions.mean()),
                    mAP_low=low,
                    mAP_high=high,
                    rank_1=float((scores.first_places[rows] == 0).mean()),
                )
            )
    return tuple(found)


def _parts(values: Column, has_match: Bool[np.ndarray, " query"]) -> list[tuple[str, Bool[np.ndarray, " query"]]]:
    """Labels and rows of a column's slices; none where all queries are alike."""
    is_known = has_match & np.array([value is not None for value in values])
    told = {value for value, known in zip(values, is_known, strict=True) if known}
    if len(told) < 2:
        return []
    if any(isinstance(value, str) for value in told):
        if len(told) > MAX_TEXTS:
            return []
        texts = np.array([str(value) for value in values])
        return [(text, is_known & (texts == text)) for text in sorted({str(value) for value in told})]
    numbers = np.array([float(value) if value is not None else np.nan for value in values])
    return _ranges(numbers, is_known)


def _ranges(
    numbers: Float64[np.ndarray, " query"], is_known: Bool[np.ndarray, " query"]
) -> list[tuple[str, Bool[np.ndarray, " query"]]]:
    """Cut numbers where equally many queries lie on either side; equal numbers stay together."""
    shares = np.arange(1, PARTS) / PARTS
    cuts = np.unique(np.quantile(numbers[is_known], shares, method="lower"))
    part = np.searchsorted(cuts, numbers, side="left")
    slices = []
    for number in range(len(cuts) + 1):
        rows = is_known & (part == number)
        if rows.any():
            low, high = numbers[rows].min(), numbers[rows].max()
            slices.append((f"{low:g}" if low == high else f"{low:g} to {high:g}", rows))
    return slices


def _width(tracklet: Tracklet) -> float:
    """Width of a tracklet's middle crop in pixels: widths hardly change along it, and opening all files is slow."""
    path = tracklet.frames[len(tracklet.frames) // 2].path
    try:
        return float(picture_size(path)[0])
    except MissingFrameError as error:
        raise MissingFrameError(f"tracklet {tracklet.tracklet_id!r}: {error}") from error
