"""What a file is that no decoder takes, in words that say what to do, as far as its first bytes and its boxes tell."""

from collections.abc import Iterator
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO

_PICTURES = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"BM": "BMP", b"II*\x00": "TIFF", b"MM\x00*": "TIFF"}
_HEAD_BYTES = 4096
_MOST_BOXES = 10_000
"""A film in fragments has a few for each; what is longer tells nothing more."""


def what_it_is(path: Path) -> str | None:
    """Say what lies at a path in place of a video; None where its bytes do not tell."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if not any(head):
            return "it holds nothing but zeros where it begins: copy it again from the camera's card"
        for begin, name in _PICTURES.items():
            if head.startswith(begin):
                return f"it is a {name} picture"
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return "it is a WebP picture"
        if head[4:8] == b"ftyp" and b"moov" not in _boxes(file):
            return (
                "it is cut off: its index (moov), which cameras write last, is missing. Copy it again from the "
                "camera's card; where it is so there too, a tool such as untrunc may mend it"
            )
    return None


def _boxes(file: BinaryIO) -> Iterator[bytes]:
    """The kinds of the boxes of an MP4 or MOV file, without those inside them (ISO/IEC 14496-12, 4.2)."""
    place, end = 0, file.seek(0, SEEK_END)
    for _ in range(_MOST_BOXES):
        if place >= end:  # a size that cannot be, or a file that is cut
            return
        file.seek(place)
        head = file.read(16)
        if len(head) < 8:
            return
        yield head[4:8]
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8:  # 0 = to the end of the file
            return
        place += size
