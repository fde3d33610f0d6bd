"""A folder of pictures as a film: its frames in natural order, and when each was taken.

Both may be told by the `seqinfo.ini` of MOTChallenge, which stands beside pictures or annotations.
"""

import json
import re
from collections.abc import Mapping, Sequence
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from PIL import Image

from skyreid.errors import VideoError
from skyreid.files.picture_file import MAX_BYTES, SUFFIXES, picture_size, read_picture, taken_at
from skyreid.files.regular_file import bytes_sha256, file_sha256, names_in, natural_order, read_regular

_POSITIVE = {
    "frameRate": r"(?=[\d.]*[1-9])(\d{1,9}(\.\d{1,9})?|\d{1,9}/0*[1-9]\d{0,8})",
    "seqLength": r"0*[1-9]\d{0,8}",
}
"""Entries of a sequence file; of a power of ten, the digits alone could fill the memory."""


@dataclass(frozen=True, kw_only=True)
class PictureFolder:
    """Pictures of one size, as a film."""

    paths: Sequence[Path]
    times_s: Sequence[Fraction]
    """When each was taken, after the first."""
    frame_rate: Fraction
    """On average."""
    width: int
    height: int

    @classmethod
    def open(cls, folder: Path) -> "PictureFolder":
        """List the pictures of a folder in natural order, and find when they were taken.

        The rate is that of a `seqinfo.ini` in the folder or beside it (MOTChallenge); without one, the pictures'
        own times tell (EXIF).

        Raises:
            VideoError: there are no pictures, other than the sequence file counts, or nobody knows their times.
            MissingFrameError: the first picture cannot be read.
        """
        sequence = _sequence(folder)
        paths = _listed(folder, sequence)
        width, height = picture_size(paths[0])
        if "framerate" in sequence:
            _check_numbers(paths)
            rate = Fraction(sequence["framerate"])
            times_s = [index / rate for index in range(len(paths))]
        else:
            times_s = _own_times(paths)
            rate = (len(paths) - 1) / times_s[-1]
        return cls(paths=paths, times_s=times_s, frame_rate=rate, width=width, height=height)

    @property
    def end_s(self) -> float:
        """When the last picture ends."""
        return float(self.times_s[-1] + 1 / self.frame_rate)

    def facts(self) -> dict[str, object]:
        """What `decode.VideoFacts` needs."""
        return {
            "codec": "pictures",
            "width": self.width,
            "height": self.height,
            "shown": (False, False, False),
            "duration_s": self.end_s,
            "frame_rate": float(self.frame_rate),
            "num_frames": len(self.paths),
            "stream_taken": None,
            "has_streams_beside": False,
        }

    def picture(self, index: int, *, max_side: int | None) -> Image.Image:
        """Read one picture, its longer side scaled down to `max_side`; None = as it is.

        Raises:
            MissingFrameError: it cannot be read.
            VideoError: it is of another size.
        """
        picture = read_picture(self.paths[index])
        if picture.size != (self.width, self.height):
            raise VideoError(
                f"its {self.paths[index].name} has {picture.width}x{picture.height} pixels, "
                f"{self.paths[0].name} {self.width}x{self.height}; a film has one size. "
                "Scale it, or put pictures of another size into a folder of their own"
            )
        if max_side is not None and max(picture.size) > max_side:
            scale = max_side / max(picture.size)
            size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
            picture = picture.resize(size, Image.Resampling.BOX)
        return picture


def film_sha256(path: Path) -> str:
    """Hash a video, or a folder of pictures."""
    return pictures_sha256(path) if path.is_dir() else file_sha256(path)


def pictures_sha256(folder: Path) -> str:
    """Hash what a folder shows: the pictures in their order, and their times.

    Raises:
        VideoError, MissingFrameError: as `PictureFolder.open`.
    """
    film = PictureFolder.open(folder)
    lines = (
        f"{time_s} {file_sha256(path, most_bytes=MAX_BYTES)}"
        for time_s, path in zip(film.times_s, film.paths, strict=True)
    )
    return bytes_sha256("\n".join(lines).encode())


def _listed(folder: Path, sequence: Mapping[str, str]) -> list[Path]:
    name = sequence.get("imdir", ".")
    if Path(name).name != name and name != ".":
        raise VideoError(f"its {SEQUENCE_FILE} names the folder {name!r}; imDir is one in the same folder")
    folder = folder / name
    if not folder.is_dir():
        raise VideoError(f"its {SEQUENCE_FILE} names the folder {name!r}, which is not there")
    names = [name for name in names_in(folder) if Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")]
    if not names:
        raise VideoError(f"is a folder without pictures ({', '.join(sorted(SUFFIXES))})")
    if int(sequence.get("seqlength", len(names))) != len(names):
        raise VideoError(f"holds {len(names)} pictures; its {SEQUENCE_FILE} says seqLength={sequence['seqlength']}")
    names.sort(key=natural_order)
    for name, after in pairwise(names):
        if Path(name).stem == Path(after).stem:
            raise VideoError(f"holds {name} and {after}: a frame is one picture; remove one of the two")
    return [folder / name for name in names]


def _check_numbers(paths: Sequence[Path]) -> None:
    """See that no picture is missing among pictures that are numbered one by one.

    Frames are as far apart as the rate says, and annotations count them: after a gap, both would be wrong.
    """
    stems = [re.fullmatch(r"(.*?)(\d+)(\D*)", path.stem) for path in paths]
    if not all(stems) or len({(stem[1], stem[3]) for stem in stems if stem}) > 1:
        return
    numbers = [int(stem[2]) for stem in stems if stem]
    gaps = [(before, after) for before, after in pairwise(numbers) if after > before + 1]
    if gaps and 2 * len(gaps) < len(numbers):  # most follow each other: numbers are no times, and not every fifth
        before, after = gaps[0]
        missing = f"{before + 1}" if after == before + 2 else f"{before + 1} to {after - 1}"
        more = f", and so on in {len(gaps)} places" if len(gaps) > 1 else ""
        raise VideoError(
            f"holds {len(numbers)} pictures, numbered {numbers[0]} to {numbers[-1]} without {missing}{more}: nobody "
            "knows whether the rate and annotations count those. Put them there; or, if they never were, number the "
            "pictures without a gap"
        )


def _sequence(folder: Path) -> dict[str, str]:
    """What the sequence file in a folder or beside it says; nothing where there is none.

    A folder of this file holds the pictures in the folder that its imDir names.
    """
    for path in (folder / SEQUENCE_FILE, folder.parent / SEQUENCE_FILE):
        if not path.is_file():
            continue
        try:
            said = read_sequence(path)
        except ValueError as error:
            raise VideoError(f"its {SEQUENCE_FILE} {error}") from error
        for name, positive in _POSITIVE.items():
            value = said.get(name.lower())
            if value is not None and not re.fullmatch(positive, value):
                raise VideoError(
                    f"its {SEQUENCE_FILE} must tell {name} as a positive number such as 25; got {value[:40]!r}"
                )
        if path.parent != folder:
            if said.get("imdir", folder.name) != folder.name:
                continue  # it is of another folder beside this one
            said.pop("imdir", None)
        return said
    return {}


def _own_times(paths: Sequence[Path]) -> list[Fraction]:
    times = [taken_at(path) for path in paths]
    known = [time for time in times if time is not None]
    if len(known) < max(2, len(paths)) or any(later <= time for time, later in pairwise(known)):
        raise VideoError(
            f"is a folder of {len(paths)} pictures, and nothing says when each was taken; put a file {SEQUENCE_FILE} "
            "with the lines [Sequence] and frameRate=25 into it (frames a second; 0.2 is one in five seconds)"
        )
    return [Fraction(str((time - known[0]).total_seconds())) for time in known]


SEQUENCE_FILE = "seqinfo.ini"
_MOST_BYTES = 2**20
"""It has ten lines."""
_REMEDY = "write [Sequence] and lines such as frameRate=25 into it, as MOTChallenge does, or remove it"


def read_sequence(path: Path) -> dict[str, str]:
    """Read the entries of a sequence file, their names in lower case; an entry without a value is none.

    Raises:
        ValueError: it cannot be read or has no such section, in words that follow the file's name.
    """
    try:
        content = read_regular(path, most_bytes=_MOST_BYTES)
        text = content.decode(json.detect_encoding(content))  # as editors on Windows write it, too
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"must be text; {error}. Save it as UTF-8") from error
    if not text.strip():
        raise ValueError(f"is empty; {_REMEDY}")
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except ConfigError as error:
        raise ValueError(f"must be lines of NAME=VALUE; {' '.join(str(error).split())}; {_REMEDY}") from error
    if "Sequence" not in parser:
        raise ValueError(f"must have a section [Sequence]; got {parser.sections() or 'no section'}; {_REMEDY}")
    return {name: value.strip() for name, value in parser["Sequence"].items() if value.strip()}
