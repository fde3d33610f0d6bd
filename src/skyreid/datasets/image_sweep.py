"""Looking at every image of a benchmark, on all cores."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from skyreid.progress import Progress

_CHUNK = 256
"""Images per task: a task per image would cost more memory than the images' names."""

Found = TypeVar("Found")


def sweep_images(paths: Sequence[str], look: Callable[[str], Found], *, task: str, progress: Progress) -> list[Found]:
    """Apply `look` to every path, in threads (decoding images releases the interpreter); keeps the order."""

    def look_at(start: int) -> list[Found]:
        return [look(path) for path in paths[start : start + _CHUNK]]

    found: list[Found] = []
    executor = ThreadPoolExecutor()
    try:
        for chunk in executor.map(look_at, range(0, len(paths), _CHUNK)):
            found += chunk
            progress(task, len(found), len(paths))
    finally:
        # After an error or Ctrl-C the images still waiting are of no use to anybody.
        executor.shutdown(cancel_futures=True)
    return found
