"""Video to frames, decoded in a child process that a hostile file may kill without harm to the caller.

Decoders are large C libraries that read files from strangers. So none of them runs here: every call
starts one child (`decode_child.py`) with limits on memory, processor time, open files and silence, and
reads RGB from a pipe. The child is a program of its own, not a `multiprocessing` spawn: it needs nothing
of the caller (no second import of its main module, no inherited locks), and a pipe, unlike shared memory,
leaves nothing behind when either side is killed. What it says is checked like the file itself.
"""

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from io import RawIOBase
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from jaxtyping import UInt8

from skyreid.errors import VideoError
from skyreid.processes.limits import OUT_OF_MEMORY, OUT_OF_TIME

PIPE_BYTES = 2**20
"""A frame is megabytes; the usual pipe of 64 KiB would switch processes a hundred times for each."""
MAX_MESSAGE_BYTES = 2**16
_OUT_OF_TIME_SIGNALS = {getattr(signal, name, None) for name in ("SIGXCPU", "SIGKILL")} - {None}
"""None of them on Windows."""
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""Of a stream, such as rtsp://; a path has made one stroke of two, and a drive of Windows has one letter."""
USUAL_FRAME_RATE = 25.0
"""For files that do not tell theirs; nothing but the size of steps and holes depends on it."""


@dataclass(frozen=True, kw_only=True)
class DecodeLimits:
    """What one decoding process may use; beyond it, the file is refused with a VideoError."""

    max_pixels: int = 8192 * 4320
    """Pixels of one frame."""
    memory_bytes: int = 2 * 2**30
    """Address space of the process (RLIMIT_AS)."""
    cpu_s: int = 4 * 3600
    """Processor seconds for one pass over the file (RLIMIT_CPU)."""
    idle_s: float = 60.0
    """Wall seconds without one more decoded frame."""
    take_damaged: bool = False
    """Take what decodes of a damaged or cut file, and tell what is missing (`FilmEnd.damage`), instead of refusing."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0 and not isinstance(value, bool):
                raise ValueError(f"DecodeLimits.{name} must be positive; got {value}")


DEFAULT_LIMITS = DecodeLimits()


@dataclass(frozen=True, kw_only=True)
class VideoFacts:
    """What is known of a video once its first frame is decoded."""

    codec: str
    width: int
    height: int
    """Pixels as shown, that is after the turn that the file asks for."""
    duration_s: float | None
    """As the header promises; None where it does not."""
    frame_rate: float | None
    """Frames a second on average, as the header says."""
    num_frames: int | None
    """As the header says; None where it does not."""
    stream_taken: str | None = None
    """Which stream is the film and which are not, in words; None where there is only one."""
    has_streams_beside: bool = False
    """Whether there are streams of subtitles or data."""


@dataclass(frozen=True, kw_only=True)
class FilmEnd:
    """What is known of a video once its last frame is decoded."""

    num_frames: int
    """That were decoded."""
    end_s: float
    """When the last of them ends, after the first one began."""
    num_holes: int
    """How often the time stamps jump ahead."""
    holes: tuple[tuple[int, float, float], ...]
    """The first of them: the frame after it, its time, and the seconds from the frame before."""
    damage: str | None = None
    """What is damaged or missing, where that was to be taken (`DecodeLimits.take_damaged`); None = nothing."""

    def holes_in_words(self) -> str | None:
        """Where time jumps, for people; None where it does not."""
        if not self.num_holes:
            return None
        told = ", ".join(f"by {by_s:.2f} s to frame {index} at {at_s:.2f} s" for index, at_s, by_s in self.holes)
        more = f" and {self.num_holes - len(self.holes)} more" if self.num_holes > len(self.holes) else ""
        return f"time stamps jump ahead {told}{more}"


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One decoded frame."""

    index: int
    """Its number among all decoded frames, from 0."""
    time_s: float
    """Presentation time after the first frame."""
    pixels: UInt8[np.ndarray, "height width 3"]
    """RGB, upright."""


@dataclass(frozen=True, slots=True)
class DataPacket:
    """What stands beside the film at one time: a subtitle, or a record of telemetry."""

    stream: int
    of: str
    """`subtitle` or `data`."""
    codec: str
    """Or what the file calls the stream, where the codec has no name."""
    time_s: float
    """After the first frame."""
    content: bytes


def probe(path: Path, *, limits: DecodeLimits = DEFAULT_LIMITS) -> VideoFacts:
    """Decode the first frame and tell what the file holds.

    Raises:
        VideoError: the file is missing, empty, no video, or beyond the limits.
    """
    with closing(_parts(path, limits, first_only=True)) as parts:
        for part in parts:
            if isinstance(part, VideoFacts):
                return part
    raise VideoError(f"{path}: the decoding process did not tell what it saw")


def frames(
    path: Path,
    *,
    interval_s: float | Fraction | None = None,
    max_side: int | None = None,
    limits: DecodeLimits = DEFAULT_LIMITS,
    at_end: Callable[[FilmEnd], None] | None = None,
) -> Generator[VideoFrame]:
    """Decode every frame and hand over those that are asked for, in presentation order.

    A file that is damaged, or ends before its header promises, gives the frames before that point and
    then raises; formats without a promise (MPEG transport streams) cannot tell. With `limits.take_damaged` it goes on
    with the next whole picture, if there is one, and `at_end` is told. Leaving the loop early ends the child.

    Args:
        path: a local file, or a folder of pictures (`building.video.picture_folder`).
        interval_s: hand over the first frame at or after each multiple of this many seconds; None = all.
            Times count from the first frame, so a variable rate is sampled evenly. Exact for decimal
            numbers and fractions: the frames of 0.5 are among those of 0.1.
        max_side: scale the longer side down to this many pixels; None = as it is.
        limits: for the child.
        at_end: told once, when the last frame was decoded; never when the loop is left before.

    Raises:
        VideoError: the file is missing, empty, no video, damaged, cut, turned by other than quarter turns, goes
            back in time, or is beyond the limits.

    Source: paper section 3.1 (one frame every 0.5 seconds).
    """
    interval = None if interval_s is None else Fraction(str(interval_s))
    if interval is not None and interval <= 0:
        raise ValueError(f"interval_s must be positive; got {interval_s}")
    with closing(_parts(path, limits, interval=interval, max_side=max_side)) as parts:
        for part in parts:
            if isinstance(part, VideoFrame):
                yield part
            elif isinstance(part, FilmEnd) and at_end is not None:
                at_end(part)


def data_packets(path: Path, *, limits: DecodeLimits = DEFAULT_LIMITS) -> Generator[DataPacket]:
    """Hand over what the subtitle and data streams of a video hold, in the order of the file.

    Raises:
        VideoError: the file is missing, empty, no video, or beyond the limits.
    """
    with closing(_parts(path, limits, streams_beside=True)) as parts:
        yield from (part for part in parts if isinstance(part, DataPacket))


def _parts(
    path: Path,
    limits: DecodeLimits,
    *,
    first_only: bool = False,
    streams_beside: bool = False,
    interval: Fraction | None = None,
    max_side: int | None = None,
) -> Generator[VideoFacts | VideoFrame | DataPacket | FilmEnd]:
    """Run one child and hand over what it tells; whatever happens, nothing of it is left afterwards."""
    if not (path.is_file() or path.is_dir()):
        raise VideoError(f"{path}: {why_no_file(path)}")
    if path.is_file() and path.stat().st_size == 0:
        raise VideoError(f"{path}: is empty (0 bytes)")
    request = {
        "path": str(path.resolve()),
        "first_only": first_only,
        "streams_beside": streams_beside,
        "interval": None if interval is None else str(interval),
        "max_side": max_side,
        "take_damaged": limits.take_damaged,
        "max_pixels": limits.max_pixels,
        "memory_bytes": limits.memory_bytes,
        "cpu_s": limits.cpu_s,
    }
    process = subprocess.Popen(
        # -P: no module is taken from the folder that the caller happens to stand in.
        [sys.executable, "-P", "-m", "skyreid.building.video.decode_child", json.dumps(request)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        pipesize=PIPE_BYTES,
    )
    assert process.stdout is not None
    pipe = _Pipe(process, limits.idle_s)
    try:
        while True:
            size = int.from_bytes(pipe.read(4), "big")
            if size > MAX_MESSAGE_BYTES:
                raise LookupError(f"a message of {size} bytes")
            message = json.loads(pipe.read(size))
            match message["kind"]:
                case "facts":
                    yield _facts(message)
                case "frame":
                    yield _frame(message, pipe, limits)
                case "packet":
                    yield _packet(message, pipe)
                case "error":
                    raise VideoError(f"{path}: {message['message']}")
                case "end":
                    if not first_only:
                        yield _end(message)
                    return
                case "beat":
                    pass
                case other:
                    raise LookupError(f"a message of kind {other!r}")
    except VideoError:
        raise
    except EOFError:
        raise VideoError(f"{path}: {_death(process, limits)}") from None
    except TimeoutError:
        raise VideoError(f"{path}: gave no frame for {limits.idle_s:g} s (DecodeLimits.idle_s)") from None
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise VideoError(f"{path}: the decoding process talks nonsense: {error!r}") from error
    finally:
        pipe.close()
        process.kill()
        process.wait()
        process.stdout.close()


def why_no_file(path: Path) -> str:
    """Say what is wrong with a path at which no video lies."""
    if path.exists():
        return "is not a file"
    if _ADDRESS.match(str(path)):
        return "is an address; record it first, and name the file: ffmpeg -i ADDRESS -c copy -t SECONDS gate.mkv"
    return "there is no such file"


class _Pipe:
    """What a child writes; one that is silent for too long is ended, whatever it is at.

    A thread looks on, since not every system can wait for a pipe and a clock at once.
    """

    def __init__(self, process: subprocess.Popen[bytes], idle_s: float) -> None:
        self._process, self._idle_s = process, idle_s
        self._waiting_since: float | None = None
        self._was_ended = False
        self._is_closed = threading.Event()
        threading.Thread(target=self._look_on, daemon=True).start()

    def read(self, size: int) -> bytearray:
        """Read so many bytes.

        Raises:
            EOFError: the child left.
            TimeoutError: it was silent, and was ended.
        """
        assert isinstance(self._process.stdout, RawIOBase)
        buffer = bytearray(size)
        rest = memoryview(buffer)
        while rest:
            self._waiting_since = monotonic()
            received = self._process.stdout.readinto(rest)
            self._waiting_since = None
            if not received:
                raise TimeoutError if self._was_ended else EOFError
            rest = rest[received:]
        return buffer

    def close(self) -> None:
        self._is_closed.set()

    def _look_on(self) -> None:
        while not self._is_closed.wait(min(self._idle_s / 4, 1.0)):
            since = self._waiting_since
            if since is not None and monotonic() - since > self._idle_s:
                self._was_ended = True
                self._process.kill()
                return


def _facts(message: dict[str, Any]) -> VideoFacts:
    width, height = int(message["width"]), int(message["height"])
    if message["shown"][0]:
        width, height = height, width
    return VideoFacts(
        codec=str(message["codec"]),
        width=width,
        height=height,
        duration_s=None if message["duration_s"] is None else float(message["duration_s"]),
        frame_rate=None if message["frame_rate"] is None else float(message["frame_rate"]),
        num_frames=None if message["num_frames"] is None else int(message["num_frames"]),
        stream_taken=None if message["stream_taken"] is None else str(message["stream_taken"]),
        has_streams_beside=bool(message["has_streams_beside"]),
    )


def _end(message: dict[str, Any]) -> FilmEnd:
    return FilmEnd(
        num_frames=int(message["num_frames"]),
        end_s=float(message["end_s"]),
        num_holes=int(message["num_holes"]),
        holes=tuple((int(index), float(at_s), float(by_s)) for index, at_s, by_s in message["holes"]),
        damage=None if message.get("damage") is None else str(message["damage"]),
    )


def _frame(message: dict[str, Any], pipe: _Pipe, limits: DecodeLimits) -> VideoFrame:
    width, height = int(message["width"]), int(message["height"])
    if min(width, height) < 1 or width * height > limits.max_pixels:
        raise LookupError(f"a frame of {width}x{height}")
    pixels = np.frombuffer(pipe.read(height * width * 3), np.uint8)
    shown = pixels.reshape(height, width, 3)
    # Phones and drones ask for it instead of turning the pixels.
    is_transposed, is_mirrored, is_upside_down = message["shown"]
    if is_transposed:
        shown = shown.swapaxes(0, 1)
    shown = shown[:: -1 if is_upside_down else 1, :: -1 if is_mirrored else 1]
    return VideoFrame(int(message["index"]), float(message["time_s"]), np.ascontiguousarray(shown))


def _packet(message: dict[str, Any], pipe: _Pipe) -> DataPacket:
    size = int(message["size"])
    if not 0 < size <= MAX_MESSAGE_BYTES:
        raise LookupError(f"a packet of {size} bytes")
    content = bytes(pipe.read(size))
    return DataPacket(
        int(message["stream"]), str(message["of"]), str(message["codec"]), float(message["time_s"]), content
    )


def _death(process: subprocess.Popen[bytes], limits: DecodeLimits) -> str:
    """Why a child went without a word."""
    try:
        status = process.wait(limits.idle_s)
    except subprocess.TimeoutExpired:
        return "the decoding process closed its pipe and stayed"
    if status == OUT_OF_MEMORY:
        return f"decoding needs more than {limits.memory_bytes // 2**20} MiB (DecodeLimits.memory_bytes)"
    if status == OUT_OF_TIME or -status in _OUT_OF_TIME_SIGNALS:
        return f"took more than {limits.cpu_s} processor seconds (DecodeLimits.cpu_s)"
    if status < 0:
        return f"crashed the decoder ({signal.Signals(-status).name})"
    return f"the decoding process left with status {status}"
