"""What a long job tells whoever waits for it; drawing the bar is the caller's business."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        """Report that `done` of `total` units of `task` are finished; `note` is one short fact."""
        ...


def silent(task: str, done: int, total: int, note: str = "") -> None:
    """Report to nobody; the default everywhere."""
