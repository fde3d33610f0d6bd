"""`skyreid user …`: who can log in to a server of cases, and what they are there."""

import getpass
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from skyreid.cli.terminal import File, Name, Note, show_result, who
from skyreid.errors import CaseError, SettingError

if TYPE_CHECKING:
    from skyreid.cases.people import People


def user_add(cases: File, name: Name, *, admin: bool = False, by: str | None = None, json: bool = False) -> None:
    """Let somebody log in to a server of cases; the password is asked for, or read from the standard input.

    Args:
        cases: folder with cases, as of 'skyreid serve'.
        name: of the user.
        admin: of the server: may add users, and is admin of every case.
        by: who adds the user; the user of this machine when not given.
        json: print JSON.
    """
    with _people(cases) as people:
        people.check_name(name, is_new=True)
        people.add(name, _read_password(f"password of {name}: "), by=who(by), is_admin=admin)
    said = [f"{name}: can log in" + (", as an administrator" if admin else "")]
    if not admin:
        said.append(f"skyreid user role {cases} {name} CASE viewer lets them look into a case")
    show_result(Note(said, {"user": name, "is_admin": admin}), json=json)


def user_list(cases: Annotated[Path, tyro.conf.Positional] = Path(), *, json: bool = False) -> None:
    """List who can log in to a server of cases, with their roles.

    Args:
        cases: folder with cases.
        json: print JSON.
    """
    from skyreid.cases.case import list_cases, open_case

    roles: dict[str, dict[str, str]] = {}
    with _people(cases) as people:
        for path in list_cases(cases):
            with open_case(path) as case:
                facts = case.facts()
            for user, role in people.roles(facts.case_id).items():
                roles.setdefault(user, {})[facts.name] = role.value
        users = people.users()
    said, content = [], []
    for user in users:
        given = roles.get(user.name, {})
        told = ["disabled"] if user.is_disabled else []
        told += ["administrator"] if user.is_admin else [f"{role} in {case}" for case, role in given.items()]
        said.append(f"{user.name}: {', '.join(told) or 'no role yet'}")
        content.append({"user": user.name, "is_admin": user.is_admin, "is_disabled": user.is_disabled, "roles": given})
    show_result(Note(said or ["nobody can log in yet"], content), json=json)


def user_role(
    cases: File,
    name: Name,
    case: Name,
    role: Annotated[Literal["viewer", "annotator", "examiner", "admin", "auditor", "none"], tyro.conf.Positional],
    *,
    by: str | None = None,
    json: bool = False,
) -> None:
    """Say what a user is in a case; none takes the role away.

    Args:
        cases: folder with cases.
        name: of the user.
        case: name of the case, or of its folder.
        role: viewer looks and searches, annotator decides, examiner exports and sees originals, admin manages, auditor
            sees the log.
        by: who says so.
        json: print JSON.
    """
    from skyreid.cases.case import list_cases, open_case
    from skyreid.cases.people import Role, set_role_in_case

    names = []
    with _people(cases) as people:
        for path in list_cases(cases):
            with open_case(path) as opened:
                names.append(opened.facts().name)
                if case in (names[-1], path.name):
                    given = None if role == "none" else Role(role)
                    set_role_in_case(people, opened, name, given, by=who(by))
                    said = f"{name}: {'has no role' if given is None else f'is {role}'} in {names[-1]}"
                    show_result(Note([said], {"user": name, "case": names[-1], "role": role}), json=json)
                    return
    raise CaseError(f"{cases}: has no case {case!r}; its cases: {', '.join(names) or 'none yet'}")


def user_password(cases: File, name: Name, *, by: str | None = None, json: bool = False) -> None:
    """Give a user another password, asked for or read from the standard input; all their sessions end.

    Args:
        cases: folder with cases.
        name: of the user.
        by: who changes it.
        json: print JSON.
    """
    with _people(cases) as people:
        people.check_name(name, is_new=False)
        people.set_password(name, _read_password(f"new password of {name}: "), by=who(by))
    show_result(Note([f"{name}: has a new password, and no session"], {"user": name}), json=json)


def user_disable(cases: File, name: Name, *, end: bool = False, by: str | None = None, json: bool = False) -> None:
    """Let a user in no more, or end that; the name stays, since the logs speak of it.

    Args:
        cases: folder with cases.
        name: of the user.
        end: let them in again.
        by: who says so.
        json: print JSON.
    """
    with _people(cases) as people:
        (people.enable if end else people.disable)(name, by=who(by))
    said = f"{name}: {'is let in again' if end else 'is let in no more'}"
    show_result(Note([said], {"user": name, "is_disabled": not end}), json=json)


def user_sessions(cases: File, *, end: str | None = None, by: str | None = None, json: bool = False) -> None:
    """List who is logged in to a server of cases, or log somebody out.

    Args:
        cases: folder with cases.
        end: name of a user whose sessions end.
        by: who says so.
        json: print JSON.
    """
    with _people(cases) as people:
        if end is not None:
            people.end_sessions(end, by=who(by))
        found = people.sessions()
    said = [f"{one.user}: since {one.begun}, last used {one.used}" for one in found] or ["nobody is logged in"]
    show_result(Note(said, [{"user": one.user, "begun": one.begun, "used": one.used} for one in found]), json=json)


def _people(cases: Path) -> "closing[People]":
    from skyreid.cases.people_database import open_people

    if not cases.is_dir():
        raise CaseError(f"{cases}: is no folder; name the one of 'skyreid serve'")
    return closing(open_people(cases))


def _read_password(question: str) -> str:
    """Ask twice on a terminal, where nothing of it is shown; take one line from whatever else stands there."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass(question)
    if getpass.getpass("the same again: ") != first:
        raise SettingError("the two passwords differ")
    return first
