"""The process in which a stranger's graph runs: what its programs share. Its caller's side is `graph_process.py`.

A program is started as `python -P -m MODULE REQUEST` and lowers its own rights before it looks at the graph. Both sides
speak in messages: a 4-byte length, JSON that lists arrays by name, type and shape, and then the arrays' bytes. Nothing
is pickled.
"""

import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import IO, Any, TypeAlias

import numpy as np

from skyreid.process_limits import lower_rights

Answer: TypeAlias = tuple[Mapping[str, object], Mapping[str, np.ndarray]]
"""What a message holds."""
Compute: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, np.ndarray]], Answer]
KINDS = frozenset("biuf")
"""Of the numbers in an array that may be sent."""
MAX_JSON_BYTES = 2**20
MAX_ARRAY_BYTES = 2**30
"""Of one array that goes in or comes out; the largest frame that is decoded takes 0.4 GB as numbers."""
OPEN_FILES = 64


class RefusedError(Exception):
    """What the caller reads after the file's name."""


def write_message(pipe: IO[bytes], told: Mapping[str, object], arrays: Mapping[str, np.ndarray]) -> None:
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


def read_message(pipe: IO[bytes]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Receive what `write_message` sent.

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
        write_message(answers, told, {})
        while True:
            write_message(answers, *compute(*read_message(asked)))
    except (EOFError, BrokenPipeError):
        return
    except RefusedError as refusal:
        write_message(answers, {"error": str(refusal)}, {})
    except Exception as error:  # whatever a hostile file provokes: the caller gets a sentence, not a silence
        write_message(answers, {"error": f"cannot be loaded: {first_line(error)}"}, {})


def first_line(error: Exception) -> str:
    """What an error of a library says, in short."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    content = pipe.read(size)
    if len(content) < size:
        raise EOFError
    return content


def _end_with(parent: int) -> None:
    """Leave when the caller was killed: a graph in an endless loop would not notice."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
