"""The decoding process: the only file that imports the video decoder, and it never runs in the caller.

`decode.py` starts it as `python -P -m skyreid.building.decode_child REQUEST`. It lowers its own rights
first, then opens the file, and tells on standard output what it sees: messages of a 4-byte big-endian
length and JSON; a `frame` message is followed by height x width x 3 bytes of RGB. It imports nothing of
ours and no numpy, so that its address space is the decoder's alone.
"""

import json
import resource
import sys
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO, TypedDict

CONTAINERS = "asf,avi,flv,gif,h264,hevc,ivf,matroska,mov,mpeg,mpegts,mxf,ogg"
"""Formats that hold their own pictures. Playlists (hls, concat, dash, sdp) would open further files."""
SHORTFALL_S = 0.5
"""A file that ends this much earlier than its header promises was cut."""


class Request(TypedDict):
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


class Refusal(Exception):
    """What the caller reads after the file's name."""


def main() -> None:
    request: Request = json.loads(sys.argv[1])
    pipe = sys.stdout.buffer
    try:
        _lower_rights(request)
        for kind, fields, pixels in _messages(request):
            _send(pipe, kind, fields, pixels)
    except BrokenPipeError:
        sys.stdout = None  # the caller went away; nothing is left to flush to
    except MemoryError:
        mib = request["memory_bytes"] // 2**20
        _send(pipe, "error", {"message": f"decoding needs more than {mib} MiB (DecodeLimits.memory_bytes)"})
    except Refusal as refusal:
        _send(pipe, "error", {"message": str(refusal)})
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


def _messages(request: Request) -> Iterator[tuple[str, dict[str, object], bytes | memoryview]]:
    import av  # after the limits, so that they also hold for what the library does when it loads
    from av.error import FFmpegError

    try:
        container = av.open(
            f"file:{request['path']}",
            options={"protocol_whitelist": "file", "format_whitelist": CONTAINERS},
        )
    except FFmpegError as error:
        raise _refusal("is not a video that can be decoded", error) from error
    with container:
        pictures = [s for s in container.streams.video if "attached_pic" not in s.disposition.name.lower()]
        if not pictures:
            raise Refusal("holds no video stream")
        stream = pictures[0]
        # One thread: its memory does not depend on the machine, and sources run beside each other anyway.
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"max_pixels": str(request["max_pixels"])}
        _check_pixels(stream.codec_context.width, stream.codec_context.height, request["max_pixels"])
        rate = stream.average_rate or stream.guessed_rate
        promised_s = _promised_s(stream.duration, stream.time_base, container.duration, len(container.streams))
        interval = None if request["interval"] is None else Fraction(request["interval"])
        size: tuple[int, int] | None = None
        first_s = last_s = step_s = Fraction(0)
        last_tick = -1
        index = -1
        try:
            for index, frame in enumerate(container.decode(stream)):
                if frame.is_corrupt:
                    raise Refusal(f"is damaged at frame {index}; re-encode it (ffmpeg -i IN OUT) to accept the damage")
                time_s = _time(frame.pts, frame.time_base, index, rate)
                if index == 0:
                    size, first_s, last_s = (frame.width, frame.height), time_s, time_s
                    _check_pixels(*size, request["max_pixels"])
                    yield "facts", _facts(stream.codec_context.name, frame, promised_s, rate, stream.frames), b""
                    if request["first_only"]:
                        return
                if (frame.width, frame.height) != size:
                    raise Refusal(
                        f"changes its frame size from {size} to {(frame.width, frame.height)} at frame {index}; "
                        "cut it there"
                    )
                if time_s < last_s:
                    raise Refusal(
                        f"goes back in time at frame {index}, from {float(last_s):.3f} s to {float(time_s):.3f} s; "
                        "re-encode it (ffmpeg -i IN OUT)"
                    )
                step_s, last_s = time_s - last_s, time_s
                tick = index if interval is None else (time_s - first_s) // interval
                if tick == last_tick:
                    yield "beat", {}, b""  # still alive; the caller watches the clock
                    continue
                last_tick = tick
                picture = frame.reformat(
                    *_scaled(frame.width, frame.height, request["max_side"]), format="rgb24", interpolation="AREA"
                )
                fields = {
                    "index": index,
                    "time_s": float(time_s - first_s),
                    "width": picture.width,
                    "height": picture.height,
                    "turn": frame.rotation,
                }
                yield "frame", fields, _packed(picture.planes[0], picture.width, picture.height)
        except FFmpegError as error:
            raise _refusal(f"is damaged or cut after {index + 1} frames", error) from error
    if index < 0:
        raise Refusal("holds a video stream without a single frame")
    shown_s = last_s - first_s + step_s
    if promised_s is not None and shown_s + SHORTFALL_S < promised_s:
        raise Refusal(
            f"is cut: its header promises {float(promised_s):.2f} s, the pictures end after {float(shown_s):.2f} s; "
            "re-mux it (ffmpeg -i IN -c copy OUT) to accept what is left"
        )
    yield "end", {"frames": index + 1}, b""
