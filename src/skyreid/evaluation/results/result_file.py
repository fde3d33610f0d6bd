"""The result of an evaluation as a file: scores with intervals, the protocol card, and every query's own score."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from skyreid.arguments import kind_of, path_of
from skyreid.errors import CheckpointError, ProtocolError, ResultError, SettingError
from skyreid.evaluation.ranking_scores import REPORTED_RANKS, Scores
from skyreid.evaluation.results.protocol_card import ProtocolCard
from skyreid.evaluation.results.slices import SliceScore
from skyreid.evaluation.results.uncertainty import USUAL_INTERVAL, Estimate, IntervalConfig, estimate_means
from skyreid.files.atomic_file import write_atomically
from skyreid.files.config_json import from_json, to_json
from skyreid.files.file_kinds import RESULT, require_kind
from skyreid.files.strict_json import Json, has_own_sha256, read_json, with_own_sha256
from skyreid.retrieval.table_rows import TableRows

FORMAT_NAME = "skyreid result"
FORMAT_VERSION = 1
SCORE_NAMES = ("mAP", "mINP", *(f"rank-{k}" for k in REPORTED_RANKS))
"""What every result has, in 0-1; mAP@K stands beside them where the protocol asks for it."""
_KEYS = {
    "format",
    "version",
    "sha256",
    "card",
    "scores",
    "interval",
    "queries",
    "queries_without_match",
    "per_query",
    "slices",
}
_COLUMNS = ("tracklet_ids", "pids", "average_precisions", "first_places")


@dataclass(frozen=True, kw_only=True, eq=False)
class QueryScores:
    """One row for each query that has a match, in the order of the table."""

    tracklet_ids: Shaped[np.ndarray, " query"]
    """Strings or integers."""
    pids: Int64[np.ndarray, " query"]
    average_precisions: Float64[np.ndarray, " query"]
    first_places: Int64[np.ndarray, " query"]
    """Place of the first good entry, from 0."""

    def __len__(self) -> int:
        return len(self.pids)


@dataclass(frozen=True, kw_only=True, eq=False)
class EvaluationResult:
    """How well one model does under one protocol card.

    Raises:
        ResultError: a score is missing or outside 0-1, a place is below 0, or the queries do not add up.
    """

    card: ProtocolCard
    scores: Mapping[str, Estimate]
    """Those of SCORE_NAMES, and mAP@K where the protocol asks for it."""
    interval: IntervalConfig
    """How the intervals of the scores were made."""
    queries: int
    """How many asked, those without a match among them."""
    queries_without_match: int
    per_query: QueryScores
    slices: tuple[SliceScore, ...] = ()

    def __post_init__(self) -> None:
        if missing := [name for name in SCORE_NAMES if name not in self.scores]:
            raise ResultError(f"scores must hold {', '.join(SCORE_NAMES)}; missing: {', '.join(missing)}")
        for name, score in self.scores.items():
            if not all(0 <= value <= 1 for value in (score.value, score.low, score.high)) or score.low > score.high:
                raise ResultError(f"scores: {name} and its interval must lie in 0-1 and in order; got {score}")
        if len(self.per_query) != self.queries - self.queries_without_match:
            raise ResultError(
                f"per_query must hold the queries with a match, {self.queries} - {self.queries_without_match}; "
                f"got {len(self.per_query)}"
            )
        if not np.all((self.per_query.average_precisions >= 0) & (self.per_query.average_precisions <= 1)):
            raise ResultError("per_query: average precisions must lie in 0-1")
        if np.any(self.per_query.first_places < 0):
            raise ResultError("per_query: places count from 0, of queries with a match only")
        if self.per_query.tracklet_ids.dtype.kind not in "Uiu":
            raise ResultError(
                f"per_query: tracklet ids must be strings or integers; got {self.per_query.tracklet_ids.dtype}"
            )
        if len(np.unique(self.per_query.tracklet_ids)) != len(self.per_query):
            raise ResultError("per_query: a tracklet id stands twice")

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {self.scores[name].value:.1%}" for name in ("mAP", "rank-1"))
        return f"EvaluationResult({self.card.protocol}, {self.card.ranker}: {scores}, {self.queries} queries)"


@runtime_checkable
class HasResult(Protocol):
    """An evaluation, as `evaluate` gives it."""

    @property
    def result(self) -> EvaluationResult: ...


def make_result(
    query_table: TableRows,
    scores: Scores,
    card: ProtocolCard,
    *,
    interval: IntervalConfig = USUAL_INTERVAL,
    slices: tuple[SliceScore, ...] = (),
) -> EvaluationResult:
    """Put scores, their uncertainty and their card together.

    Args:
        query_table: the table that was evaluated.
        scores: what `evaluate` gave for it.
        card: how it came about.
        interval: how intervals are made.
        slices: scores of parts of the queries.

    Raises:
        ProtocolError: the card is of another protocol, or the table is not that of the scores.
    """
    if not card.is_of(scores.protocol):
        raise ProtocolError(
            f"the card must be of the protocol that was evaluated, {scores.protocol.name}; it says "
            f"{card.in_words()} (make it by ProtocolCard.of)"
        )
    if len(query_table) != len(scores.average_precisions):
        raise ProtocolError(
            f"the scores are of a table of {len(scores.average_precisions)} queries; this one has {len(query_table)}"
        )
    has_match = scores.first_places >= 0
    pids, columns = query_table.pids[has_match], _per_query_scores(scores)
    values = np.stack([column[has_match] for column in columns.values()], axis=1)
    estimates = estimate_means(values, pids, rng=np.random.default_rng(interval.seed), config=interval)
    return EvaluationResult(
        card=card,
        scores=dict(zip(columns, estimates, strict=True)),
        interval=interval,
        queries=scores.queries,
        queries_without_match=scores.queries_without_match,
        per_query=QueryScores(
            tracklet_ids=query_table.tracklet_ids[has_match],
            pids=pids,
            average_precisions=scores.average_precisions[has_match],
            first_places=scores.first_places[has_match],
        ),
        slices=slices,
    )


def write_result(path: Path, result: EvaluationResult) -> None:
    """Write a result as JSON with a hash of its content, whole or not at all."""
    content: dict[str, Json] = {
        "format": FORMAT_NAME,
        "version": FORMAT_VERSION,
        "card": to_json(result.card),
        "scores": {name: to_json(score) for name, score in result.scores.items()},
        "interval": to_json(result.interval),
        "queries": result.queries,
        "queries_without_match": result.queries_without_match,
        "per_query": {name: getattr(result.per_query, name).tolist() for name in _COLUMNS},
        "slices": to_json(result.slices),
    }
    write_atomically(path, [json.dumps(with_own_sha256(content), indent=1, allow_nan=False).encode() + b"\n"])


def result_of(given: EvaluationResult | HasResult | str | PathLike[str]) -> EvaluationResult:
    """Take a result, that of an evaluation, or read the one whose path is given.

    Raises:
        ResultError: what `read_result` refuses.
        SettingError: it is none of them.
    """
    if isinstance(given, EvaluationResult):
        return given
    if isinstance(given, str | PathLike):
        return read_result(given)
    if not isinstance(given, HasResult):
        raise SettingError(f"a result is what `evaluate` gives, or the path of a result file; got {kind_of(given)}")
    return given.result


def read_result(path: str | PathLike[str]) -> EvaluationResult:
    """Read a result, all of it or nothing.

    Raises:
        ResultError: the file is missing, cut, edited or of another version, or it does not add up.
        SettingError: the path is none.
    """
    path = path_of(path, "a result")
    require_kind(path, RESULT, error=ResultError)
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise ResultError(f"{path} must be a result file; it cannot be read: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT_NAME:
        raise ResultError(f"{path} must be a result file of skyreid, of the format {FORMAT_NAME!r}")
    if content.get("version") != FORMAT_VERSION:
        raise ResultError(
            f"{path} is of version {content.get('version')!r}, this skyreid reads {FORMAT_VERSION}; evaluate again"
        )
    if missing := sorted(_KEYS - content.keys()):
        raise ResultError(f"{path}: a result lacks {', '.join(missing)}")
    if unknown := sorted(content.keys() - _KEYS):
        raise ResultError(f"{path}: a result has no {', '.join(unknown)}")
    if not has_own_sha256(content):
        raise ResultError(f"{path} was edited: its content does not have the sha256 that it names")
    try:
        return _parse(content)
    except (CheckpointError, ResultError) as error:  # the reader of dataclasses knows no other file than checkpoints
        raise ResultError(f"{path}: {error}") from error


def _per_query_scores(scores: Scores) -> dict[str, Float64[np.ndarray, " query"]]:
    """By score, what it is the mean of over the queries with a match."""
    columns = {
        "mAP": scores.average_precisions,
        "mINP": scores.inverse_negative_penalties,
        **{f"rank-{k}": (scores.first_places < k).astype(np.float64) for k in REPORTED_RANKS},
    }
    cut = scores.protocol.mAP_cut
    return columns if cut is None else {**columns, f"mAP@{cut}": scores.match_ranks.average_precisions(cut)}


def _parse(content: Mapping[str, Json]) -> EvaluationResult:
    scores, slices = content["scores"], content["slices"]
    if not isinstance(scores, dict) or not isinstance(slices, list):
        raise ResultError("scores must be an object and slices a list")
    card = content["card"]
    if isinstance(card, dict):
        card = {"precision": None, **card}  # which files of 0.1 do not state
    return EvaluationResult(
        card=from_json(ProtocolCard, card, where="card"),
        scores={name: from_json(Estimate, score, where=f"scores.{name}") for name, score in scores.items()},
        interval=from_json(IntervalConfig, content["interval"], where="interval"),
        queries=_count(content, "queries"),
        queries_without_match=_count(content, "queries_without_match"),
        per_query=_per_query(content["per_query"]),
        slices=tuple(from_json(SliceScore, score, where="slices") for score in slices),
    )


def _count(content: Mapping[str, Json], key: str) -> int:
    value = content[key]
    if type(value) is not int or value < 0:
        raise ResultError(f"{key} must be a count; got {value!r:.80}")
    return value


def _per_query(columns: Json) -> QueryScores:
    if not isinstance(columns, dict) or set(columns) != set(_COLUMNS):
        raise ResultError(f"per_query must have the columns {', '.join(_COLUMNS)}")
    kinds = {"tracklet_ids": (str, int), "pids": (int,), "average_precisions": (float,), "first_places": (int,)}
    for name, values in columns.items():
        if not isinstance(values, list):
            raise ResultError(f"per_query: {name} must be a list; got {values!r:.80}")
        if not any(all(type(value) is kind for value in values) for kind in kinds[name]):
            raise ResultError(
                f"per_query: {name} must hold {' or '.join(kind.__name__ for kind in kinds[name])} values"
            )
    if len(lengths := {len(values) for values in columns.values()}) > 1:
        raise ResultError(f"per_query: columns must be of one length; got {sorted(lengths)}")
    return QueryScores(
        tracklet_ids=np.array(columns["tracklet_ids"]),
        pids=np.array(columns["pids"], dtype=np.int64),
        average_precisions=np.array(columns["average_precisions"], dtype=np.float64),
        first_places=np.array(columns["first_places"], dtype=np.int64),
    )
