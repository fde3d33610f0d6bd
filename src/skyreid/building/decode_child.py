"""The decoding process: the only file that imports the video decoder, and it never runs in the caller.

`decode.py` starts it as `python -P -m skyreid.building.decode_child REQUEST`. It lowers its own rights
first, then opens the file, and tells on standard output what it sees: messages of a 4-byte big-endian
length and JSON; a `frame` message is followed by height x width x 3 bytes of RGB. It imports nothing of
ours and no numpy, so that its address space is the decoder's alone.
"""

import json
import re
import resource
import sys
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, TypedDict

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.error import FFmpegError
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

CONTAINERS = "asf,avi,flv,gif,h264,hevc,ivf,matroska,mov,mpeg,mpegts,mxf,ogg"
"""Formats that hold their own pictures. Playlists (hls, concat, dash, sdp) would open further files."""
SHORTFALL_S = 0.5
"""A file that ends this much earlier than its header promises was cut."""


class Request(TypedDict):
    """What the caller asks for, as JSON on the command line."""

    path: str
    first_only: bool
    """Stop after the first frame."""
    interval: str | None
    """Seconds as a fraction such as "1/2": send the first frame at or after each multiple of it."""
    max_side: int | None
    """Scale the longer side of what is sent down to this."""
    max_pixels: int
    memory_bytes: int
    cpu_s: int


Message: TypeAlias = tuple[str, dict[str, object], bytes | memoryview]


class RefusedError(Exception):
    """What the caller reads after the file's name."""


def main() -> None:
    """Serve one request and leave."""
    request: Request = json.loads(sys.argv[1])
    pipe = sys.stdout.buffer
    try:
        _lower_rights(request)
        for message in _messages(request):
            _send(pipe, *message)
    except BrokenPipeError:
        return  # the caller went away
    except RefusedError as refusal:
        _send(pipe, "error", {"message": str(refusal)})
    except MemoryError:
        mib = request["memory_bytes"] // 2**20
        _send(pipe, "error", {"message": f"decoding needs more than {mib} MiB (DecodeLimits.memory_bytes)"})
    except Exception as error:  # whatever a hostile file provokes: the caller gets a sentence, not a silence
        _send(pipe, "error", {"message": f"the decoder failed: {type(error).__name__}: {error}"})


def _lower_rights(request: Request) -> None:
    for kind, soft, hard in (
        (resource.RLIMIT_AS, request["memory_bytes"], request["memory_bytes"]),
        (resource.RLIMIT_CPU, request["cpu_s"], request["cpu_s"] + 1),
        (resource.RLIMIT_NOFILE, 32, 32),
        (resource.RLIMIT_FSIZE, 0, 0),  # it may write to the pipe, and to no file
        (resource.RLIMIT_CORE, 0, 0),
    ):
        ceiling = resource.getrlimit(kind)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(kind, (soft, hard))


def _send(pipe: BinaryIO, kind: str, fields: dict[str, object], pixels: bytes | memoryview = b"") -> None:
    message = json.dumps({"kind": kind, **fields}).encode()
    pipe.write(len(message).to_bytes(4, "big") + message)
    pipe.write(pixels)
    pipe.flush()


def _messages(request: Request) -> Iterator[Message]:
    container, stream = _open(request)
    with container:
        promised_s = _promised_s(container, stream)
        interval = None if request["interval"] is None else Fraction(request["interval"])
        last_tick = -1
        last_s = end_s = Fraction(0)
        index = -1
        for index, time_s, frame in _decoded(container, stream, request["max_pixels"]):
            shown_s = (frame.duration or 0) * (frame.time_base or 0)
            end_s, last_s = time_s + max(time_s - last_s, shown_s), time_s
            if index == 0:
                yield "facts", _facts(stream, frame, promised_s), b""
                if request["first_only"]:
                    return
            tick = index if interval is None else int(time_s / interval)
            if tick == last_tick:
                yield "beat", {}, b""  # still alive; the caller watches the clock
                continue
            last_tick = tick
            yield _picture(index, time_s, frame, request["max_side"])
    if index < 0:
        raise RefusedError("holds a video stream without a single frame")
    if promised_s is not None and end_s + Fraction(SHORTFALL_S) < promised_s:
        raise RefusedError(
            f"is cut: its header promises {float(promised_s):.2f} s, its pictures end after {float(end_s):.2f} s; "
            "re-mux it (ffmpeg -i IN -c copy OUT) to accept what is left"
        )
    yield "end", {}, b""


def _open(request: Request) -> "tuple[InputContainer, VideoStream]":
    # Here, after the limits, so that they also hold for what the library does when it loads.
    import av
    from av.error import FFmpegError
    from av.stream import Disposition

    try:
        container = av.open(
            f"file:{request['path']}",
            options={"protocol_whitelist": "file", "format_whitelist": CONTAINERS},
            metadata_errors="ignore",  # titles that are not UTF-8 are no reason to refuse the pictures
        )
    except FFmpegError as error:
        raise _refusal("is not a video that can be decoded", error) from error
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        raise RefusedError(
            "holds no video stream (a recording that broke off before its index was written looks so too)"
        )
    context = streams[0].codec_context
    if context is None:
        raise RefusedError("holds a video stream of a kind that cannot be decoded here")
    if context.width * context.height > request["max_pixels"]:
        raise RefusedError(
            f"has frames of {context.width}x{context.height} = {context.width * context.height} pixels; "
            f"at most {request['max_pixels']} are decoded (DecodeLimits.max_pixels)"
        )
    context.options = {"max_pixels": str(request["max_pixels"])}
    # One thread: its memory then does not depend on the machine, and sources run beside each other anyway.
    context.thread_count = 1
    return container, streams[0]


def _decoded(
    container: "InputContainer", stream: "VideoStream", max_pixels: int
) -> "Iterator[tuple[int, Fraction, VideoFrame]]":
    """Every frame with its number and its time after the first, in presentation order."""
    from av.error import ArgumentError, FFmpegError

    size = (0, 0)
    first_s = last_s = step_s = Fraction(0)
    index = -1
    try:
        for index, frame in enumerate(container.decode(stream)):
            if frame.is_corrupt:
                raise RefusedError(f"is damaged at frame {index}; re-encode it (ffmpeg -i IN OUT) to accept that")
            if frame.rotation % 90:
                raise RefusedError(f"asks to be shown turned by {frame.rotation} degrees; only quarter turns are done")
            # AVI stores the order of decoding only, and what stands in pts there is wrong for B-frames.
            ticks = frame.dts if container.format.name == "avi" else frame.pts
            if ticks is not None and frame.time_base is not None:
                time_s = ticks * frame.time_base
            elif stream.average_rate:
                time_s = last_s + (step_s or 1 / Fraction(stream.average_rate))
            else:
                raise RefusedError("has neither times nor a frame rate; re-mux it (ffmpeg -r RATE -i IN -c copy OUT)")
            if index == 0:
                size, first_s, last_s = (frame.width, frame.height), time_s, time_s
            if (frame.width, frame.height) != size:
                now = (frame.width, frame.height)
                raise RefusedError(f"changes its frame size from {size} to {now} at frame {index}; cut it there")
            step_s, last_s = time_s - last_s, time_s
            if step_s < 0:
                raise RefusedError(
                    f"goes back in time by {-float(step_s):.3f} s at frame {index}; re-encode it (ffmpeg -i IN OUT)"
                )
            yield index, time_s - first_s, frame
    except FFmpegError as error:
        if index < 0 and isinstance(error, ArgumentError):  # what the decoder says of max_pixels, too
            what = f"is damaged, or has frames of more than {max_pixels} pixels (DecodeLimits.max_pixels)"
            raise RefusedError(what) from error
        raise _refusal(f"is damaged or cut after {index + 1} frames", error) from error


def _refusal(what: str, error: "FFmpegError") -> Exception:
    if isinstance(error, MemoryError):
        return MemoryError()
    return RefusedError(f"{what} ({error.strerror})")


def _promised_s(container: "InputContainer", stream: "VideoStream") -> Fraction | None:
    """How long the pictures last by the header, where it tells of the pictures and not of the sound."""
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    # Matroska tells the end instead: of each stream in a tag, of the longest one in the header.
    start_s = (stream.start_time or 0) * (stream.time_base or Fraction(0))
    if tag := re.fullmatch(r"(\d+):(\d\d):(\d\d\.\d+)", stream.metadata.get("DURATION", "")):
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + Fraction(tag[3]) - start_s
    if container.duration and len(container.streams) == 1:
        return Fraction(container.duration, 1_000_000) - start_s
    return None


def _facts(stream: "VideoStream", frame: "VideoFrame", promised_s: Fraction | None) -> dict[str, object]:
    return {
        "codec": stream.codec_context.name,
        "width": frame.width,
        "height": frame.height,
        "turn": frame.rotation,
        "duration_s": None if promised_s is None else float(promised_s),
        "frame_rate": None if not stream.average_rate else float(stream.average_rate),
        "num_frames": stream.frames or None,
    }


def _picture(index: int, time_s: Fraction, frame: "VideoFrame", max_side: int | None) -> Message:
    width, height = frame.width, frame.height
    if max_side is not None and max(width, height) > max_side:
        scale = max_side / max(width, height)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
    picture = frame.reformat(width, height, format="rgb24", interpolation="AREA")
    plane = picture.planes[0]
    pixels = memoryview(plane)
    row = width * 3
    if plane.line_size != row:  # the scaler pads its rows
        pixels = b"".join(pixels[start : start + row] for start in range(0, height * plane.line_size, plane.line_size))
    fields = {"index": index, "time_s": float(time_s), "width": width, "height": height, "turn": frame.rotation}
    return "frame", fields, pixels


if __name__ == "__main__":
    main()
