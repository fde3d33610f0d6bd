"""Pairs as a list that goes out to a person and comes back with decisions."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from skyreid.atomic_file import write_atomically
from skyreid.building.linking.candidates import Candidate
from skyreid.building.linking.events import Decision, Pair, make_pair
from skyreid.errors import SourceError
from skyreid.file_kinds import PAIRS, require_kind
from skyreid.regular_file import read_regular
from skyreid.strict_json import parse_json

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
