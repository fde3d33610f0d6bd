"""What a long job tells whoever waits for it; drawing the bar is the caller's business."""

import math
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        """Report that `done` of `total` units of `task` are finished; `note` is one short fact."""
        ...


def silent(task: str, done: int, total: int, note: str = "") -> None:
    """Report to nobody; the default everywhere."""


@runtime_checkable
class Timed(Protocol):
    @property
    def time_s(self) -> float:
        """Seconds after the film's first frame."""
        ...


Moment = TypeVar("Moment", bound=Timed)


def seconds_heard(
    film: Iterable[Moment], progress: Progress, task: str, *, duration_s: float | None, name: str
) -> Iterator[Moment]:
    """Hand a film on and report its seconds; at its end all of them are done, wherever the last frame stands.

    Args:
        film: frames in order.
        progress: hears of them, after each was worked on.
        task: what is done with them.
        duration_s: of the film; None = nobody knows.
        name: of the film.
    """
    total = done = 0
    for moment in film:
        yield moment
        done = math.floor(moment.time_s)
        total = max(1, math.ceil(moment.time_s if duration_s is None else duration_s), done)
        progress(task, done, total, name)
    progress(task, max(1, total), max(1, total), name)
