"""A network with the inputs and outputs of FaceDetectorYN's models, for which every bright square is a face."""

import math

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CELL = 8
"""Pixels. The top left corner of a cell that is nearly white is the middle of a face."""


def write_bright_face_model(path, *, side, without=None):
    """Each face is `side` pixels wide and high in the picture that the network sees; one output may be missing."""
    nodes = [helper.make_node("Conv", ["input", "mean_of_colours"], ["brightness"], kernel_shape=[1, 1])]
    weights = {
        "mean_of_colours": np.full((1, 3, 1, 1), 1 / 3 / 255),
        "column": np.array([1, -1, 1]),
        "nothing": np.array(0.0),
        "face": np.array([0, 0, math.log(side / CELL), math.log(side / CELL)]),
        "five_points": np.zeros(10),
    }
    outputs = []
    for stride in (8, 16, 32):
        pooled, cells, none = f"pooled_{stride}", f"cells_{stride}", f"none_{stride}"
        nodes += [
            helper.make_node("AveragePool", ["brightness"], [pooled], kernel_shape=[stride] * 2, strides=[stride] * 2),
            helper.make_node("Reshape", [pooled, "column"], [cells]),
            helper.make_node("Mul", [cells, "nothing"], [none]),
        ]
        for name in ("cls", "obj"):
            nodes.append(helper.make_node("Identity", [cells if stride == CELL else none], [f"{name}_{stride}"]))
        nodes.append(helper.make_node("Add", [none, "face"], [f"bbox_{stride}"]))
        nodes.append(helper.make_node("Add", [none, "five_points"], [f"kps_{stride}"]))
        outputs += [f"{name}_{stride}" for name in ("cls", "obj", "bbox", "kps")]
    outputs = [name for name in outputs if name != without]
    graph = helper.make_graph(
        nodes,
        "bright-faces",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 640, 640])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, f"cells_{name}", None]) for name in outputs],
        [
            numpy_helper.from_array(value.astype(np.int64 if name == "column" else np.float32), name)
            for name, value in weights.items()
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7), path)
    return path
