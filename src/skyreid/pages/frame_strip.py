"""A tracklet as one picture: some of its frames side by side, in time order."""

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from skyreid.datasets.data_hash import unchanged_picture
from skyreid.errors import MissingFrameError
from skyreid.files.object_store import is_object, several_at_once
from skyreid.tracklet import Frame, Tracklet

_GAP = 2
"""Pixels between two frames."""
_WIDEST = 1.4
"""Width of the widest frame as a share of the strip's height; a wider one is fitted in."""
MOST_ENLARGED = 3.0
"""Times that a crop is enlarged at most: more shows pixels that nobody filmed."""
_BACKGROUND = (128, 128, 128)
"""Seen in the gaps and around fitted frames; neutral on a light and on a dark page."""
_JPEG_QUALITY = 85


@dataclass(frozen=True, kw_only=True)
class FrameStrip:
    """A drawn strip, ready to be put into a page."""

    jpeg: bytes
    width: int
    height: int

    @property
    def data_uri(self) -> str:
        """The picture as an address that needs no file and no network."""
        return jpeg_uri(self.jpeg)


def draw_frame_strip(tracklet: Tracklet, *, height: int = 160, width: int = 240) -> FrameStrip:
    """Draw as many frames as fit side by side, spread over the whole tracklet, all at one height.

    A drone from above sees wide crops: it gets fewer, and each stays large.

    Args:
        tracklet: whose frames; no frame is shown twice.
        height: of the strip, in pixels.
        width: in pixels, to be filled but for the differences between the frames; one frame always fits.

    Raises:
        MissingFrameError: a frame that would be shown is missing or is no picture.
    """
    first = read_frame(tracklet.frames[0], tracklet, height)
    num_frames = max(1, (width + _GAP) // (first.width + _GAP))
    others = spread_frames(tracklet, num_frames)[1:]
    return _side_by_side([first, *_read_frames(others, tracklet, height)], height)


def join_frames(pictures: Sequence[Image.Image], *, height: int) -> FrameStrip:
    """Draw pictures side by side, all at one height, as far as they may be enlarged."""
    return _side_by_side([_scaled(picture, height) for picture in pictures], height)


def _side_by_side(pictures: Sequence[Image.Image], height: int) -> FrameStrip:
    drawn_width = sum(picture.width for picture in pictures) + _GAP * (len(pictures) - 1)
    strip = Image.new("RGB", (drawn_width, height), _BACKGROUND)
    left = 0
    for picture in pictures:
        strip.paste(picture, (left, (height - picture.height) // 2))
        left += picture.width + _GAP
    return FrameStrip(jpeg=as_jpeg(strip), width=drawn_width, height=height)


def draw_picture(picture: Image.Image, *, height: int = 160) -> FrameStrip:
    """Draw one picture at the height of a strip, as `draw_frame_strip` draws a frame."""
    drawn = _scaled(picture, height)
    return FrameStrip(jpeg=as_jpeg(drawn), width=drawn.width, height=drawn.height)


@dataclass(frozen=True, kw_only=True)
class Film:
    """Frames of a tracklet as cells of one size in one picture: shown one after the other, they play."""

    strip: FrameStrip
    cells: int


def draw_film(tracklet: Tracklet, *, cell: tuple[int, int] = (80, 144), most: int = 8) -> Film:
    """Draw frames spread over the whole tracklet, each fitted into a cell.

    Args:
        tracklet: whose frames; no frame is shown twice.
        cell: width and height in pixels.
        most: cells.

    Raises:
        MissingFrameError: a frame that would be shown is missing or is no picture.
    """
    shown = spread_frames(tracklet, most)
    width, height = cell
    picture = Image.new("RGB", (width * len(shown), height), _BACKGROUND)
    for place, read in enumerate(_read_frames(shown, tracklet, height)):
        read.thumbnail(cell)
        picture.paste(read, (place * width + (width - read.width) // 2, (height - read.height) // 2))
    return Film(strip=FrameStrip(jpeg=as_jpeg(picture), width=picture.width, height=height), cells=len(shown))


def spread_frames(tracklet: Tracklet, count: int) -> tuple[Frame, ...]:
    """The first frame of each of `count` equal parts, as the model samples them; all when there are fewer."""
    total = len(tracklet.frames)
    if total <= count:
        return tracklet.frames
    return tuple(tracklet.frames[part * total // count] for part in range(count))


def read_frame(frame: Frame, tracklet: Tracklet, height: int) -> Image.Image:
    """A frame in RGB, scaled to the height; one that is much wider than a person is fitted in, a tiny one stays low.

    Raises:
        MissingFrameError: the file is missing or is no picture; it names the tracklet.
        ChangedFrameError: it is another picture than the one that was listed.
    """
    try:
        picture = unchanged_picture(frame)
    except MissingFrameError as reason:
        raise MissingFrameError(f"tracklet {tracklet.tracklet_id}: frame {reason}") from None
    return _scaled(picture, height)


def _read_frames(frames: Sequence[Frame], tracklet: Tracklet, height: int) -> Iterator[Image.Image]:
    """Read frames as `read_frame` does; from an object store several at once, since each is a question to it."""

    def read(frame: Frame) -> Image.Image:
        return read_frame(frame, tracklet, height)

    if frames and is_object(frames[0].path):
        return several_at_once(read, frames)
    return map(read, frames)


def _scaled(picture: Image.Image, height: int) -> Image.Image:
    scale = min(height / picture.height, _WIDEST * height / picture.width, MOST_ENLARGED)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BICUBIC)


def as_jpeg(picture: Image.Image) -> bytes:
    """The picture as a small file."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def jpeg_uri(jpeg: bytes) -> str:
    """A picture as an address that needs no file and no network."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
