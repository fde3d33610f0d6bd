"""What every command shows: results, bars with the time left, errors.

Names of files, people and tracklets come from strangers, and a terminal obeys some characters instead of showing them.
So everything that is printed passes `visible` here; colours are ours alone.
"""

import getpass
import json as json_format
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Protocol, runtime_checkable

import tyro
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Name = Annotated[str, tyro.conf.Positional]
File = Annotated[Path, tyro.conf.Positional]
NOTHING_FOUND = 3
"""Exit status of a command that did what it was asked, and whose result is empty."""
DONE_IN_PART = 4
"""Exit status of a command whose result lacks a part of what it was given, and says so; and of a case with faults."""
REFUSED = 5
"""Exit status of a command that the rules of a case forbid."""
_errors = Console(stderr=True, highlight=False, soft_wrap=True)
_bars = Console(stderr=True, highlight=False)


@runtime_checkable
class Result(Protocol):
    """What a command found out."""

    def lines(self) -> Sequence[str]:
        """What a human reads."""
        ...

    def to_json(self) -> object:
        """What a program reads."""
        ...


@dataclass(frozen=True)
class Note:
    """A result of a few facts, which has no class in the library."""

    said: Sequence[str]
    content: object

    def lines(self) -> Sequence[str]:
        return self.said

    def to_json(self) -> object:
        return self.content


class Bars:
    """Draws a bar with the time left for each task that reports (`skyreid.processes.progress.Progress`)."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=_bars,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Bars":
        return self

    def __exit__(self, *_: object) -> None:
        if self._tasks:  # a display without bars would leave an empty line
            self._progress.stop()

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        if task not in self._tasks:
            self._progress.start()
            self._tasks[task] = self._progress.add_task(visible(task), note="")
        self._progress.update(self._tasks[task], completed=done, total=total, note=visible(note))


class OutputError(Exception):
    """What a command printed could not be written; the cause says why."""


class _VisibleFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(visible, super().format(record).split("\n")))


def visible(text: str) -> str:
    r"""Write out every character that a terminal would obey, hide or lack, such as `\x1b` for an escape.

    Line ends are among them: a name cannot add a line to what is printed. So are marks that turn the direction of
    writing, and the bytes of file names that are no text.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def prepare_streams(*, quiet: bool) -> None:
    """Let no encoding of a terminal end a command; take logs and warnings in hand; with `quiet`, draw no bars."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    _bars.quiet = quiet
    handler = logging.StreamHandler()
    handler.setFormatter(_VisibleFormatter("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.ERROR if quiet else logging.WARNING, handlers=[handler])
    logging.captureWarnings(True)


def flush_output() -> None:
    """Write what is printed and not yet written, while what goes wrong can still be said.

    Raises:
        OutputError: it cannot be written.
    """
    with _to_output():
        if sys.stdout is not None:  # the caller may have closed it
            sys.stdout.flush()


def abandon_output() -> None:
    """Send what is still to be written nowhere: the reader went away, or the disk is full.

    Otherwise the interpreter would try again when it ends, and complain.
    """
    with suppress(OSError, ValueError, AttributeError):  # without a descriptor nothing is left to write
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextmanager
def _to_output() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError from error


def print_lines(lines: Sequence[str]) -> None:
    """Print to the standard output."""
    with _to_output():
        for line in lines:
            print(visible(line))


def ask(question: str) -> str:
    """Put a question on the standard output and read a line.

    Raises:
        EOFError: there is nobody who answers.
    """
    print(visible(question), end="", flush=True)  # input() itself would ask on the standard error
    return input()


def show_result(result: Result, *, json: bool) -> None:
    """Print for a human or for a program."""
    if json:
        # Writes everything but ASCII out.
        print_lines(json_format.dumps(result.to_json(), indent=2).splitlines())
    else:
        print_lines(result.lines())


def print_error(text: str, *notes: str) -> None:
    """Print one line to the standard error, and one more for each note."""
    # Assembled, not marked up: what a user typed may hold brackets.
    _errors.print(Text.assemble(("error:", "bold red"), f" {visible(text)}"))
    for note in notes:
        _errors.print(Text(f"  {visible(note)}"))


def print_warnings(lines: Sequence[str]) -> None:
    """Print lines to the standard error that a reader of the result must know."""
    for line in lines:
        _errors.print(Text.assemble(("warning:", "bold yellow"), f" {visible(line)}"))


def print_notice(text: str) -> None:
    """Print one line to the standard error that is no error."""
    _errors.print(Text(visible(text)))


def who(by: str | None) -> str:
    """Name whoever acts: as given, else the user of this machine."""
    return getpass.getuser() if by is None else by
