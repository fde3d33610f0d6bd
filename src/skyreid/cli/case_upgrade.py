"""`skyreid case upgrade`, and what is done with each case of a folder, whatever becomes of the others."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from skyreid.cli.terminal import DONE_IN_PART, File, Note, print_error, show_result
from skyreid.errors import CaseError

Found = TypeVar("Found")


def case_upgrade(folder: File, *, json: bool = False) -> int:
    """Bring the tables of an older skyreid in PostgreSQL up to date; first stop whatever uses them.

    Cases in files are brought up to date when they are opened. One that cannot be had is named and keeps none of the
    others from it.

    Args:
        folder: a case, or a folder of cases with the people of its server.
        json: print JSON.
    """
    from skyreid.cases.case import list_cases, upgrade_case
    from skyreid.cases.people_database import has_people, upgrade_people

    ways = {str(path): partial(upgrade_case, path) for path in list_cases(folder)}
    if has_people(folder):
        ways["users, roles and sessions"] = partial(upgrade_people, folder)
    if not ways:
        raise CaseError(f"{folder}: is no case, and holds none")
    done, status = of_each(ways)
    said = [f"{name}: {became.in_words()}" for name, became in done.items()]
    content = [{"name": name, "before": became.before, "now": became.now} for name, became in done.items()]
    show_result(Note(said, content), json=json)
    return status


def of_each(ways: Mapping[str, Callable[[], Found]]) -> tuple[dict[str, Found], int]:
    """Do something with each of several: what those gave that could be had, and the status to end with.

    Why others were refused is printed with their names.

    Raises:
        CaseError: none could be had; the refusal of the last.
    """
    given: dict[str, Found] = {}
    refusals: list[CaseError] = []
    for name, way in ways.items():
        try:
            given[name] = way()
        except CaseError as refusal:
            refusals.append(refusal if str(refusal).startswith(name) else CaseError(f"{name}: {refusal}"))
    last = refusals.pop() if refusals and not given else None
    for refusal in refusals:
        print_error(str(refusal))
    if last is not None:
        raise last
    return given, DONE_IN_PART if refusals else 0
