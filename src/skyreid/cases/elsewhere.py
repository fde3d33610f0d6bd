"""Where a database is that is no file of its folder: a file says it, which everybody sees who sees the folder."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from skyreid.cases.database import Database
from skyreid.errors import CaseError
from skyreid.files.atomic_file import scratch_folder, write_atomically
from skyreid.files.strict_json import read_json

DRIVER = "postgresql+psycopg"


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """A PostgreSQL database, and the schema of it that somebody's tables have for themselves."""

    url: str
    """As `checked_url` gives it."""
    namespace: str

    def database(self) -> Database:
        """Reach it."""
        return Database(self.url, namespace=self.namespace)

    def note(self, path: Path) -> None:
        """Write down where it is, unless somebody has written so meanwhile.

        Raises:
            FileExistsError: somebody has.
        """
        told = json.dumps({"url": self.url, "namespace": self.namespace}, indent=1).encode() + b"\n"
        with scratch_folder(path) as scratch:
            write_atomically(scratch / path.name, [told])
            os.link(scratch / path.name, path)


def checked_url(url: str) -> str:
    """Give the URL of a PostgreSQL database with the driver that we use.

    Raises:
        CaseError: it is none of PostgreSQL, names another driver, or has a password in it.
    """
    url = url.replace("postgresql://", f"{DRIVER}://", 1) if url.startswith("postgresql://") else url
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.drivername != DRIVER:
        raise CaseError(f"a database is given as {DRIVER}://USER@HOST/NAME; got {url!r:.80}")
    if parsed.password is not None:
        raise CaseError(
            "a password does not belong into a command or a case; put it into ~/.pgpass (PostgreSQL reads it)"
        )
    return url


def read_elsewhere(path: Path, *, kind: str) -> Elsewhere:
    """Read where a database is.

    Args:
        path: of the file that says it.
        kind: case or people, with which the schema's name begins.

    Raises:
        CaseError: it does not say it.
    """
    try:
        told = read_json(path)
    except (OSError, ValueError) as error:
        raise CaseError(f"{path}: must say where the database is; it cannot be read: {error}") from error
    url, namespace = (told.get(key) if isinstance(told, Mapping) else None for key in ("url", "namespace"))
    is_ours = isinstance(namespace, str) and re.fullmatch(rf"{kind}_[0-9a-f]{{32}}", namespace)
    if not isinstance(url, str) or not is_ours:
        raise CaseError(f"{path}: must hold url and namespace; got {told!r:.200}")
    return Elsewhere(url=checked_url(url), namespace=str(namespace))
