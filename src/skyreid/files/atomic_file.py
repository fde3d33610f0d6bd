"""Files and folders that are there whole or not at all, whenever the machine stops.

What is being written stands beside its target as `.NAME.HEX.partial`, and its writer holds a lock on it. A writer
that is killed leaves it without the lock; whoever writes the same target next removes it. A folder that is to be
replaced first steps into the staging folder of the new one,

    .NAME.HEX.partial/lock, new/, old/

so that a writer that is killed between the two renamings leaves both, and `sweep_leftovers` names the new one.

The system releases a lock when its holder ends, in whatever way it ends. This is the only file that knows how each
system locks: flock on POSIX, msvcrt on Windows. Where neither is there, nobody is kept out, and `try_lock` and
`wait_for_lock` say so by an OSError.
"""

import errno
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter
from pathlib import Path

from skyreid.files.regular_file import open_regular

_LEFTOVER = re.compile(r"\.(?P<target>.+)\.[0-9a-f]{16,32}\.partial", re.DOTALL)
_LOCK, _NEW, _OLD = "lock", "new", "old"
_FAR = 2**40
"""Windows locks bytes, and keeps others from reading them: one that no file has. It may lie behind the end."""
_FOLDER_LOCK = "._lock"
"""Where a folder cannot be opened; passed over like what systems leave in folders."""
_ASK_AGAIN_S = 0.05


def write_atomically(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file beside its target, flush it to the disk, then give it its name; folders are made.

    Raises:
        OSError: always with the name of a file: this one where the system does not say which.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep_leftovers(path.parent, path.name)
    with naming(path):
        partial, file = _new_partial(path)
        try:
            with file:
                file.writelines(chunks)
                file.flush()
                os.fsync(file.fileno())
                if sys.platform == "win32":
                    file.close()  # an open file cannot be renamed there
                partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        flush(path.parent)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Make a folder that is filled inside the `with` block and gets its name at the end of it.

    Raises:
        FileExistsError: there is something of that name.
        OSError: always with the name of a file, or of this folder.
    """
    with _staging(path) as staging:
        yield staging / _NEW
        _flush_all(staging / _NEW)
        if os.path.lexists(path):
            raise FileExistsError(f"{path} was made by somebody else meanwhile")
        (staging / _NEW).rename(path)
        flush(path.parent)


@contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """Make a folder as `new_folder` does; an older one stays until the new one is complete, then goes.

    POSIX cannot rename onto a full folder: for a moment there is none of that name. A writer that is killed just
    then has left both, and `sweep_leftovers` ends its work.
    """
    with _staging(path) as staging:
        yield staging / _NEW
        _flush_all(staging / _NEW)
        is_replaced = os.path.lexists(path)
        if is_replaced:
            path.rename(staging / _OLD)
        try:
            (staging / _NEW).rename(path)
        except BaseException:
            if is_replaced:
                (staging / _OLD).rename(path)
            raise
        flush(path.parent)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Make a folder beside `path` for what goes into it later; at the end it is gone."""
    with _staging(path) as staging:
        yield staging / _NEW


def sweep_leftovers(folder: Path, target: str | None = None) -> None:
    """Remove what killed writers left in a folder, and end the replacement that one of them had begun.

    What a living writer holds stays, and so does whatever is not ours: links, and folders with other things in them.

    Args:
        folder: where the targets stand.
        target: name of the only one whose leftovers go; None = all.
    """
    with suppress(OSError):  # no such folder, or one that cannot be read
        for path in folder.iterdir():
            found = _LEFTOVER.fullmatch(path.name)
            if found is not None and target in (None, found["target"]):
                with suppress(OSError):  # gone meanwhile, or not ours to remove
                    _sweep(path, folder / found["target"])


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give every OSError that does not say which file it is about, such as a full disk, this one."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def flush(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk when this returns."""
    if sys.platform == "win32" and path.is_dir():
        return  # folders cannot be opened there
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _partial_name(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")


def _new_partial(path: Path) -> tuple[Path, BufferedWriter]:
    while True:
        partial = _partial_name(path)
        file = partial.open("xb")
        if _is_locked(file, partial):
            return partial, file
        file.close()


def _is_locked(file: BufferedWriter, path: Path) -> bool:
    """Lock a file that was just made; False where somebody took it for a leftover in between."""
    with suppress(OSError):  # without locks nothing is swept
        wait_for_lock(file.fileno())
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


@contextmanager
def _staging(path: Path) -> Iterator[Path]:
    """The folder that holds the new one, locked."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep_leftovers(path.parent, path.name)
    with naming(path):
        staging, lock = _new_staging(path)
        try:
            yield staging
        finally:
            if sys.platform == "win32":
                lock.close()
            shutil.rmtree(staging, ignore_errors=True)
            lock.close()


def _new_staging(path: Path) -> tuple[Path, BufferedWriter]:
    while True:
        staging = _partial_name(path)
        staging.mkdir()
        with suppress(FileNotFoundError):  # swept before it was locked
            lock = (staging / _LOCK).open("xb")
            if _is_locked(lock, staging / _LOCK):
                (staging / _NEW).mkdir()
                return staging, lock
            lock.close()


def _sweep(leftover: Path, target: Path) -> None:
    if leftover.is_symlink():
        return
    if leftover.is_file():
        with leftover.open("rb") as file:
            if try_lock(file.fileno()):
                leftover.unlink()
        return
    if not {path.name for path in leftover.iterdir()} <= {_LOCK, _NEW, _OLD}:
        return
    try:
        lock = open_regular(leftover / _LOCK)
    except FileNotFoundError:  # killed before it was made, or while the folder was removed
        shutil.rmtree(leftover)
        return
    with lock:
        if not try_lock(lock.fileno()):
            return
        if (leftover / _OLD).exists() and not os.path.lexists(target):
            # The old one steps aside only for a new one that is complete.
            (leftover / (_NEW if (leftover / _NEW).exists() else _OLD)).rename(target)
            flush(target.parent)
        shutil.rmtree(leftover)


def _flush_all(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            flush(Path(parent, name))
        flush(Path(parent))


try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


try:
    import msvcrt
except ImportError:  # POSIX
    msvcrt = None


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
