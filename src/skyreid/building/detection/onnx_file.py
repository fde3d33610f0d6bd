"""Opening an ONNX file from a stranger: a graph is a program, so it runs in a process that may be ended.

It may loop for ever, ask for all the memory and name other files. `onnx_child.py` loads and runs it under limits;
here is the caller's side, which believes nothing that comes back but arrays of bounded size.
"""

import importlib.util
import json
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skyreid.building.detection.onnx_child import read_message, write_message
from skyreid.content_hash import bytes_sha256, file_sha256
from skyreid.errors import CheckpointError, SettingError

THREADS = 2
"""Decoding and tracking run beside it, and other sources perhaps too."""


@dataclass(frozen=True, kw_only=True)
class OnnxLimits:
    """What the process of a graph may use; beyond it, the file is refused with a CheckpointError."""

    memory_bytes: int = 6 * 2**30
    """Address space of the process (RLIMIT_AS)."""
    call_s: float = 30.0
    """Wall seconds for loading the file, and for one picture."""


DEFAULT_LIMITS = OnnxLimits()


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


class OnnxFile:
    """A loaded file, ready to run on the CPU in a process of its own; it ends with this object."""

    def __init__(self, path: Path, limits: OnnxLimits) -> None:
        self.path = path
        self._limits = limits
        self._process = subprocess.Popen(
            # -P: no module is taken from the folder that the caller happens to stand in.
            [sys.executable, "-P", "-m", "skyreid.building.detection.onnx_child", json.dumps(_request(path, limits))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        weakref.finalize(self, _end, self._process)
        told, _ = self._answer()
        self.sha256 = _sha256([path, *(Path(name) for name in told["weights"])])
        """Of the file and the files of weights that it names."""
        self.inputs = tuple(_port(*port) for port in told["inputs"])
        self.outputs = tuple(_port(*port) for port in told["outputs"])

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """Compute these outputs.

        Raises:
            CheckpointError: the graph cannot work with these inputs, or not within the limits.
        """
        pipe = self._process.stdin
        assert pipe is not None
        with suppress(OSError):  # it went away; the answer says why
            write_message(pipe, {"outputs": list(outputs)}, inputs)
        _, arrays = self._answer()
        return [arrays[name] for name in outputs]

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
                f"took more than {self._limits.call_s:g} s (OnnxLimits.call_s)"
                if is_late
                else f"crashed, or needs more than {self._limits.memory_bytes // 2**20} MiB (OnnxLimits.memory_bytes)"
            )
            raise CheckpointError(f"{self.path}: the graph {why}") from None
        except (ValueError, LookupError, TypeError) as error:
            _end(self._process)
            raise CheckpointError(f"{self.path}: the process that runs it talks nonsense: {error}") from error
        finally:
            patience.cancel()
        if "error" in told:
            raise CheckpointError(f"{self.path}: {told['error']}")
        return told, arrays


def open_onnx(path: Path, *, limits: OnnxLimits = DEFAULT_LIMITS) -> OnnxFile:
    """Load a file with the weights that lie beside it, in a child process: a graph is a program of its maker.

    Raises:
        SettingError: ONNX Runtime is not installed.
        CheckpointError: the file is missing, broken, needs more than the limits, or names weights outside its folder.
    """
    for needed in ("onnx", "onnxruntime"):
        if importlib.util.find_spec(needed) is None:
            raise SettingError(
                f"{path}: a detector needs {needed}, which is not installed; pip install 'skyreid[detection]'"
            )
    if not path.is_file():
        raise CheckpointError(f"{path}: {'is not a file' if path.exists() else 'there is no such file'}")
    return OnnxFile(path, limits)


def _request(path: Path, limits: OnnxLimits) -> dict[str, str | int]:
    return {"path": str(path.absolute()), "memory_bytes": limits.memory_bytes, "threads": THREADS}


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # what was not yet written is not wanted any more
                pipe.close()


def _port(name: str, kind: str, shape: Sequence[object]) -> Port:
    inner = kind.removeprefix("tensor(").removesuffix(")")
    kind = {"float": "float32", "double": "float64"}.get(inner, inner)
    return Port(name, kind, tuple(side if isinstance(side, int) and side > 0 else None for side in shape))


def _sha256(paths: Sequence[Path]) -> str:
    sums = [file_sha256(path) for path in paths]
    return sums[0] if len(sums) == 1 else bytes_sha256(" ".join(sums).encode())
