"""The video of a source, looked into again: only where it lay when it was added, and while it is still that one."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path

from skyreid.building.video.decode import DecodeLimits
from skyreid.building.video.picture_folder import film_sha256
from skyreid.cases.case import Case
from skyreid.cases.sources import CaseSource
from skyreid.errors import RefusedError
from skyreid.files.object_store import is_object

LOOK_LIMITS = DecodeLimits(cpu_s=300, take_damaged=True)
"""To look into a video: everything before the moment is decoded too."""


@contextmanager
def video_of(case: Case, source: CaseSource) -> Iterator[Path]:
    """Have the video of a source as a file inside the block; one from an object store is fetched, and goes with it.

    Raises:
        RefusedError: it is not where it was when it was added, or another video lies there.
        StoreError: the object store refuses, or is away.
    """
    with ExitStack() as stack:
        try:
            path = None if source.path is None else stack.enter_context(case.uploads.fetched(source.path))
        except FileNotFoundError:
            path = None
        if path is None or not path.exists():
            raise RefusedError(f"{source.file}: the video is not where it was when it was added, so nobody can look in")
        if (film_sha256(path) if _is_hashed_anew(source, path) else _hash_of_file(path)) != source.sha256:
            raise RefusedError(f"{source.file}: another video lies where it was when it was added; its sha256 differs")
        yield path


def _is_hashed_anew(source: CaseSource, path: Path) -> bool:
    """Whether no state of what lies there tells that its bytes are the same: a folder's does not."""
    return path.is_dir() or is_object(str(source.path))


def _hash_of_file(path: Path) -> str:
    told = path.stat()
    return _hash_of(path, told.st_size, told.st_mtime_ns, told.st_ctime_ns, told.st_ino)


@lru_cache(maxsize=256)
def _hash_of(path: Path, *state: int) -> str:
    """Hash a file once while nobody changes it; that of a long video takes minutes."""
    return film_sha256(path)
