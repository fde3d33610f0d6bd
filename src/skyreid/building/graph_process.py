"""A graph from a stranger is a program, so it runs in a process of its own that may be ended: the caller's side.

It may loop for ever, ask for all the memory and name other files. One of our programs (`graph_child.serve`) loads and
runs it under limits; nothing is believed here that comes back but arrays of bounded size.
"""

import json
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skyreid.building.graph_child import read_message, write_message
from skyreid.errors import CheckpointError

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


class GraphProcess:
    """A process that runs the graph of a file; it ends with this object.

    Args:
        program: module of ours that calls `graph_child.serve`.
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
            write_message(pipe, told, arrays)
        return self._answer()

    def _answer(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Read what the process says, and end it where it says nothing in time."""
        pipe = self._process.stdout
        assert pipe is not None
        patience = threading.Timer(self._limits.call_s, self._process.kill)
        patience.start()
        try:
            told, arrays = read_message(pipe)
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
