"""The decoding process: only it imports the video decoder, and it never runs in the caller.

`decode.py` starts it as `python -P -m skyreid.building.video.decode_child REQUEST`. It lowers its own rights
first, then opens the file, and tells on standard output what it sees: messages of a 4-byte big-endian
length and JSON; a `frame` message is followed by height x width x 3 bytes of RGB. It imports no
numpy, so that its address space is the decoder's alone.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, TypedDict

from skyreid.building.video.end_mark import missing_mark
from skyreid.building.video.no_video import what_it_is
from skyreid.building.video.shown_stream import COUNTED_PACKETS, RefusedError, as_shown, shown_stream
from skyreid.processes.limits import lower_rights

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.error import FFmpegError
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


CONTAINERS = "asf,avi,flv,gif,h264,hevc,ivf,matroska,mov,mpeg,mpegts,mxf,ogg"
"""Formats that hold their own pictures. Playlists (hls, concat, dash, sdp) would open further files."""
SHORTFALL_S = 0.5
"""A file that ends this much earlier than its header promises was cut."""
HOLE_S, HOLE_STEPS = 0.5, 4
"""A time stamp that lies further ahead than both of these many seconds and usual steps jumps."""
TOLD_HOLES = 5
STATE_LENGTH = ("matroska,webm", "flv", "asf")
"""Formats whose header tells the length of the longest stream; elsewhere it is an estimate."""

BESIDE = ("subtitle", "data")
"""Kinds of streams that telemetry stands in."""
MOST_PACKET_BYTES = 2**16
"""Of a subtitle or a record of telemetry; those that are known have a hundredth of it."""


class Request(TypedDict):
    """What the caller asks for, as JSON on the command line."""

    path: str
    first_only: bool
    """Stop after the first frame."""
    streams_beside: bool
    """Send what subtitle and data streams hold instead of frames."""
    interval: str | None
    """Seconds as a fraction such as "1/2": send the first frame at or after each multiple of it."""
    max_side: int | None
    """Scale the longer side of what is sent down to this."""
    take_damaged: bool
    """Go on with the next whole picture, and tell at the end what is damaged or missing."""
    max_pixels: int
    memory_bytes: int
    cpu_s: int


Message: TypeAlias = tuple[str, dict[str, object], bytes | memoryview]


def main() -> None:
    """Serve one request and leave."""
    request: Request = json.loads(sys.argv[1])
    pipe = sys.stdout.buffer
    try:
        lower_rights(memory_bytes=request["memory_bytes"], cpu_s=request["cpu_s"], open_files=32)
        if Path(request["path"]).is_dir():
            messages = _folder_messages(request)
        else:
            messages = _packet_messages(request) if request["streams_beside"] else _messages(request)
        for message in messages:
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


def _send(pipe: BinaryIO, kind: str, fields: dict[str, object], pixels: bytes | memoryview = b"") -> None:
    message = json.dumps({"kind": kind, **fields}).encode()
    pipe.write(len(message).to_bytes(4, "big") + message)
    pipe.write(pixels)
    pipe.flush()


def _messages(request: Request) -> Iterator[Message]:
    container, stream, streams_told = _open(request)
    with container:
        film = _Film(container, stream, request["max_pixels"], take_damaged=request["take_damaged"])
        promised_s = _promised_s(container, stream)
        is_asked_for = _sampler(request["interval"])
        index = -1
        try:
            for index, time_s, frame in film.frames():
                if index == 0:
                    facts = _facts(stream, frame, promised_s)
                    beside = any(one.type in BESIDE for one in container.streams)
                    told = {"shown": film.shown, "stream_taken": streams_told, "has_streams_beside": beside}
                    yield "facts", {**facts, **told}, b""
                    if request["first_only"]:
                        return
                if is_asked_for(index, time_s):
                    yield _picture(index, time_s, frame, film.shown, request["max_side"])
                else:
                    yield "beat", {}, b""  # still alive; the caller watches the clock
            if index < 0:
                raise RefusedError("holds a video stream without a single frame")
            if lost := film.missing_end(promised_s) or missing_mark(request["path"], container.format.name):
                raise RefusedError(
                    f"is cut: {lost}, its {index + 1} pictures end after {float(film.end_s):.2f} s; "
                    "re-mux it (ffmpeg -i IN -c copy OUT) to accept what is left"
                )
        except RefusedError as refusal:
            if index < 0 or not request["take_damaged"]:
                raise
            film.damage.append(str(refusal).partition("; ")[0])  # without the remedy
    holes = film.holes()
    told = {"num_holes": len(holes), "holes": holes[:TOLD_HOLES], "damage": "; ".join(film.damage_told()) or None}
    yield "end", {"num_frames": index + 1, "end_s": float(film.end_s), **told}, b""


def _packet_messages(request: Request) -> Iterator[Message]:
    """What stands beside the film in subtitle and data streams, with the time after the film's first frame."""
    container, film, _ = _open(request)
    with container:
        start_s = (film.start_time or 0) * (film.time_base or Fraction(0))
        for number, packet in enumerate(container.demux()):
            stream = packet.stream
            is_wanted = stream.type in BESIDE and 0 < packet.size <= MOST_PACKET_BYTES
            if is_wanted and packet.pts is not None and packet.time_base is not None:
                time_s = float(packet.pts * packet.time_base - start_s)
                # FFmpeg has no codec for every kind of data.
                named = stream.name or stream.metadata.get("handler_name", "unknown")
                fields = {"stream": stream.index, "of": str(stream.type), "codec": str(named), "time_s": time_s}
                yield "packet", {**fields, "size": packet.size}, bytes(packet)
            elif number % COUNTED_PACKETS == 0:
                yield "beat", {}, b""
        promised_s = _promised_s(container, film)
    yield "end", {"num_frames": 0, "end_s": float(promised_s or 0), "num_holes": 0, "holes": ()}, b""


def _folder_messages(request: Request) -> Iterator[Message]:
    """A folder of pictures, told as a film is."""
    from skyreid.building.video.picture_folder import PictureFolder
    from skyreid.errors import SkyreidError

    is_asked_for = _sampler(request["interval"])
    try:
        folder = PictureFolder.open(Path(request["path"]))
        if folder.width * folder.height > request["max_pixels"]:
            raise RefusedError(
                f"has pictures of {folder.width}x{folder.height} pixels; "
                f"at most {request['max_pixels']} are decoded (DecodeLimits.max_pixels)"
            )
        yield "facts", folder.facts(), b""
        if request["first_only"]:
            return
        lost: list[str] = []
        for index, time_s in enumerate(folder.times_s):
            if is_asked_for(index, time_s):
                try:
                    picture = folder.picture(index, max_side=request["max_side"])
                except SkyreidError as error:
                    if not request["take_damaged"]:
                        raise
                    lost.append(str(error))
                    continue
                size = {"width": picture.width, "height": picture.height, "shown": (False, False, False)}
                yield "frame", {"index": index, "time_s": float(time_s), **size}, picture.tobytes()
        damage = f"{_passed_over(len(lost))} ({lost[0]})" if lost else None
        end = {"num_frames": len(folder.times_s), "end_s": folder.end_s, "num_holes": 0, "holes": ()}
        yield "end", {**end, "damage": damage}, b""
    except SkyreidError as error:
        raise RefusedError(str(error)) from error


def _sampler(interval: str | None) -> Callable[[int, Fraction], bool]:
    """Tell of each frame, by its number and time, whether it is the first at or after a multiple of the interval."""
    step_s = None if interval is None else Fraction(interval)
    last_tick = -1

    def is_asked_for(index: int, time_s: Fraction) -> bool:
        nonlocal last_tick
        before, last_tick = last_tick, index if step_s is None else int(time_s / step_s)
        return last_tick != before

    return is_asked_for


def _open(request: Request) -> "tuple[InputContainer, VideoStream, str | None]":
    """Open the file and take the stream that players show; the third says which, where there are several."""
    # Here, after the limits, so that they also hold for what the library does when it loads.
    import av
    from av.error import FFmpegError

    try:
        container = av.open(
            f"file:{request['path']}",
            options={"protocol_whitelist": "file", "format_whitelist": CONTAINERS},
            metadata_errors="ignore",  # titles that are not UTF-8 are no reason to refuse the pictures
        )
    except FFmpegError as error:
        refusal = _refusal("is not a video that can be decoded", error)
        if isinstance(refusal, RefusedError) and (told := what_it_is(Path(request["path"]))):
            refusal = RefusedError(f"{refusal}; {told}")
        raise refusal from error
    stream, told = shown_stream(container)
    context = stream.codec_context
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
    return container, stream, told


@dataclass
class _Film:
    """One pass over the pictures of a stream, and what was noticed on the way."""

    container: "InputContainer"
    stream: "VideoStream"
    max_pixels: int
    take_damaged: bool = False
    damage: list[str] = field(default_factory=list)
    """What is damaged or missing, where that is taken."""
    shown: tuple[bool, bool, bool] = (False, False, False)
    """How the file asks to be shown: rows and columns exchanged, then mirrored left to right, then upside down."""
    end_s: Fraction = Fraction(0)
    """When the last picture ends, after the first one began."""
    last_packet_s: Fraction = Fraction(0)
    """When the last packet of any stream ends, by the file's own clock."""
    _steps: Counter[int] = field(default_factory=Counter)
    """How often each step from frame to frame was seen, in milliseconds."""
    _longest: list[tuple[Fraction, int, Fraction]] = field(default_factory=list)
    """Steps of at least HOLE_S, with the frame after them and its time."""
    _num_passed_over: int = 0

    def frames(self) -> "Iterator[tuple[int, Fraction, VideoFrame]]":
        """Every frame with its number and its time after the first, in presentation order."""
        from av.error import ArgumentError, FFmpegError

        size = (0, 0)
        first_s = last_s = step_s = Fraction(0)
        index, rotation = -1, 0
        try:
            for frame in self._decoded():
                time_s = self._time_s(frame, last_s, step_s)
                if self.take_damaged and index >= 0 and time_s < last_s:  # damage exchanges the order, too
                    self._num_passed_over += 1
                    continue
                index += 1
                if frame.is_corrupt:
                    raise RefusedError(f"is damaged at frame {index}; re-encode it (ffmpeg -i IN OUT) to accept that")
                if index == 0:
                    size, first_s, last_s = (frame.width, frame.height), time_s, time_s
                    # Once: a frame that was asked for its side data is a circle, and stays in memory for long.
                    self.shown, rotation = as_shown(frame), frame.rotation
                if (frame.width, frame.height) != size:
                    now = (frame.width, frame.height)
                    raise RefusedError(f"changes its frame size from {size} to {now} at frame {index}; cut it there")
                if frame.rotation != rotation:
                    raise RefusedError(f"changes how it asks to be turned at frame {index}; cut it there")
                step_s, last_s = time_s - last_s, time_s
                if step_s < 0:
                    raise RefusedError(
                        f"goes back in time by {-float(step_s):.3f} s at frame {index}, "
                        f"{float(time_s - step_s - first_s):.3f} s after its start; re-encode it (ffmpeg -i IN OUT)"
                    )
                self._note(index, time_s - first_s, step_s, frame)
                yield index, time_s - first_s, frame
        except FFmpegError as error:
            if index < 0 and isinstance(error, ArgumentError):  # what the decoder says of max_pixels, too
                what = f"is damaged, or has frames of more than {self.max_pixels} pixels (DecodeLimits.max_pixels)"
                raise RefusedError(what) from error
            raise _refusal(f"is damaged or cut after {index + 1} frames", error) from error

    def holes(self) -> list[tuple[int, float, float]]:
        """Where time jumps ahead: the frame after it, when that is shown, and by how many seconds."""
        seen, usual_ms = 0, 0
        for usual_ms in sorted(self._steps):
            seen += self._steps[usual_ms]
            if 2 * seen >= self._steps.total():
                break
        return [
            (index, float(time_s), float(step_s))
            for step_s, index, time_s in self._longest
            if step_s * 1000 > HOLE_STEPS * usual_ms
        ]

    def missing_end(self, promised_s: Fraction | None) -> str | None:
        """What the header promises and the file, read to its end, does not hold."""
        whole_s = Fraction(self.container.duration or 0, 1_000_000)
        if promised_s is not None:
            is_short = self.end_s + Fraction(SHORTFALL_S) < promised_s
        else:
            promised_s = whole_s
            is_stated = self.container.format.name in STATE_LENGTH
            is_short = is_stated and self.last_packet_s + Fraction(SHORTFALL_S) < whole_s
        return f"its header promises {float(promised_s):.2f} s" if is_short else None

    def damage_told(self) -> list[str]:
        """What is damaged or missing, in words."""
        return [*([_passed_over(self._num_passed_over)] if self._num_passed_over else []), *self.damage]

    def _decoded(self) -> "Iterator[VideoFrame]":
        is_broken = False
        for packet in self.container.demux():  # all streams: where one ends is known only by its last packet
            if packet.pts is not None and packet.time_base is not None:
                end_s = (packet.pts + (packet.duration or 0)) * packet.time_base
                self.last_packet_s = max(self.last_packet_s, end_s)
            if packet.stream.index != self.stream.index:
                continue
            if not self.take_damaged:
                yield from packet.decode()  # type: ignore[misc]
                continue
            decoded = self._decoded_if_whole(packet)
            is_broken = is_broken or decoded is None
            for frame in decoded or ():
                # Until a picture that needs no other one, those that follow a damaged one are damaged too.
                is_broken = frame.is_corrupt or (is_broken and not frame.key_frame)
                self._num_passed_over += is_broken
                if not is_broken:
                    yield frame

    def _decoded_if_whole(self, packet: "Packet") -> "list[VideoFrame] | None":
        from av.error import FFmpegError

        try:
            return packet.decode()  # type: ignore[return-value]
        except MemoryError:
            raise
        except FFmpegError:
            self._num_passed_over += 1
            return None

    def _time_s(self, frame: "VideoFrame", last_s: Fraction, step_s: Fraction) -> Fraction:
        # AVI stores the order of decoding only, and what stands in pts there is wrong for B-frames.
        ticks = frame.dts if self.container.format.name == "avi" else frame.pts
        if ticks is not None and frame.time_base is not None:
            return ticks * frame.time_base
        if not self.stream.average_rate:
            raise RefusedError("has neither times nor a frame rate; re-mux it (ffmpeg -r RATE -i IN -c copy OUT)")
        return last_s + (step_s or 1 / Fraction(self.stream.average_rate))

    def _note(self, index: int, time_s: Fraction, step_s: Fraction, frame: "VideoFrame") -> None:
        shown_s = (frame.duration or 0) * (frame.time_base or 0)
        self.end_s = time_s + max(step_s, shown_s)
        if index == 0:
            return
        self._steps[round(step_s * 1000)] += 1
        if step_s > Fraction(HOLE_S):
            self._longest.append((step_s, index, time_s))


def _passed_over(number: int) -> str:
    return f"{number} damaged picture{'s' * (number != 1)} passed over"


def _refusal(what: str, error: "FFmpegError") -> Exception:
    if isinstance(error, MemoryError):
        return MemoryError()
    return RefusedError(f"{what} ({error.strerror})")


def _promised_s(container: "InputContainer", stream: "VideoStream") -> Fraction | None:
    """How long the pictures last by the header, where it tells of the pictures and not of the sound."""
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        # Of a cut AVI the library tells the length of what is left; empty frames count, as they do in dts.
        return stream.frames / Fraction(stream.average_rate)
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
        "duration_s": None if promised_s is None else float(promised_s),
        "frame_rate": None if not stream.average_rate else float(stream.average_rate),
        "num_frames": _shown_frames(stream, promised_s),
    }


def _shown_frames(stream: "VideoStream", promised_s: Fraction | None) -> int | None:
    """How many frames are shown by the header; None where it does not tell.

    It counts those too that an edit list hides, as of a film that was cut without a new encoding.
    """
    if promised_s is not None and stream.average_rate and promised_s * stream.average_rate < stream.frames - 1:
        return None
    return stream.frames or None


def _picture(
    index: int, time_s: Fraction, frame: "VideoFrame", shown: tuple[bool, bool, bool], max_side: int | None
) -> Message:
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
    fields = {"index": index, "time_s": float(time_s), "width": width, "height": height, "shown": shown}
    return "frame", fields, pixels


if __name__ == "__main__":
    main()
