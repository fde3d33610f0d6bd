"""Opening an ONNX file from a stranger, in a process of its own (`graph_process.py`)."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skyreid.building.graph_process import DEFAULT_LIMITS, GraphLimits, GraphProcess
from skyreid.content_hash import bytes_sha256, file_sha256
from skyreid.errors import CheckpointError, SettingError


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

    def __init__(self, path: Path, limits: GraphLimits) -> None:
        self.path = path
        self._graph = GraphProcess("skyreid.building.detection.onnx_child", path, limits)
        told = self._graph.told
        self.sha256 = _sha256([path, *(Path(name) for name in told["weights"])])
        """Of the file and the files of weights that it names."""
        self.inputs = tuple(_port(*port) for port in told["inputs"])
        self.outputs = tuple(_port(*port) for port in told["outputs"])

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """Compute these outputs.

        Raises:
            CheckpointError: the graph cannot work with these inputs, or not within the limits.
        """
        _, arrays = self._graph.ask({"outputs": list(outputs)}, inputs)
        return [arrays[name] for name in outputs]


def open_onnx(path: Path, *, limits: GraphLimits = DEFAULT_LIMITS) -> OnnxFile:
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


def _port(name: str, kind: str, shape: Sequence[object]) -> Port:
    inner = kind.removeprefix("tensor(").removesuffix(")")
    kind = {"float": "float32", "double": "float64"}.get(inner, inner)
    return Port(name, kind, tuple(side if isinstance(side, int) and side > 0 else None for side in shape))


def _sha256(paths: Sequence[Path]) -> str:
    sums = [file_sha256(path) for path in paths]
    return sums[0] if len(sums) == 1 else bytes_sha256(" ".join(sums).encode())
