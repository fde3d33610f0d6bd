"""The marks by which files of some formats show that they are whole; a part of the decoding process."""

import os
from pathlib import Path
from typing import BinaryIO


def missing_mark(path: str, container: str) -> str | None:
    """Which mark of its end a file lacks, where a cut shows in nothing else.

    Ogg and GIF promise no length, and a file that was cut between two frames decodes without an error.
    """
    with Path(path).open("rb") as file:
        if container == "gif" and not _gif_is_whole(file):
            return "it breaks off before the mark of its end"
        if container == "ogg" and not _ogg_is_whole(file):
            return "its last page is not marked as the last"
    return None


def _gif_is_whole(file: BinaryIO) -> bool:
    """Whether the blocks of a GIF lead to its trailer (GIF89a specification, section 27)."""

    def skip_colours(packed: int) -> None:
        file.seek(3 << ((packed & 7) + 1) if packed & 128 else 0, os.SEEK_CUR)

    skip_colours(file.read(13)[10])
    while block := file.read(1):
        if block == b";":
            return True
        if block == b"\x21":
            file.seek(1, os.SEEK_CUR)  # the label
        elif block == b",":
            descriptor = file.read(9)
            if len(descriptor) < 9:
                return False
            skip_colours(descriptor[8])
            file.seek(1, os.SEEK_CUR)  # the size of a code
        else:
            return True  # no block: whatever this is, it is not a file that merely ends early
        while size := file.read(1):
            if size == b"\0":
                break
            file.seek(size[0], os.SEEK_CUR)
    return False


def _ogg_is_whole(file: BinaryIO) -> bool:
    """Whether the last page of an Ogg file is the last of its stream (RFC 3533, section 6)."""
    size = os.fstat(file.fileno()).st_size
    is_last = False
    while len(header := file.read(27)) == 27 and header.startswith(b"OggS"):
        lengths = file.read(header[26])
        file.seek(sum(lengths), os.SEEK_CUR)
        is_last = bool(header[5] & 4) and file.tell() <= size
    return is_last
