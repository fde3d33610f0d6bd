"""Keeping paths inside one folder, links included."""

import os
from dataclasses import dataclass
from os.path import split
from pathlib import Path, PurePosixPath, PureWindowsPath

from skyreid.errors import ManifestError


def check_plain_name(name: str, where: str) -> None:
    """See that a text which came from a file can name a file of ours: no folder, no drive, nothing hidden.

    Raises:
        ManifestError: it cannot; the message starts with `where`.
    """
    is_one_name = name == PureWindowsPath(name).name == PurePosixPath(name).name
    if not name or name.startswith(".") or not is_one_name or "\0" in name:
        raise ManifestError(f"{where} must be a plain file name; got {name!r}")


@dataclass(frozen=True)
class _Folder:
    """What was seen of a folder."""

    below: str | None
    """Its real path from the root, in POSIX form; None outside."""
    links_out: frozenset[str]
    """Links in it that lead out of the root."""


class FolderGuard:
    """Turns paths into paths relative to a folder and back, and refuses those that leave it.

    Looks into each folder once, so that a million frames do not cost a million system calls.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._real_root = root.resolve()
        self._folders: dict[str, _Folder] = {}

    def relative(self, path: str) -> str:
        """Give a frame's path from the root, in POSIX form.

        Raises:
            ManifestError: the frame lies elsewhere.
        """
        folder, name = split(path)
        seen = self._look(folder)
        if seen.below is None or name in seen.links_out:
            raise ManifestError(f"frames must lie in the manifest's folder {self._root}; got {path!r}")
        return name if seen.below == "." else f"{seen.below}/{name}"

    def inside(self, relative: str, where: str) -> str:
        """Give the path of a frame that is named from the root.

        Raises:
            ManifestError: a link leads out of the root; the message starts with `where`.
        """
        folder, _, name = f"{self._root}/{relative}".rpartition("/")
        seen = self._look(folder)
        if seen.below is None or name in seen.links_out:
            raise ManifestError(f"{where}: {relative!r} leads out of the manifest's folder through a link")
        return f"{folder}/{name}"

    def _look(self, folder: str) -> _Folder:
        seen = self._folders.get(folder)
        if seen is None:
            real = Path(folder).resolve()
            is_inside = real.is_relative_to(self._real_root)
            seen = self._folders[folder] = _Folder(
                below=real.relative_to(self._real_root).as_posix() if is_inside else None,
                links_out=self._links_out(real) if is_inside else frozenset(),
            )
        return seen

    def _links_out(self, folder: Path) -> frozenset[str]:
        try:
            with os.scandir(folder) as entries:
                return frozenset(
                    entry.name
                    for entry in entries
                    if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(self._real_root)
                )
        except (FileNotFoundError, NotADirectoryError):
            return frozenset()
