"""What administrators of a server are shown: its people and their roles, its models and disk, its log."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from skyreid.cases.case import CACHE, DATABASE_FILE
from skyreid.cases.people import Role, RunningSession, User, set_role_in_case
from skyreid.cases.tracklets import CaseModel, read_models
from skyreid.errors import CaseError
from skyreid.files.strict_json import Json
from skyreid.service.access import Visit
from skyreid.service.open_cases import OpenCase

RoleName = Literal["viewer", "annotator", "examiner", "admin", "auditor", "none"]
LITTLE_ROOM = 0.1
"""Share of the disk below which the page warns."""


@dataclass(frozen=True, kw_only=True)
class KnownUser:
    """Somebody who can log in, with what they are and where they are logged in."""

    user: User
    roles: tuple[tuple[str, str, Role], ...]
    """Id of a case, its name, the role there; administrators have all without one."""
    sessions: tuple[RunningSession, ...]

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        return {
            **asdict(self.user),
            "roles": [{"case_id": case_id, "case": name, "role": role.value} for case_id, name, role in self.roles],
            "sessions": [{"begun": one.begun, "used": one.used} for one in self.sessions],
        }


def known_users(visit: Visit) -> list[KnownUser]:
    """List everybody, by name."""
    people = visit.cases.people
    sessions = people.sessions()
    by_case = [(one.case_id, one.facts().name, people.roles(one.case_id)) for one in visit.cases.all()]
    return [
        KnownUser(
            user=user,
            roles=tuple((case_id, name, roles[user.name]) for case_id, name, roles in by_case if user.name in roles),
            sessions=tuple(one for one in sessions if one.user == user.name),
        )
        for user in people.users()
    ]


def give_role(visit: Visit, name: str, case_id: str, role: RoleName) -> None:
    """Give a user a role in a case, or take it.

    Raises:
        CaseError: there is no such user or case.
    """
    opened = visit.cases.find(case_id)
    if opened is None:
        raise CaseError("there is no such case")
    given = None if role == "none" else Role(role)
    set_role_in_case(visit.cases.people, opened.case, name, given, by=visit.user)


@dataclass(frozen=True, kw_only=True)
class HeldCase:
    """A case as whoever keeps the machine sees it."""

    name: str
    case_id: str
    models: tuple[CaseModel, ...]
    database_bytes: int | None
    """None = another server holds it."""
    cache_bytes: int

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        return {
            "case_id": self.case_id,
            "case": self.name,
            "database_bytes": self.database_bytes,
            "cache_bytes": self.cache_bytes,
            "models": [
                {"number": one.number, "model": one.model, "width": one.width, "vectors": one.num_vectors}
                for one in self.models
            ],
        }


@dataclass(frozen=True, kw_only=True)
class ServerState:
    """What a server holds, and the room that is left."""

    cases: tuple[HeldCase, ...]
    free_bytes: int
    total_bytes: int

    @property
    def is_room_little(self) -> bool:
        """Whether the disk is nearly full."""
        return self.free_bytes < LITTLE_ROOM * self.total_bytes

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        return {
            "free_bytes": self.free_bytes,
            "total_bytes": self.total_bytes,
            "cases": [one.to_json() for one in self.cases],
        }


def server_state(visit: Visit) -> ServerState:
    """Look at the disk and at what lies on it; crops are left out, since there may be millions."""
    disk = shutil.disk_usage(visit.cases.folder)
    return ServerState(cases=tuple(_held(visit)), free_bytes=disk.free, total_bytes=disk.total)


def _held(visit: Visit) -> Iterator[HeldCase]:
    for opened in visit.cases.all():
        yield HeldCase(
            name=opened.facts().name,
            case_id=opened.case_id,
            models=tuple(read_models(opened.case)),
            database_bytes=_database_bytes(opened),
            cache_bytes=sum(path.stat().st_size for path in (opened.case.folder / CACHE).rglob("*") if path.is_file()),
        )


def _database_bytes(opened: OpenCase) -> int | None:
    files = [path for path in opened.case.folder.glob(f"{DATABASE_FILE}*") if path.is_file()]
    return sum(path.stat().st_size for path in files) if files else None
