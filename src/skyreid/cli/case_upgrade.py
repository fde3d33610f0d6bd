"""`skyreid case upgrade`: the tables of an older skyreid, in a database that others share."""

from functools import partial

from skyreid.cli.each_case import of_each
from skyreid.cli.terminal import File, Note, show_result
from skyreid.errors import CaseError


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
