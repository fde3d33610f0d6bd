"""Locks on open files: the system releases them when their holder ends, in whatever way it ends.

The only file that knows how each system locks: flock on POSIX, msvcrt on Windows. Where neither is there, nobody is
kept out, and `try_lock` and `wait_for_lock` say so by an OSError.
"""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
try:
    import msvcrt
except ImportError:  # POSIX
    msvcrt = None

_FAR = 2**40
"""Windows locks bytes, and keeps others from reading them: one that no file has. It may lie behind the end."""
_FOLDER_LOCK = "._lock"
"""Where a folder cannot be opened; passed over like what systems leave in folders."""
_ASK_AGAIN_S = 0.05


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock of an open file; False where somebody holds it.

    Args:
        descriptor: of the file.
        shared: beside others who share it; on Windows nobody can.

    Raises:
        OSError: the file system, or the system, has no locks.
    """
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        elif msvcrt is not None:
            _lock_byte(descriptor)
        else:
            raise OSError(errno.ENOSYS, "this system has no locks on files")
    except (BlockingIOError, PermissionError):  # of POSIX, of Windows
        return False
    return True


def wait_for_lock(descriptor: int, *, shared: bool = False) -> None:
    """Take the lock of an open file, after whoever holds it.

    Raises:
        OSError: the file system, or the system, has no locks.
    """
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        return
    while not try_lock(descriptor):  # msvcrt gives up after ten seconds
        time.sleep(_ASK_AGAIN_S)


@contextmanager
def folder_lock(folder: Path) -> Iterator[bool]:
    """Hold the lock of a folder, without a file in it where the system can; gives whether it was to be had."""
    path = folder if fcntl is not None else folder / _FOLDER_LOCK
    descriptor = os.open(path, os.O_RDONLY if fcntl is not None else os.O_RDWR | os.O_CREAT)
    try:
        yield try_lock(descriptor)
    finally:
        os.close(descriptor)
        if fcntl is None:
            path.unlink(missing_ok=True)


def _lock_byte(descriptor: int) -> None:
    assert msvcrt is not None
    before = os.lseek(descriptor, 0, os.SEEK_CUR)
    os.lseek(descriptor, _FAR, os.SEEK_SET)
    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # pyright: ignore[reportAttributeAccessIssue] # of Windows
    finally:
        os.lseek(descriptor, before, os.SEEK_SET)
