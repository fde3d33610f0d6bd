"""The hash of bytes: what tells that a file is still what it was when something was made of it."""

import hashlib
from pathlib import Path

from skyreid.files.regular_file import open_regular


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
