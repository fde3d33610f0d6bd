"""What commands do with each case of a folder, whatever becomes of the others."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from skyreid.cli.terminal import DONE_IN_PART, print_error
from skyreid.errors import CaseError, SkyreidError

Found = TypeVar("Found")


def of_each(ways: Mapping[str, Callable[[], Found]]) -> tuple[dict[str, Found], int]:
    """Do something with each of several: what those gave that could be had, and the status to end with.

    Why others were refused is printed with their names.

    Raises:
        SkyreidError: none could be had; the refusal of the last.
    """
    given: dict[str, Found] = {}
    refusals: list[SkyreidError] = []
    for name, way in ways.items():
        try:
            given[name] = way()
        except SkyreidError as refusal:
            refusals.append(refusal if str(refusal).startswith(name) else CaseError(f"{name}: {refusal}"))
    last = refusals.pop() if refusals and not given else None
    for refusal in refusals:
        print_error(str(refusal))
    if last is not None:
        raise last
    return given, DONE_IN_PART if refusals else 0
