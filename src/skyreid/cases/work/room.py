"""Room on the disk of a case: when people are told, and when work waits for more of it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LEAST_ROOM = 2 * 2**30
"""Bytes that stay free, or a twentieth of the disk, whichever is more: below that, no footage is taken or worked on."""
LEAST_SHARE, LOW_SHARE = 0.05, 0.10

_LAST_WORDS = 512 * 2**10


@dataclass(frozen=True, kw_only=True)
class Room:
    """What is free on a disk, in bytes."""

    free: int
    total: int

    @property
    def least(self) -> int:
        """What stays free."""
        return max(LEAST_ROOM, int(LEAST_SHARE * self.total))

    @property
    def is_low(self) -> bool:
        """Whether people are told: a tenth of the disk is left, or work waits already."""
        return self.free < LOW_SHARE * self.total or self.free < self.least

    def in_words(self) -> str:
        """Say it to a reader."""
        waits = "new footage waits until there is more room" if self.free < self.least else "make room soon"
        return f"the disk is nearly full: {_words(self.free)} of {_words(self.total)} are free; {waits}"


def room_of(folder: Path) -> Room:
    """Ask how much room there is on the disk of a folder."""
    usage = shutil.disk_usage(folder)
    return Room(free=usage.free, total=usage.total)


def has_room(folder: Path, least: int | None) -> bool:
    """Tell whether enough is free on the disk of a folder for work to go on.

    Args:
        folder: on it.
        least: bytes that stay free; None = as `Room.least` says.
    """
    room = room_of(folder)
    return room.free >= (room.least if least is None else least)


@contextmanager
def room_for_last_words(folder: Path) -> Iterator[None]:
    """Hold some room inside the block, so that on a disk that fills meanwhile a database can write down why it ended.

    Args:
        folder: a new one, which goes with the block.

    Raises:
        OSError: there is no room even for that.
    """
    folder.mkdir(parents=True)
    try:
        (folder / "held").write_bytes(os.urandom(_LAST_WORDS))  # zeros take no room on some disks
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _words(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.0f} MiB"
