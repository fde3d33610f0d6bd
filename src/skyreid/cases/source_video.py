"""The video of a source, looked into again: only where it lay when it was added, and while it is still that one."""

from functools import lru_cache
from pathlib import Path

from skyreid.building.video.decode import DecodeLimits
from skyreid.building.video.picture_folder import film_sha256
from skyreid.cases.sources import CaseSource
from skyreid.errors import RefusedError

LOOK_LIMITS = DecodeLimits(cpu_s=300, take_damaged=True)
"""To look into a video: everything before the moment is decoded too."""


def video_of(source: CaseSource) -> Path:
    """Say where the video of a source lies.

    Raises:
        RefusedError: it is not where it was when it was added, or another video lies there.
    """
    path = None if source.path is None else Path(source.path)
    if path is None or not path.exists():
        raise RefusedError(f"{source.file}: the video is not where it was when it was added, so nobody can look in")
    told = path.stat()
    # The state of a folder does not tell whether its pictures are the same.
    state = told.st_size, told.st_mtime_ns, told.st_ctime_ns, told.st_ino
    sha256 = film_sha256(path) if path.is_dir() else _hash_of(path, *state)
    if sha256 != source.sha256:
        raise RefusedError(f"{source.file}: another video lies where it was when it was added; its sha256 differs")
    return path


@lru_cache(maxsize=256)
def _hash_of(path: Path, *state: int) -> str:
    """Hash a file once while nobody changes it; that of a long video takes minutes."""
    return film_sha256(path)
