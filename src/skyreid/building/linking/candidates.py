"""The pairs across platforms to look at next, the most promising first.

As a list they go out to a person and come back with decisions.
"""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int64

from skyreid.building.linking.event_log import Decision, Pair, make_pair
from skyreid.building.linking.link_state import OpenPairs
from skyreid.building.linking.presence import Presence, plausibilities
from skyreid.errors import SettingError, SourceError, TableError
from skyreid.files.atomic_file import write_atomically
from skyreid.files.file_kinds import PAIRS, require_kind
from skyreid.files.regular_file import read_regular
from skyreid.files.strict_json import parse_json
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.cosine import cosine_similarities
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.retrieval.manifest_agreement import check_same_pictures
from skyreid.tracklet import Platform, Tracklet

CLOCK_TOLERANCE_S = 60.0
PER_TRACKLET = 5
_ROWS_PER_BLOCK = 256
"""Bounds the copies at some tens of megabytes for ten thousand tracklets on the other side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A pair that may be one person; a similarity is not an identification."""

    ground: str
    aerial: str
    similarity: float | None
    """Cosine, -1 to 1; None = no embeddings were given."""
    plausibility: float | None
    """0 to 1; None = a clock is not known."""
    score: float


@dataclass(frozen=True, kw_only=True)
class CandidateConfig:
    """How pairs are ranked."""

    per_tracklet: int = PER_TRACKLET
    """Suggestions that each tracklet gets; the other side's may add to them."""
    clock_tolerance_s: float = CLOCK_TOLERANCE_S
    """Seconds between two presences that halve the plausibility."""

    def __post_init__(self) -> None:
        if self.per_tracklet < 1:
            raise SettingError(f"per_tracklet must be at least 1; got {self.per_tracklet}")
        if not (math.isfinite(self.clock_tolerance_s) and self.clock_tolerance_s > 0):
            raise SettingError(f"clock_tolerance_s must be a positive number of seconds; got {self.clock_tolerance_s}")


def rank_candidates(
    tracklets: Sequence[Tracklet],
    found: Mapping[str, Presence],
    open_pairs: OpenPairs,
    table: EmbeddingTable | None,
    config: CandidateConfig,
    *,
    progress: Progress = silent,
) -> list[Candidate]:
    """Rank the open pairs of a ground and an aerial tracklet by

        score = similarity × plausibility

    A negative similarity counts as 0 and stands behind all others. What is not known takes no part: without
    a table the score is the plausibility, without clocks the similarity. A pair is kept when it is among the
    best `per_tracklet` of one of its tracklets. Equal scores are ordered by similarity, then by id.

    Args:
        tracklets: all of the folder.
        found: by `presence.presences`.
        open_pairs: which pairs may be suggested.
        table: embeddings of all of them; None = by time alone.
        config: how.
        progress: hears of tracklets.

    Raises:
        TableError: the table is not of these tracklets.
        SettingError: there is neither a table nor a clock on both platforms.
    """
    if table is not None:
        _check_same(tracklets, table)
    ground, aerial = (_side(tracklets, platform, found, table) for platform in (Platform.GROUND, Platform.AERIAL))
    if table is None and not (ground.has_clock and aerial.has_clock):
        raise SettingError(
            "pairs are ranked by similarity or by time: give a table that 'skyreid embed' made, or build the folder "
            "with the start times of a ground and of an aerial video"
        )
    candidates: dict[tuple[str, str], Candidate] = {}
    if not (ground.ids and aerial.ids):
        return []
    total = len(ground.ids) + len(aerial.ids)
    for rows, columns, done_before in ((ground, aerial, 0), (aerial, ground, len(ground.ids))):
        for start in range(0, len(rows.ids), _ROWS_PER_BLOCK):
            block = rows.part(start, start + _ROWS_PER_BLOCK)
            for candidate in _best_of_rows(block, columns, open_pairs, config):
                candidates[candidate.ground, candidate.aerial] = candidate
            progress("compare", done_before + start + len(block.ids), total)
    return sorted(candidates.values(), key=_place)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Side:
    """The tracklets of one platform, in the order of their ids."""

    platform: Platform
    ids: Sequence[str]
    found: Sequence[Presence]
    unit_embeddings: Float32[np.ndarray, "tracklet embed"] | None

    @property
    def has_clock(self) -> bool:
        return any(presence.clock is not None for presence in self.found)

    def part(self, start: int, stop: int) -> "_Side":
        return _Side(
            platform=self.platform,
            ids=self.ids[start:stop],
            found=self.found[start:stop],
            unit_embeddings=None if self.unit_embeddings is None else self.unit_embeddings[start:stop],
        )


def _side(
    tracklets: Sequence[Tracklet], platform: Platform, found: Mapping[str, Presence], table: EmbeddingTable | None
) -> _Side:
    ids = sorted(tracklet.tracklet_id for tracklet in tracklets if tracklet.platform is platform)
    unit_embeddings = None
    if table is not None:
        rows = {str(tracklet_id): row for row, tracklet_id in enumerate(table.tracklet_ids)}
        unit_embeddings = table.unit_embeddings[[rows[tracklet_id] for tracklet_id in ids]]
    return _Side(
        platform=platform,
        ids=ids,
        found=[found[tracklet_id] for tracklet_id in ids],
        unit_embeddings=unit_embeddings,
    )


def _best_of_rows(rows: _Side, columns: _Side, open_pairs: OpenPairs, config: CandidateConfig) -> Iterator[Candidate]:
    plausibility = plausibilities(rows.found, columns.found, clock_tolerance_s=config.clock_tolerance_s)
    similarity = np.full(plausibility.shape, np.nan)
    if rows.unit_embeddings is not None and columns.unit_embeddings is not None:
        similarity = cosine_similarities(rows.unit_embeddings, columns.unit_embeddings).astype(np.float64)
    score = np.nan_to_num(np.maximum(similarity, 0.0), nan=1.0) * np.nan_to_num(plausibility, nan=1.0)
    is_open = open_pairs.mask(rows.ids, columns.ids)
    for number, row in enumerate(rows.ids):
        best = _best(score[number], similarity[number], np.flatnonzero(is_open[number]), config.per_tracklet)
        for column in map(int, best):
            asks_ground = rows.platform is Platform.GROUND
            yield Candidate(
                ground=row if asks_ground else columns.ids[column],
                aerial=columns.ids[column] if asks_ground else row,
                similarity=_known(similarity[number, column]),
                plausibility=_known(plausibility[number, column]),
                score=float(score[number, column]),
            )


def _best(
    score: Float64[np.ndarray, " column"],
    similarity: Float64[np.ndarray, " column"],
    places: Int64[np.ndarray, " open"],
    count: int,
) -> Int64[np.ndarray, " best"]:
    """The `count` best of some places; columns stand in the order of their ids, which decides at last."""
    if places.size > count:  # whoever is behind the last of the best by score is not sorted
        last = np.partition(score[places], places.size - count)[places.size - count]
        places = places[score[places] >= last]
    order = np.lexsort((places, -np.nan_to_num(similarity[places]), -score[places]))
    return places[order[:count]]


def _known(value: np.floating) -> float | None:
    return None if np.isnan(value) else float(value)


def _place(candidate: Candidate) -> tuple[float, float, str, str]:
    return -candidate.score, -(candidate.similarity or 0.0), candidate.ground, candidate.aerial


def _check_same(tracklets: Sequence[Tracklet], table: EmbeddingTable) -> None:
    listed = {tracklet.tracklet_id for tracklet in tracklets}
    embedded = set(map(str, table.tracklet_ids))
    if odd := sorted(listed ^ embedded):
        where = "the folder, not in the table" if odd[0] in listed else "the table, not in the folder"
        raise TableError(
            f"the table must hold the folder's tracklets, all of them; {len(odd)} differ: {odd[0]!r} is in {where}; "
            "embed the folder again by 'skyreid embed'"
        )
    check_same_pictures(table, tracklets)


_COLUMNS = ("a", "b", "similarity", "plausibility", "score", "decision")
_NEEDED = ("a", "b", "decision")
# A spreadsheet runs a cell that begins so; the apostrophe makes it a text. It marks itself, to be told apart.
_ACTIVE = ("=", "+", "-", "@", "\t", "\r", "'")


@dataclass(frozen=True, kw_only=True)
class PairDecision:
    """One line that a person filled in."""

    tracklets: Pair
    decision: Decision
    where: str
    """File and line, for a message."""


@dataclass(frozen=True, kw_only=True)
class FilledList:
    """A list that came back."""

    decisions: tuple[PairDecision, ...]
    left_open: int
    """Lines without a decision."""


def write_pair_list(path: Path, candidates: Sequence[Candidate]) -> None:
    """Write candidates as CSV, the column `decision` empty: a is the ground tracklet, b the aerial one."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for candidate in candidates:
        numbers = (candidate.similarity, candidate.plausibility, candidate.score)
        writer.writerow(
            [
                _escaped(candidate.ground),
                _escaped(candidate.aerial),
                *("" if number is None else f"{number:.6f}" for number in numbers),
                "",
            ]
        )
    write_atomically(path, [text.getvalue().encode("utf-8")])


def read_pair_list(path: Path) -> FilledList:
    """Read a list as CSV (.csv) or JSON lines (.jsonl) with a, b and decision; what else it holds is the writer's own.

    Raises:
        SourceError: the file is of another kind, a line is not of this form, or a pair stands twice. The
            message names the line.
    """
    require_kind(path, PAIRS, error=SourceError)
    try:
        text = read_regular(path).decode("utf-8-sig")  # line ends inside a cell stay what they are
    except OSError as error:
        raise SourceError(f"{path}: the decisions cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: the decisions must be text in UTF-8; {error}") from error
    if path.suffix not in (".csv", ".jsonl"):
        raise SourceError(f"{path}: decisions come as .csv or .jsonl; got {path.suffix!r}")
    lines = _csv_lines(path, text) if path.suffix == ".csv" else _json_lines(path, text)
    decisions: dict[Pair, PairDecision] = {}
    left_open = 0
    for where, first, second, word in lines:
        if not word.strip():
            left_open += 1
            continue
        try:
            decided = PairDecision(
                tracklets=make_pair(first, second), decision=Decision(word.strip().lower()), where=where
            )
        except SourceError as refusal:
            raise SourceError(f"{where}: {refusal}") from None
        except ValueError:
            raise SourceError(f"{where}: a decision is {', '.join(Decision)} or empty; got {word!r}") from None
        earlier = decisions.setdefault(decided.tracklets, decided)
        if earlier is not decided:
            raise SourceError(f"{where}: the pair {' and '.join(decided.tracklets)} stands at {earlier.where} already")
    return FilledList(decisions=tuple(decisions.values()), left_open=left_open)


def _escaped(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_ACTIVE) else cell


def _unescaped(cell: str) -> str:
    return cell.removeprefix("'")


def _csv_lines(path: Path, text: str) -> Iterator[tuple[str, str, str, str]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = list(reader.fieldnames or ())
        if any(names.count(needed) != 1 for needed in _NEEDED):
            raise SourceError(
                f"{path}: must have the columns {', '.join(_NEEDED)} once each, separated by commas; got {names}"
            )
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            # None stands for what a short line lacks and names what a long one has too much.
            if None in row or None in row.values():
                raise SourceError(f"{where}: must have {len(names)} cells like the first line")
            yield where, _unescaped(row["a"]), _unescaped(row["b"]), row["decision"]
    except csv.Error as error:
        raise SourceError(f"{path}, after line {reader.line_num}: not CSV: {error}") from None


def _json_lines(path: Path, text: str) -> Iterator[tuple[str, str, str, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            record = parse_json(line)
        except ValueError as error:
            raise SourceError(f"{where}: not JSON: {error}") from None
        if not isinstance(record, dict) or not all(isinstance(record.get(key), str) for key in _NEEDED):
            raise SourceError(f"{where}: must be an object with the texts {', '.join(_NEEDED)}; got {line[:80]!r}")
        yield where, record["a"], record["b"], record["decision"]
