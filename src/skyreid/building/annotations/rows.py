"""Rows of numbers, `frame,id,left,top,width,height,...`, as trackers and benchmarks write them: what can be read."""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from skyreid.building.annotations.collecting import MAX_BAD, NUM_SHOWN
from skyreid.building.annotations.fields import read_lines
from skyreid.errors import SourceError

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
    if all(_number(field) is None for field in split_row(first)):
        raise SourceError(f"{where}: must hold numbers only; got {first.strip()[:80]!r}. {NO_HEADER}")
    columns = Counter(len(split_row(line)) for _, line in lines).most_common(1)[0][0]
    numbers, good, unreadable = array("d"), [], []
    for where, line in lines:
        fields = split_row(line)
        values = [value for value in map(_number, fields) if value is not None]
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


def _number(field: str) -> float | None:
    try:
        value = float(field)
    except ValueError:
        return None
    return value if isfinite(value) else None
