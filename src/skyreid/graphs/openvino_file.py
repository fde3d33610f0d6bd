"""A network in OpenVINO's IR, an .xml and its .bin: run in a process of its own, whose program is this file too.

OpenVINO is imported in that process only, after it has lowered its rights.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skyreid.errors import CheckpointError, SettingError
from skyreid.graphs.graph_process import (
    DEFAULT_LIMITS,
    FEEDING,
    KINDS,
    Answer,
    Compute,
    GraphFile,
    GraphLimits,
    RefusedError,
    serve,
)

if TYPE_CHECKING:
    import openvino  # pyright: ignore[reportMissingImports] # an extra that CI does not install


def open_openvino(path: Path, *, limits: GraphLimits = DEFAULT_LIMITS) -> GraphFile:
    """Load an .xml with the .bin beside it, in a child process: a graph is a program of its maker.

    Raises:
        SettingError: OpenVINO is not installed.
        CheckpointError: a file is missing or broken, or needs more than the limits.
    """
    if importlib.util.find_spec("openvino") is None:
        raise SettingError(
            f"{path}: an OpenVINO file needs openvino, which is not installed; pip install 'skyreid[openvino]'"
        )
    if path.is_file() and not path.with_suffix(".bin").is_file():
        raise CheckpointError(f"{path}: its weights are missing: there is no file {path.stem}.bin beside it")
    return GraphFile("skyreid.graphs.openvino_file", path, limits)


# The program, in the process.
def _load_graph(request: Mapping[str, Any]) -> tuple[Mapping[str, object], Compute]:
    """Load the file; say what it takes and gives.

    Raises:
        RefusedError: it cannot be loaded.
    """
    # Here, after the limits, so that they also hold for what the library does when it loads.
    import openvino  # pyright: ignore[reportMissingImports] # an extra that CI does not install

    path = Path(request["path"])
    settings = {
        "INFERENCE_NUM_THREADS": request["threads"],
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",  # else it rounds to bfloat16 on processors that know it, and on others not
    }
    try:
        core = openvino.Core()
        network = core.read_model(path, path.with_suffix(".bin"))
        compiled = core.compile_model(network, "CPU", settings)
    except Exception as error:  # the library raises RuntimeError and others
        raise RefusedError(f"cannot be loaded by OpenVINO: {_said(error)}") from error
    ports = {
        way: [
            (port.get_any_name(), port.get_element_type().to_dtype().name, _sides(port.get_partial_shape()))
            for port in of
        ]
        for way, of in (("inputs", compiled.inputs), ("outputs", compiled.outputs))
    }
    feeding = str(network.get_rt_info(FEEDING).value) if network.has_rt_info(FEEDING) else None
    told = {**ports, "weights": [str(path.with_suffix(".bin"))], FEEDING: feeding}
    return told, lambda asked, inputs: _computed(compiled, asked["outputs"], inputs)


def _sides(shape: "openvino.PartialShape") -> list[int | None]:
    return [side.get_length() if side.is_static else None for side in shape] if shape.rank.is_static else []


def _computed(compiled: "openvino.CompiledModel", outputs: list[str], inputs: Mapping[str, np.ndarray]) -> Answer:
    try:
        given = compiled(dict(inputs))
    except Exception as error:  # as above
        shapes = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in inputs.items())
        return {"error": f"cannot be run on {shapes}: {_said(error)}"}, {}
    arrays = {name: np.ascontiguousarray(given[compiled.output(name)]) for name in outputs}
    odd = [name for name, array in arrays.items() if array.dtype.kind not in KINDS]
    return ({"error": f"its output {odd[0]!r} is no array of numbers"}, {}) if odd else ({}, arrays)


def _said(error: Exception) -> str:
    """What is wrong, which stands below the places in the library's source where it noticed."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


if __name__ == "__main__":
    serve(_load_graph)
