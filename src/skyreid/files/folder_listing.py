"""The names in a folder that somebody put there on purpose."""

import os
from pathlib import Path

_LEFT_BY_SYSTEMS = frozenset(
    (
        ".ds_store",
        ".localized",
        ".directory",
        ".fseventsd",
        ".spotlight-v100",
        ".trashes",
        ".temporaryitems",
        ".appledouble",
        "__macosx",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "@eadir",
        "icon\r",
    )
)
"""What file managers, archivers and network drives leave in every folder that they show, in lower case."""


def is_left_by_system(name: str) -> bool:
    """Whether a name is one that no person gave: `.DS_Store`, `Thumbs.db`, an AppleDouble file `._x` and the like."""
    return name.startswith("._") or name.lower() in _LEFT_BY_SYSTEMS


def names_in(folder: str | Path) -> list[str]:
    """Name what lies in a folder, sorted, without what the system left there.

    Raises:
        OSError: there is no such folder, or it cannot be read.
    """
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if not is_left_by_system(entry.name))
