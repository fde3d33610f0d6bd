"""An ONNX file from a stranger: opened and run in a process of its own, whose program is this file too.

ONNX and its runtime are imported in that process only, after it has lowered its rights.
"""

import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skyreid.errors import SettingError
from skyreid.graphs.graph_process import (
    DEFAULT_LIMITS,
    FEEDING,
    KINDS,
    Answer,
    Compute,
    GraphFile,
    GraphLimits,
    RefusedError,
    first_line,
    serve,
)

if TYPE_CHECKING:
    import onnx
    import onnxruntime


def open_onnx(path: Path, *, limits: GraphLimits = DEFAULT_LIMITS) -> GraphFile:
    """Load a file with the weights that lie beside it, in a child process: a graph is a program of its maker.

    Raises:
        SettingError: ONNX Runtime is not installed.
        CheckpointError: the file is missing, broken, needs more than the limits, or names weights outside its folder.
    """
    for needed in ("onnx", "onnxruntime"):
        if importlib.util.find_spec(needed) is None:
            raise SettingError(
                f"{path}: an ONNX file needs {needed}, which is not installed; pip install 'skyreid[onnx]'"
            )
    return GraphFile("skyreid.graphs.onnx_file", path, limits)


# The program, in the process.
MAX_ROUNDS = 1_000_000
"""Of a loop that says how many it makes; no detector comes near."""


def _load_graph(request: Mapping[str, Any]) -> tuple[Mapping[str, object], Compute]:
    """Load the file; say what it takes and gives.

    Raises:
        RefusedError: it cannot be loaded, never ends, or names weights outside its folder.
    """
    session, weights = _load(Path(request["path"]), request["threads"])
    ports = {
        way: [(port.name, _numpy_type(port.type), list(port.shape)) for port in of]
        for way, of in (("inputs", session.get_inputs()), ("outputs", session.get_outputs()))
    }
    said = {**ports, "weights": weights, FEEDING: session.get_modelmeta().custom_metadata_map.get(FEEDING)}
    return said, lambda told, inputs: _computed(session, told["outputs"], inputs)


def _load(path: Path, threads: int) -> "tuple[onnxruntime.InferenceSession, list[str]]":
    # Here, after the limits, so that they also hold for what the libraries do when they load.
    import onnx
    import onnxruntime
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise RefusedError(f"is no ONNX file: {first_line(error)}") from error
    weights = _weight_files(model, path)
    _check_loops(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # it would write warnings to standard error
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]), weights
    except Exception as error:  # the library has no public root of its errors
        raise RefusedError(f"cannot be loaded by ONNX Runtime: {first_line(error)}") from error


def _numpy_type(kind: str) -> str:
    inner = kind.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(inner, inner)


def _computed(session: "onnxruntime.InferenceSession", outputs: list[str], inputs: Mapping[str, np.ndarray]) -> Answer:
    try:
        given = session.run(outputs, dict(inputs))
    except Exception as error:  # as above
        shapes = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in inputs.items())
        return {"error": f"cannot be run on {shapes}: {first_line(error)}"}, {}
    arrays = {name: np.ascontiguousarray(array) for name, array in zip(outputs, given, strict=True)}
    odd = [name for name, array in arrays.items() if array.dtype.kind not in KINDS]
    return ({"error": f"its output {odd[0]!r} is no array of numbers"}, {}) if odd else ({}, arrays)


def _check_loops(model: "onnx.ModelProto") -> None:
    """Refuse a loop that says itself that it does not end; one that counts at run time meets the time limit."""
    import onnx

    constants = {tensor.name: tensor for graph in _graphs(model.graph) for tensor in graph.initializer}
    for graph in _graphs(model.graph):
        for node in graph.node:
            if node.op_type == "Constant":
                constants.update((node.output[0], entry.t) for entry in node.attribute if entry.name == "value")
    for graph in _graphs(model.graph):
        for node in graph.node:
            if node.op_type != "Loop":
                continue
            if not node.input[0]:
                raise RefusedError(f"its Loop {node.name!r} does not say how many rounds it makes")
            counted = constants.get(node.input[0])
            rounds = None if counted is None else int(onnx.numpy_helper.to_array(counted).reshape(-1)[0])
            if rounds is not None and rounds > MAX_ROUNDS:
                raise RefusedError(f"its Loop {node.name!r} makes {rounds} rounds; {MAX_ROUNDS} at most are run")


def _graphs(graph: "onnx.GraphProto") -> "Iterator[onnx.GraphProto]":
    """Give a graph and the branches of its conditions and loops."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for branch in (attribute.g, *attribute.graphs):
                if branch.node:
                    yield from _graphs(branch)


def _weight_files(model: "onnx.ModelProto", path: Path) -> list[str]:
    """Name the files that hold weights of this one; large models are written so."""
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
            raise RefusedError(f"its weights must lie in its folder; it names {name!r}")
        if not weights.is_file():
            raise RefusedError(f"its weights are missing: there is no file {name!r} beside it")
        files.append(str(weights))
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


if __name__ == "__main__":
    serve(_load_graph)
