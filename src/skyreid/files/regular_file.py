"""Files of strangers, opened so that reading them ends: no folder, no pipe, no device, and no more bytes than allowed.

Every reader of a list, a table or a JSON text opens its file here. Imports the standard library alone.
"""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

MOST_BYTES = 2**28
"""Of a file that is read whole, where its reader does not say otherwise: values take several times as much memory."""


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
