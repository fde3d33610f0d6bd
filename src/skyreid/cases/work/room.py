"""Room on the disk of a case: when people are told, and when work waits for more of it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

LEAST_ROOM = 2 * 2**30
"""Bytes that stay free, or a twentieth of the disk, whichever is more: below that, no footage is taken or worked on."""
LEAST_SHARE, LOW_SHARE = 0.05, 0.10


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


def _words(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.0f} MiB"
