"""A graph from a stranger is a program, so it runs in a process of its own that may be ended.

It may loop for ever, ask for all the memory and name other files. One of our programs loads and runs it under limits;
nothing is believed here that comes back but arrays of bounded size. A program is started as
`python -P -m MODULE REQUEST` and lowers its own rights before it looks at the graph (`serve`). Both sides speak in
messages: a 4-byte length, JSON that lists arrays by name, type and shape, and then the arrays' bytes. Nothing is
pickled.
"""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np

from skyreid.errors import CheckpointError
from skyreid.files.regular_file import bytes_sha256, file_sha256
from skyreid.processes.limits import lower_rights

FEEDING = "skyreid.feeding"
"""Under this name a file that skyreid exported says how it wants to be fed, as `Feeding.to_text`."""
THREADS = 2
"""Of the child; decoding and tracking run beside it, and other sources perhaps too."""


@dataclass(frozen=True, kw_only=True)
class GraphLimits:
    """What the process of a graph may use; beyond it, the file is refused with a CheckpointError."""

    memory_bytes: int = 6 * 2**30
    """Address space of the process (RLIMIT_AS)."""
    call_s: float = 30.0
    """Wall seconds for loading the file, and for one picture."""


DEFAULT_LIMITS = GraphLimits()


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output, as the file promises it or as it came."""

    name: str
    type: str
    """As NumPy writes it, such as `float32`."""
    shape: tuple[int | None, ...]
    """None = open; no entry at all may also mean that the file does not tell."""

    def __str__(self) -> str:
        return f"{self.name} {self.type}[{', '.join('?' if side is None else str(side) for side in self.shape)}]"


class GraphFile:
    """A loaded file, ready to run on the CPU in a process of its own; it ends with this object.

    Args:
        program: module of ours that loads such files; it tells their `inputs`, `outputs` and files of `weights`.
        path: of the file.
        limits: of the process.

    Raises:
        CheckpointError: the file is missing, or the program refuses it, or it needs more than the limits.
    """

    def __init__(self, program: str, path: Path, limits: GraphLimits) -> None:
        if not path.is_file():
            raise CheckpointError(f"{path}: {'is not a file' if path.exists() else 'there is no such file'}")
        self.path = path
        self._graph = GraphProcess(program, path, limits)
        told = self._graph.told
        sums = [file_sha256(file) for file in (path, *told["weights"])]
        self.sha256 = sums[0] if len(sums) == 1 else bytes_sha256(" ".join(sums).encode())
        """Of the file and the files of weights that it names."""
        self.inputs = tuple(_port(*port) for port in told["inputs"])
        self.outputs = tuple(_port(*port) for port in told["outputs"])
        self.feeding: str | None = told.get(FEEDING)
        """What the file says of how it wants to be fed, if skyreid exported it; a stranger's word."""

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """Compute these outputs.

        Raises:
            CheckpointError: the graph cannot work with these inputs, or not within the limits.
        """
        _, arrays = self._graph.ask({"outputs": list(outputs)}, inputs)
        return [arrays[name] for name in outputs]


def _port(name: str, kind: str, shape: Sequence[object]) -> Port:
    return Port(name, kind, tuple(side if isinstance(side, int) and side > 0 else None for side in shape))


class GraphProcess:
    """A process that runs the graph of a file; it ends with this object.

    Args:
        program: module of ours that calls `serve`.
        path: of the file.
        limits: of the process.

    Raises:
        CheckpointError: the program refuses the file, or it needs more than the limits.
    """

    def __init__(self, program: str, path: Path, limits: GraphLimits = DEFAULT_LIMITS) -> None:
        self._path = path
        self._limits = limits
        request = {"path": str(path.absolute()), "memory_bytes": limits.memory_bytes, "threads": THREADS}
        self._process = subprocess.Popen(
            # -P: no module is taken from the folder that the caller happens to stand in.
            [sys.executable, "-P", "-m", program, json.dumps(request)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        weakref.finalize(self, _end, self._process)
        self.told, _ = self._answer()
        """What the program says of the graph."""

    def ask(
        self, told: Mapping[str, object], arrays: Mapping[str, np.ndarray]
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Send a message, and give the answer.

        Raises:
            CheckpointError: the graph cannot work with it, or not within the limits.
        """
        pipe = self._process.stdin
        assert pipe is not None
        with suppress(OSError):  # it went away; the answer says why
            _write_message(pipe, told, arrays)
        return self._answer()

    def _answer(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Read what the process says, and end it where it says nothing in time."""
        pipe = self._process.stdout
        assert pipe is not None
        patience = threading.Timer(self._limits.call_s, self._process.kill)
        patience.start()
        try:
            told, arrays = _read_message(pipe)
        except (EOFError, OSError):
            is_late = not patience.is_alive()
            _end(self._process)
            why = (
                f"took more than {self._limits.call_s:g} s (GraphLimits.call_s)"
                if is_late
                else f"crashed, or needs more than {self._limits.memory_bytes // 2**20} MiB (GraphLimits.memory_bytes)"
            )
            raise CheckpointError(f"{self._path}: the graph {why}") from None
        except (ValueError, LookupError, TypeError) as error:
            _end(self._process)
            raise CheckpointError(f"{self._path}: the process that runs it talks nonsense: {error}") from error
        finally:
            patience.cancel()
        if "error" in told:
            raise CheckpointError(f"{self._path}: {told['error']}")
        return told, arrays


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # what was not yet written is not wanted any more
                pipe.close()


# The program, in the process.
Answer: TypeAlias = tuple[Mapping[str, object], Mapping[str, np.ndarray]]
"""What a message holds."""
Compute: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, np.ndarray]], Answer]
OPEN_FILES = 64


class RefusedError(Exception):
    """What the caller reads after the file's name."""


def serve(load: Callable[[Mapping[str, Any]], tuple[Mapping[str, object], Compute]]) -> None:
    """Load a graph under limits, say what it is, then answer until the caller goes away.

    Args:
        load: what the program does with its request; gives what it tells of the graph, and what answers a message.
    """
    request = json.loads(sys.argv[1])
    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller hears of it, and ends this process
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        lower_rights(memory_bytes=request["memory_bytes"], cpu_s=None, open_files=OPEN_FILES)
        told, compute = load(request)
        _write_message(answers, told, {})
        while True:
            _write_message(answers, *compute(*_read_message(asked)))
    except (EOFError, BrokenPipeError):
        return
    except RefusedError as refusal:
        _write_message(answers, {"error": str(refusal)}, {})
    except Exception as error:  # whatever a hostile file provokes: the caller gets a sentence, not a silence
        _write_message(answers, {"error": f"cannot be loaded: {first_line(error)}"}, {})


def _end_with(parent: int) -> None:
    """Leave when the caller was killed: a graph in an endless loop would not notice."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def first_line(error: Exception) -> str:
    """What an error of a library says, in short."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


# Messages, which both sides speak.
KINDS = frozenset("biuf")
"""Of the numbers in an array that may be sent."""
MAX_JSON_BYTES = 2**20
MAX_ARRAY_BYTES = 2**30
"""Of one array that goes in or comes out; the largest frame that is decoded takes 0.4 GB as numbers."""


def _write_message(pipe: IO[bytes], told: Mapping[str, object], arrays: Mapping[str, np.ndarray]) -> None:
    """Send a JSON object and arrays in C order.

    Raises:
        OSError: the other side went away.
    """
    listed = [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()]
    head = json.dumps({**told, "arrays": listed}).encode()
    pipe.write(len(head).to_bytes(4, "big") + head)
    for array in arrays.values():
        pipe.write(array.tobytes())
    pipe.flush()


def _read_message(pipe: IO[bytes]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Receive what `_write_message` sent.

    Raises:
        EOFError: the other side went away.
        ValueError: what comes is no such message.
    """
    size = int.from_bytes(_exactly(pipe, 4), "big")
    if size > MAX_JSON_BYTES:
        raise ValueError(f"a message of {size} bytes")
    told = json.loads(_exactly(pipe, size))
    arrays = {}
    for name, kind, shape in told.pop("arrays"):
        dtype, sides = np.dtype(str(kind)), [int(side) for side in shape]
        if dtype.kind not in KINDS or min(sides, default=0) < 0 or dtype.itemsize * math.prod(sides) > MAX_ARRAY_BYTES:
            raise ValueError(f"an array of {kind} {shape}")
        content = _exactly(pipe, dtype.itemsize * math.prod(sides))
        arrays[str(name)] = np.frombuffer(content, dtype).reshape(sides)
    return told, arrays


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    content = pipe.read(size)
    if len(content) < size:
        raise EOFError
    return content
