"""Files of strangers, opened so that reading them ends: no folder, no pipe, no device, and no more bytes than allowed.

Every reader of a list, a table or a JSON text opens its file here. Beside it stand the names in a folder that somebody
put there on purpose, and the hash that tells that a file is still what it was. Imports the standard library alone.
"""

import errno
import hashlib
import os
import re
import stat
from io import BufferedReader
from pathlib import Path

MOST_BYTES = 2**28
"""Of a file that is read whole, where its reader does not say otherwise: values take several times as much memory."""
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


def open_regular(path: Path | str, *, most_bytes: int | None = None) -> BufferedReader:
    """Open a file for reading, but no folder, pipe or device: those may have no end.

    Args:
        path: of the file; a link to a file is one.
        most_bytes: that it may have; None = the caller bounds what it takes from it.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger.
    """
    # Opening a pipe waits for somebody to write into it. Windows lacks this flag, and has a text mode instead.
    descriptor = _checked(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    size = os.fstat(descriptor).st_size
    if most_bytes is not None and size > most_bytes:
        os.close(descriptor)
        raise OSError(errno.EFBIG, f"has {size:,} bytes; at most {most_bytes:,} are read", str(path))
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path | str, *, most_bytes: int = MOST_BYTES) -> bytes:
    """Give the content of a file, bounded before it is read.

    Raises:
        OSError: as `open_regular`.
    """
    with open_regular(path, most_bytes=most_bytes) as file:
        return file.read(os.fstat(file.fileno()).st_size)


def open_in_place(path: str, flags: int) -> int:
    """Open a file that is written where it stands, such as a log or a lock; an opener for `open`.

    A folder from a stranger may hold links under such names: what is written would land behind them.

    Raises:
        OSError: it cannot be opened, or is a link, or no regular file.
    """
    if Path(path).is_symlink():
        raise OSError(errno.ELOOP, "is a link; it is written where it stands, and must be a file itself", str(path))
    return _checked(path, flags | getattr(os, "O_NOFOLLOW", 0))


def _checked(path: Path | str, flags: int) -> int:
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file, but a folder, a pipe or a device", str(path))
    return descriptor


def bytes_sha256(content: bytes) -> str:
    """Hash bytes, as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def file_sha256(path: Path | str, *, most_bytes: int | None = None) -> str:
    """Hash a file piece by piece, as hexadecimal digits.

    Args:
        path: of the file.
        most_bytes: that it may have; None = however long that takes.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger.
    """
    with open_regular(path, most_bytes=most_bytes) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def shortened(sha256: str) -> str:
    """The first twelve digits, which tell two hashes apart in a message."""
    return sha256[:12]


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


def natural_order(name: str) -> list[tuple[int, str]]:
    """A key that puts 9.jpg before 10.jpg."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]
