"""Which of a file's streams is the film, and how it asks to be shown; a part of the decoding process."""

import struct
import sys
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

COUNTED_PACKETS = 500
"""At the start of a file with several pictured streams, to tell stills from films where the header does not."""


class RefusedError(Exception):
    """What the caller reads after the file's name."""


def shown_stream(container: "InputContainer") -> "tuple[VideoStream, str | None]":
    """The film as players choose it: never a cover, a thumbnail or a still; by default flag, then by size."""
    from av.stream import Disposition

    never = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image | Disposition.dependent
    streams = [stream for stream in container.streams.video if not stream.disposition & never]
    if len(streams) > 1:
        numbers = _frame_numbers(container, streams)
        streams = [stream for stream in streams if numbers[stream.index] > 1] or streams
    if not streams:
        raise RefusedError(
            "holds no video stream (a recording that broke off before its index was written looks so too)"
        )

    def rank(stream: "VideoStream") -> tuple[bool, int, int]:
        return bool(stream.disposition & Disposition.default), _pixels(stream), -stream.index

    taken = max(streams, key=rank)
    others = [stream for stream in container.streams.video if stream is not taken]
    if not others:
        return taken, None
    marked = ", the default" if taken.disposition & Disposition.default else ""
    return taken, f"{_in_words(taken)}{marked}; not {', '.join(map(_in_words, others))}"


def _frame_numbers(container: "InputContainer", streams: "Sequence[VideoStream]") -> dict[int, int]:
    """How many frames each stream has: as the header says, else as many as are seen at the start of the file."""
    numbers = {stream.index: stream.frames for stream in streams}
    if all(numbers.values()):
        return numbers
    seen: Counter[int] = Counter()
    for place, packet in enumerate(container.demux()):
        seen[packet.stream.index] += packet.size > 0
        if place == COUNTED_PACKETS:
            break
    container.seek(0)
    return {index: number or seen[index] for index, number in numbers.items()}


def _pixels(stream: "VideoStream") -> int:
    context = stream.codec_context
    return 0 if context is None else context.width * context.height


def _in_words(stream: "VideoStream") -> str:
    context = stream.codec_context
    what = "of an unknown kind" if context is None else f"{context.name} {context.width}x{context.height}"
    return f"stream {stream.index} ({what})"


def as_shown(frame: "VideoFrame") -> tuple[bool, bool, bool]:
    """Read the display matrix: rows and columns exchanged, then mirrored left to right, then upside down.

    A pixel (x, y) is shown at (a x + c y, b x + d y), y downwards (libavutil/display.h). As ffmpeg does, lengths
    are ignored and a degree is forgiven.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, False, False
    a, b, _, c, d, *_ = struct.unpack("<9i" if sys.byteorder == "little" else ">9i", bytes(matrix))
    forgiven = 0.0175
    if a and d and abs(b) <= forgiven * abs(a) and abs(c) <= forgiven * abs(d):
        return False, a < 0, d < 0
    if b and c and abs(a) <= forgiven * abs(b) and abs(d) <= forgiven * abs(c):
        return True, c < 0, b < 0
    if (a, b, c, d) == (0, 0, 0, 0):  # written by some muxers for "as it is"
        return False, False, False
    raise RefusedError(
        f"asks to be shown turned by {frame.rotation % 360} degrees, or slanted "
        f"(display matrix {a / 65536:g} {b / 65536:g} {c / 65536:g} {d / 65536:g}); only quarter turns and mirrors "
        "are done; re-encode it (ffmpeg -i IN OUT)"
    )
