"""The hash of bytes: what tells that a file is still what it was when something was made of it."""

import errno
import hashlib
import os
import stat
from io import BufferedReader
from pathlib import Path


def bytes_sha256(content: bytes) -> str:
    """Hash bytes, as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def file_sha256(path: Path | str) -> str:
    """Hash a file piece by piece, as hexadecimal digits.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_regular(path: Path | str) -> BufferedReader:
    """Open a file for reading, but neither a pipe nor a device: those may have no end.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    # Opening a pipe waits for somebody to write into it. Windows lacks this flag, and has a text mode instead.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def shortened(sha256: str) -> str:
    """The first twelve digits, which tell two hashes apart in a message."""
    return sha256[:12]
