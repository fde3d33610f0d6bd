"""Pictures on disk, read in one way everywhere: as RGB of eight bits, upright, and nothing but pictures.

Pillow opens whatever it knows by content, PostScript by starting Ghostscript among it, and hands over what is
stored: sixteen bits that a conversion would cut off at 255, and the pixels of a turned camera lying.
"""

import io
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from PIL import ExifTags, Image, UnidentifiedImageError

from skyreid.errors import MissingFrameError
from skyreid.files.regular_file import open_regular
from skyreid.processes.progress import Progress

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"))
"""That files of these formats are named by; what a file is, is told by its content."""
MAX_PIXELS = 2**26
"""67 million, 200 MB as RGB: more than any camera here gives, and less than a bomb."""
MAX_BYTES = 2**30
"""Of the file: more than so many pixels take in any of the formats."""
_SIXTEEN_BITS = 1 / 257
"""65,535 becomes 255."""
_ORIENTATION = 0x0112
"""The EXIF tag."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What is done to the stored pixels, by orientation (EXIF 2.32, section 4.6.4)."""
_warning_filters = threading.Lock()
"""Python keeps one list of them for all threads."""


def read_picture(path: str | Path, *, content: bytes | None = None) -> Image.Image:
    """Read a picture as RGB, turned as its EXIF orientation asks; sixteen bits are scaled, transparency is ignored.

    Args:
        path: of the file.
        content: its bytes, where they were read before.

    Raises:
        MissingFrameError: the file is not there, is no regular file, or no picture of one of `FORMATS`, is damaged,
            too large, or holds numbers that are no brightness; the message begins with its path.
    """
    with _opened(path, content) as (picture, orientation):
        picture.load()
        turn = _UPRIGHT.get(orientation)
        upright = picture if turn is None else picture.transpose(turn)
        if upright.mode.startswith("I;16") or (upright.mode == "I" and picture.format == "PNG"):
            upright = upright.convert("I").point(lambda value: value * _SIXTEEN_BITS + 0.5).convert("L")
        elif upright.mode in ("I", "F"):
            raise MissingFrameError(f"{path}: holds numbers of 32 bits, whose white nobody knows; save it with 8 or 16")
        return upright.convert("RGB")


def picture_size(path: str | Path) -> tuple[int, int]:
    """Width and height of what `read_picture` gives, from the header.

    Raises:
        MissingFrameError: as `read_picture`, as far as the header tells.
    """
    with _opened(path, None) as (picture, orientation):
        return (picture.height, picture.width) if orientation >= 5 else picture.size


def _orientation(picture: Image.Image) -> int:
    if picture.format == "TIFF":
        return 1  # Pillow turns them itself
    if picture.format == "PNG" and "exif" not in picture.info:
        return 1  # it would be decoded to look for one
    try:
        orientation = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF data; the picture is there all the same
        return 1
    return orientation if orientation in _UPRIGHT else 1


def taken_at(path: str | Path) -> datetime | None:
    """When a picture was taken, by the clock of the camera, as its EXIF data say; None where they do not.

    Raises:
        MissingFrameError: as `picture_size`.
    """
    with _opened(path, None) as (picture, _):
        told = picture.getexif().get_ifd(ExifTags.IFD.Exif)
        text, part = told.get(ExifTags.Base.DateTimeOriginal), told.get(ExifTags.Base.SubsecTimeOriginal, "0")
        try:
            time = datetime.strptime(str(text).strip("\0 "), "%Y:%m:%d %H:%M:%S")
            return time + timedelta(seconds=float(f"0.{str(part).strip()}"))
        except ValueError:
            return None


@dataclass(frozen=True)
class PictureTags:
    """What a camera wrote into a picture about itself, as it wrote it."""

    exif: Mapping[int, object]
    """By their numbers, those of the picture and of the exposure."""
    gps: Mapping[int, object]
    xmp: bytes


def picture_tags(path: str | Path) -> PictureTags:
    """Give the EXIF tags and the XMP packet of a picture; what is damaged is absent.

    Raises:
        MissingFrameError: as `picture_size`.
    """
    with _opened(path, None) as (picture, _):
        xmp = picture.info.get("xmp", b"")
        try:
            exif = picture.getexif()
            told = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
            gps = dict(exif.get_ifd(ExifTags.IFD.GPSInfo))
        except Exception:  # damaged EXIF data; the picture is there all the same
            told, gps = {}, {}
        return PictureTags(told, gps, xmp if isinstance(xmp, bytes) else str(xmp).encode())


@contextmanager
def _opened(path: str | Path, content: bytes | None) -> Iterator[tuple[Image.Image, int]]:
    """Open a picture, its header read; its orientation comes second."""
    try:
        with open_regular(path, most_bytes=MAX_BYTES) if content is None else io.BytesIO(content) as file:
            with _warning_filters, warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                warnings.simplefilter("ignore", UserWarning)  # of damaged EXIF data
                picture = Image.open(file, formats=FORMATS)
                orientation = _orientation(picture)
            if picture.width * picture.height > MAX_PIXELS:
                raise MissingFrameError(
                    f"{path}: has {picture.width}x{picture.height} pixels; at most {MAX_PIXELS} are read"
                )
            yield picture, orientation
    except MissingFrameError:
        raise
    except FileNotFoundError:
        raise MissingFrameError(f"{path}: is missing (check the folder with 'skyreid data verify')") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise MissingFrameError(f"{path}: has more than {MAX_PIXELS} pixels; no more are read") from error
    except Exception as error:  # Pillow raises whatever its decoders meet in a damaged file
        # Pillow would name the object in memory that it read from.
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "it is none of these, or cut off" if unknown else str(error) or type(error).__name__
        raise MissingFrameError(f"{path}: cannot be read as {', '.join(FORMATS)}: {reason}") from error


_CHUNK = 256
"""Pictures per task: a task per picture would cost more memory than the pictures' names."""
_Picture = TypeVar("_Picture")
_Found = TypeVar("_Found")


def sweep_pictures(
    pictures: Sequence[_Picture], look: Callable[[_Picture], _Found], *, task: str, progress: Progress
) -> list[_Found]:
    """Apply `look` to every picture, in threads (decoding and hashing release the interpreter); keeps the order.

    Args:
        pictures: paths or frames.
        look: what is done with each.
        task: name of the work, for `progress`.
        progress: told after every chunk.
    """

    def look_at(start: int) -> list[_Found]:
        return [look(picture) for picture in pictures[start : start + _CHUNK]]

    found: list[_Found] = []
    executor = ThreadPoolExecutor()
    try:
        for chunk in executor.map(look_at, range(0, len(pictures), _CHUNK)):
            found += chunk
            progress(task, len(found), len(pictures))
    finally:
        # After an error or Ctrl-C the pictures still waiting are of no use to anybody.
        executor.shutdown(cancel_futures=True)
    return found
