"""The process in which an ONNX graph runs: it lowers its own rights before it reads the file.

`onnx_file.py` starts it as `python -P -m skyreid.building.detection.onnx_child REQUEST`. Both sides speak in messages:
a 4-byte length, JSON that lists arrays by name, type and shape, and then the arrays' bytes. Nothing is pickled.
"""

import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from skyreid.process_limits import lower_rights

if TYPE_CHECKING:
    import onnx
    import onnxruntime

MAX_JSON_BYTES = 2**20
MAX_ARRAY_BYTES = 2**30
"""Of one array that goes in or comes out; the largest frame that is decoded takes 0.4 GB as numbers."""
MAX_ROUNDS = 1_000_000
"""Of a loop that says how many it makes; no detector comes near."""
_KINDS = frozenset("biuf")


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
        if dtype.kind not in _KINDS or min(sides, default=0) < 0 or dtype.itemsize * math.prod(sides) > MAX_ARRAY_BYTES:
            raise ValueError(f"an array of {kind} {shape}")
        content = _exactly(pipe, dtype.itemsize * math.prod(sides))
        arrays[str(name)] = np.frombuffer(content, dtype).reshape(sides)
    return told, arrays


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    content = pipe.read(size)
    if len(content) < size:
        raise EOFError
    return content


def main() -> None:
    """Load the file, say what it takes and gives, then answer until the caller goes away."""
    request = json.loads(sys.argv[1])
    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller hears of it, and ends this process
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        lower_rights(memory_bytes=request["memory_bytes"], cpu_s=None, open_files=64)
        session, weights = _load(Path(request["path"]), request["threads"])
        ports = {
            way: [
                (port.name, port.type, [side if isinstance(side, int) else None for side in port.shape]) for port in of
            ]
            for way, of in (("inputs", session.get_inputs()), ("outputs", session.get_outputs()))
        }
        write_message(answers, {**ports, "weights": weights}, {})
        while True:
            told, inputs = read_message(asked)
            write_message(answers, *_computed(session, told["outputs"], inputs))
    except (EOFError, BrokenPipeError):
        return
    except RefusedError as refusal:
        write_message(answers, {"error": str(refusal)}, {})
    except Exception as error:  # whatever a hostile file provokes: the caller gets a sentence, not a silence
        write_message(answers, {"error": f"cannot be loaded by ONNX Runtime: {_first_line(error)}"}, {})


def _end_with(parent: int) -> None:
    """Leave when the caller was killed: a graph in an endless loop would not notice."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _load(path: Path, threads: int) -> "tuple[onnxruntime.InferenceSession, list[str]]":
    # Here, after the limits, so that they also hold for what the libraries do when they load.
    import onnx
    import onnxruntime
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise RefusedError(f"is no ONNX file: {_first_line(error)}") from error
    weights = _weight_files(model, path)
    _check_loops(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # it would write warnings to standard error
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]), weights
    except Exception as error:  # the library has no public root of its errors
        raise RefusedError(f"cannot be loaded by ONNX Runtime: {_first_line(error)}") from error


def _computed(
    session: "onnxruntime.InferenceSession", outputs: list[str], inputs: Mapping[str, np.ndarray]
) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    try:
        given = session.run(outputs, dict(inputs))
    except Exception as error:  # as above
        shapes = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in inputs.items())
        return {"error": f"cannot be run on {shapes}: {_first_line(error)}"}, {}
    arrays = {name: np.ascontiguousarray(array) for name, array in zip(outputs, given, strict=True)}
    odd = [name for name, array in arrays.items() if array.dtype.kind not in _KINDS]
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


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


if __name__ == "__main__":
    main()
