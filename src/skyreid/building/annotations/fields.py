"""Reading a file of annotations, and the rows and values in it, with messages that name the place."""

import errno
import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader
from math import isfinite
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from skyreid.errors import SourceError
from skyreid.files.regular_file import open_regular
from skyreid.files.strict_json import parse_json

MAX_BYTES = 2**28
"""Of one file of annotations: what is read becomes several times as much memory."""
MAX_BAD = 0.1
"""Share of rows or boxes that cannot be; with more, the file is of another video or another format."""
NUM_SHOWN = 3
"""Complaints about them in a message."""


def open_annotations(path: Path) -> BufferedReader:
    """Open a file of annotations.

    Raises:
        SourceError: it is not there, no regular file, or too large.
    """
    try:
        return open_regular(path, most_bytes=MAX_BYTES)
    except OSError as error:
        remedy = ". Export each video by itself" if error.errno == errno.EFBIG else ""
        raise SourceError(f"{path}: annotations cannot be read: {error.strerror}{remedy}") from error


def read_bytes(path: Path) -> bytes:
    """Give the whole file.

    Raises:
        SourceError: it cannot be read.
    """
    with open_annotations(path) as file:
        try:
            return file.read()
        except OSError as error:
            raise SourceError(f"{path}: annotations cannot be read: {error.strerror}") from error


def text_of(content: bytes, path: Path) -> str:
    """Give the text of a file: UTF-8, or UTF-16 as Excel and PowerShell write it.

    Raises:
        SourceError: it is no text.
    """
    try:
        return content.decode(json.detect_encoding(content))
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: annotations must be text in UTF-8 or UTF-16; {error}. Save it as UTF-8") from error


def read_lines(path: Path) -> list[tuple[str, str]]:
    """Give the lines of a text that are not blank, each behind its place, such as `gt.txt, line 3`.

    Raises:
        SourceError: it cannot be read, or is no text.
    """
    lines = text_of(read_bytes(path), path).splitlines()
    return [(f"{path}, line {number}", line) for number, line in enumerate(lines, start=1) if line.strip()]


def read_json(path: Path) -> object:
    """Give the content of a JSON file.

    Raises:
        SourceError: it cannot be read, or is no JSON.
    """
    try:
        return parse_json(read_bytes(path))
    except ValueError as error:
        raise SourceError(f"{path}: must be JSON; {error}") from error


def records(owner: Mapping[str, object], key: str, where: str) -> list[dict[str, object]]:
    """Give a list of JSON objects that stands under a key."""
    value = owner.get(key)
    if not isinstance(value, list) or not all(isinstance(record, dict) for record in value):
        raise SourceError(f"{where}: {key} must be a list of objects; got {str(value)[:80]!r}")
    return value


def identifier(record: Mapping[str, object], key: str, where: str) -> int | str:
    """Give what stands under a key by which others refer to this record."""
    value = record.get(key)
    if not isinstance(value, int | str):
        raise SourceError(f"{where}: {key} must be a number or a text; got {value!r}")
    return value


def number(value: object, name: str, where: str) -> float:
    """Give a finite number, from a number or a text."""
    try:
        if isinstance(value, int | float | str) and not isinstance(value, bool) and isfinite(float(value)):
            return float(value)
    except (ValueError, OverflowError):
        pass
    raise SourceError(f"{where}: {name} must be a finite number; got {value!r}")


def whole(value: object, name: str, where: str, *, least: int) -> int:
    """Give a whole number that is not below `least`, from a number or a text."""
    found = number(value, name, where)
    if found < least or found != int(found):
        raise SourceError(f"{where}: {name} must be a whole number from {least}; got {found:g}")
    return int(found)


def person_number(value: object, name: str, where: str) -> int:
    """Give the number of a person, the same in every video."""
    try:
        return whole(value, name, where, least=1)
    except SourceError as error:
        raise SourceError(
            f"{error}. Who it is stands there as a number, the same in every video: names are not read"
        ) from None


def share(value: object, name: str, where: str) -> float:
    """Give a number from 0 to 1."""
    found = number(value, name, where)
    if not 0 <= found <= 1:
        raise SourceError(f"{where}: {name} must be from 0 to 1; got {found:g}")
    return found


# Rows of numbers, `frame,id,left,top,width,height,...`, as trackers and benchmarks write them: what can be read.
Rows = Float64[np.ndarray, "row column"]
"""All numbers of a file; NaN stands nowhere."""
NO_HEADER = "A line that names the columns is not read, nor are quotes: remove them"


@dataclass(frozen=True, kw_only=True)
class RowTable:
    """The rows of a file that can be read, and complaints about the others."""

    lines: Sequence[tuple[str, str]]
    """Each behind its place, such as `gt.txt, line 3`."""
    numbers: Rows
    """Theirs."""
    unreadable: Sequence[str]
    """What is wrong with each row that is left out."""

    @property
    def columns(self) -> int:
        """How many each row has."""
        return self.numbers.shape[1]

    def __iter__(self) -> Iterator[tuple[str, list[str], Float64[np.ndarray, " column"]]]:
        """Give place, texts and numbers of each row."""
        for (where, line), numbers in zip(self.lines, self.numbers, strict=True):
            yield where, split_row(line), numbers


def read_rows(path: Path) -> RowTable:
    """Read rows of as many columns as most of them have.

    A row that is cut, or holds a text or NaN, is left out and told.

    Raises:
        SourceError: the file cannot be read or is empty, its first line names the columns, or more than a tenth of
            its rows cannot be read.
    """
    lines = read_lines(path)
    if not lines:
        raise SourceError(f"{path}: must hold annotations; it is empty")
    where, first = lines[0]
    if all(_finite(field) is None for field in split_row(first)):
        raise SourceError(f"{where}: must hold numbers only; got {first.strip()[:80]!r}. {NO_HEADER}")
    columns = Counter(len(split_row(line)) for _, line in lines).most_common(1)[0][0]
    numbers, good, unreadable = array("d"), [], []
    for where, line in lines:
        fields = split_row(line)
        values = [value for value in map(_finite, fields) if value is not None]
        if len(fields) != columns:
            unreadable.append(f"{where}: must have {columns} columns like most lines; got {len(fields)}")
        elif len(values) < columns:
            unreadable.append(f"{where}: must hold finite numbers only; got {line.strip()[:80]!r}")
        else:
            good.append((where, line))
            numbers.extend(values)
    if len(unreadable) > MAX_BAD * len(lines):
        shown = "; ".join(complaint.removeprefix(f"{path}, ") for complaint in unreadable[:NUM_SHOWN])
        raise SourceError(
            f"{path}: {len(unreadable)} of {len(lines)} rows cannot be read, and one in {round(1 / MAX_BAD)} is too "
            f"many. The first: {shown}"
        )
    return RowTable(lines=good, numbers=np.frombuffer(numbers).reshape(-1, columns), unreadable=unreadable)


def split_row(line: str) -> list[str]:
    """Give the fields of a row, divided by semicolons or tabs (then commas are decimal), by commas, or by blanks."""
    for sign in ";\t":
        if sign in line:
            return [field.strip().replace(",", ".") for field in line.strip().removesuffix(sign).split(sign)]
    if "," in line:
        return [field.strip() for field in line.strip().removesuffix(",").split(",")]
    return line.split()


def _finite(field: str) -> float | None:
    try:
        value = float(field)
    except ValueError:
        return None
    return value if isfinite(value) else None
