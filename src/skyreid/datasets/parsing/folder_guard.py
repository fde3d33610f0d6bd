"""Keeping paths inside one folder, links included."""

import os
from pathlib import Path

from skyreid.errors import ManifestError


class FolderGuard:
    """Turns paths into paths relative to a folder and back, and refuses those that leave it.

    Looks into each folder once, so that a million frames do not cost a million system calls.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._real_root = root.resolve()
        self._real_folders: dict[str, Path] = {}
        self._escaping: dict[Path, frozenset[str]] = {}

    def relative(self, path: str) -> str:
        """Give a frame's path from the root, in POSIX form.

        Raises:
            ManifestError: the frame lies elsewhere.
        """
        folder, name = str(Path(path).parent), Path(path).name
        real = self._real(folder)
        if not real.is_relative_to(self._real_root) or name in self._links_out(real):
            raise ManifestError(f"frames must lie in the manifest's folder {self._root}; got {path!r}")
        return (real.relative_to(self._real_root) / name).as_posix()

    def inside(self, relative: str, where: str) -> str:
        """Give the path of a frame that is named from the root.

        Raises:
            ManifestError: a link leads out of the root; the message starts with `where`.
        """
        folder, _, name = f"{self._root}/{relative}".rpartition("/")
        real = self._real(folder)
        if not real.is_relative_to(self._real_root) or name in self._links_out(real):
            raise ManifestError(f"{where}: {relative!r} leads out of the manifest's folder through a link")
        return f"{folder}/{name}"

    def _real(self, folder: str) -> Path:
        real = self._real_folders.get(folder)
        if real is None:
            real = self._real_folders[folder] = Path(folder).resolve()
        return real

    def _links_out(self, folder: Path) -> frozenset[str]:
        """Name the links in a folder that lead out of the root."""
        names = self._escaping.get(folder)
        if names is None:
            try:
                with os.scandir(folder) as entries:
                    names = frozenset(
                        entry.name
                        for entry in entries
                        if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(self._real_root)
                    )
            except (FileNotFoundError, NotADirectoryError):
                names = frozenset()
            self._escaping[folder] = names
        return names
