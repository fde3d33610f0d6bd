"""Looking at every image of a benchmark, on all cores."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from skyreid.progress import Progress

_CHUNK = 256
"""Images per task: a task per image would cost more memory than the images' names."""

Image = TypeVar("Image")
Found = TypeVar("Found")


def sweep_images(
    images: Sequence[Image], look: Callable[[Image], Found], *, task: str, progress: Progress
) -> list[Found]:
    """Apply `look` to every image, in threads (decoding and hashing release the interpreter); keeps the order.

    Args:
        images: paths or frames.
        look: what is done with each.
        task: name of the work, for `progress`.
        progress: told after every chunk.
    """

    def look_at(start: int) -> list[Found]:
        return [look(image) for image in images[start : start + _CHUNK]]

    found: list[Found] = []
    executor = ThreadPoolExecutor()
    try:
        for chunk in executor.map(look_at, range(0, len(images), _CHUNK)):
            found += chunk
            progress(task, len(found), len(images))
    finally:
        # After an error or Ctrl-C the images still waiting are of no use to anybody.
        executor.shutdown(cancel_futures=True)
    return found
