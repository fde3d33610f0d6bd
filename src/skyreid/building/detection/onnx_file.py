"""Opening an ONNX file from a stranger: it is data, and it may name other files and ask for all the machine."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from skyreid.errors import CheckpointError, SettingError

if TYPE_CHECKING:
    import onnx
    import onnxruntime

THREADS = 2
"""Decoding and tracking run beside it, and other sources perhaps too."""


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
    """A loaded file, ready to run on the CPU."""

    def __init__(self, path: Path, session: "onnxruntime.InferenceSession", sha256: str) -> None:
        self.path = path
        self.sha256 = sha256
        """Of the file and the files of weights that it names."""
        self.inputs = tuple(_port(found.name, found.type, found.shape) for found in session.get_inputs())
        self.outputs = tuple(_port(found.name, found.type, found.shape) for found in session.get_outputs())
        self._session = session

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """Compute these outputs.

        Raises:
            CheckpointError: the graph cannot work with these inputs.
        """
        try:
            return [np.asarray(array) for array in self._session.run(list(outputs), dict(inputs))]
        except Exception as error:  # the library has no public root of its errors
            shapes = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in inputs.items())
            raise CheckpointError(f"{self.path}: cannot be run on {shapes}: {_first_line(error)}") from error


def open_onnx(path: Path) -> OnnxFile:
    """Load a file with the weights that lie beside it.

    Raises:
        SettingError: ONNX Runtime is not installed.
        CheckpointError: the file is missing, broken, or names weights outside its folder.
    """
    try:
        import onnx
        import onnxruntime
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise SettingError(
            f"{path}: a detector needs {error.name}, which is not installed; pip install 'skyreid[detection]'"
        ) from error
    if not path.is_file():
        raise CheckpointError(f"{path}: {'is not a file' if path.exists() else 'there is no such file'}")
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise CheckpointError(f"{path}: is no ONNX file: {_first_line(error)}") from error
    weights = _weight_files(model, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # it would write warnings to standard error
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        raise CheckpointError(f"{path}: cannot be loaded by ONNX Runtime: {_first_line(error)}") from error
    return OnnxFile(path, session, _sha256([path, *weights]))


def _weight_files(model: "onnx.ModelProto", path: Path) -> list[Path]:
    """Files that hold weights of this one; large models are written so."""
    folder = path.parent.resolve()
    graphs = [model.graph, *model.functions]
    names = {
        entry.value
        for graph in graphs
        for tensor in _tensors(graph)
        for entry in tensor.external_data
        if entry.key == "location"
    }
    files = []
    for name in sorted(names):
        weights = (folder / name).resolve()
        if not weights.is_relative_to(folder):
            raise CheckpointError(f"{path}: its weights must lie in its folder; it names {name!r}")
        if not weights.is_file():
            raise CheckpointError(f"{path}: its weights are missing: there is no file {name!r} beside it")
        files.append(weights)
    return files


def _tensors(graph: "onnx.GraphProto | onnx.FunctionProto") -> "Iterator[onnx.TensorProto]":
    """Every stored array, also in the branches of conditions and loops."""
    import onnx

    if isinstance(graph, onnx.GraphProto):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for branch in (attribute.g, *attribute.graphs):
                yield from _tensors(branch)


def _port(name: str, kind: str, shape: Sequence[object]) -> Port:
    inner = kind.removeprefix("tensor(").removesuffix(")")
    kind = {"float": "float32", "double": "float64"}.get(inner, inner)
    return Port(name, kind, tuple(side if isinstance(side, int) and side > 0 else None for side in shape))


def _sha256(paths: Sequence[Path]) -> str:
    sums = []
    for path in paths:
        with path.open("rb") as file:
            sums.append(hashlib.file_digest(file, "sha256").hexdigest())
    return sums[0] if len(sums) == 1 else hashlib.sha256(" ".join(sums).encode()).hexdigest()


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
