"""What every command shows a person: bars with the time left, results, errors."""

import json as json_format
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

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
errors = Console(stderr=True, highlight=False, soft_wrap=True)


class Bars:
    """Draws a bar with the time left for each task that reports (`skyreid.progress.Progress`)."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=errors,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Bars":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        if task not in self._tasks:
            self._tasks[task] = self._progress.add_task(task, note="")
        self._progress.update(self._tasks[task], completed=done, total=total, note=note)


def show_result(lines: Sequence[str], content: object, *, json: bool) -> None:
    """Print for a human or for a program."""
    print(json_format.dumps(content, indent=2) if json else "\n".join(lines))


def print_error(text: str) -> None:
    """Print one line to the standard error."""
    # Assembled, not marked up: what a user typed may hold brackets.
    errors.print(Text.assemble(("error:", "bold red"), f" {text}"))
