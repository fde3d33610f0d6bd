"""The pairs across platforms to look at next, the most promising first.

As a list they go out to a person and come back with decisions.
"""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from skyreid.building.linking.best_pairs import Side, best_pairs, side_of
from skyreid.building.linking.event_log import Decision, Pair, make_pair
from skyreid.building.linking.link_state import OpenPairs
from skyreid.building.linking.presence import Presence
from skyreid.errors import SettingError, SourceError, TableError
from skyreid.files.atomic_file import write_atomically
from skyreid.files.file_kinds import PAIRS, require_kind
from skyreid.files.regular_file import read_regular
from skyreid.files.strict_json import parse_json
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.retrieval.manifest_agreement import check_same_pictures
from skyreid.tracklet import Platform, Tracklet

CLOCK_TOLERANCE_S = 60.0
PER_TRACKLET = 5


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
    found_pairs = best_pairs(
        ground,
        aerial,
        open_pairs,
        per_tracklet=config.per_tracklet,
        clock_tolerance_s=config.clock_tolerance_s,
        progress=progress,
    )
    candidates = [
        Candidate(
            ground=ground.ids[int(first)],
            aerial=aerial.ids[int(second)],
            similarity=_known(similarity),
            plausibility=_known(plausibility),
            score=score,
        )
        for first, second, similarity, plausibility, score in zip(
            found_pairs.ground.tolist(),
            found_pairs.aerial.tolist(),
            found_pairs.similarity.tolist(),
            found_pairs.plausibility.tolist(),
            found_pairs.score.tolist(),
            strict=True,
        )
    ]
    return sorted(candidates, key=_place)


def _side(
    tracklets: Sequence[Tracklet], platform: Platform, found: Mapping[str, Presence], table: EmbeddingTable | None
) -> Side:
    ids = sorted(tracklet.tracklet_id for tracklet in tracklets if tracklet.platform is platform)
    units = None
    if table is not None:
        rows = {str(tracklet_id): row for row, tracklet_id in enumerate(table.tracklet_ids)}
        units = table.unit_embeddings[[rows[tracklet_id] for tracklet_id in ids]]
    return side_of(ids, [found[tracklet_id] for tracklet_id in ids], units)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


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
