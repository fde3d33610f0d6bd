"""Small real ONNX files in the exact form of each family, which find what has one colour.

Every one compares its input, in its family's convention, with TARGET: a wrong order of channels, range or
normalisation finds nothing.
"""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

TARGET = (250, 60, 10)
"""RGB."""
CELL = 8


def draw_targets(boxes, *, height, width):
    """A grey frame with a patch of the colour in each box."""
    picture = np.full((height, width, 3), 128, np.uint8)
    for left, top, right, bottom in boxes:
        picture[top:bottom, left:right] = TARGET
    return picture


def yolox(path, *, height=96, width=160, box_cells=(1, 1), decoded=False, classes=3, rows=None, batch=1, baked=False):
    """One row a cell of three grids; a cell that is all target is a person of `box_cells` times the cell.

    A `batch` of "N" takes any number of pictures; when `baked`, it only says so.
    """
    graph = _Graph({"images": ("float32", (batch, 3, height, width))})
    distance = graph.distance("images", TARGET[::-1], reach=40.0)
    outputs = []
    for stride in (8, 16, 32):
        likeness = graph.likeness(distance, (stride, stride))  # [1, cells]
        cells = (height // stride) * (width // stride)
        fields = np.zeros((1, cells, 4), np.float32)
        fields[..., :2], fields[..., 2:] = 0.5, np.log(box_cells) if not decoded else 64
        score = graph.node("Unsqueeze", likeness, np.array([2]))
        constants = np.concatenate([np.ones((1, cells, 1)), np.zeros((1, cells, classes - 1))], axis=2)
        constants = constants.astype(np.float32)
        if batch != 1 and not baked:
            nothing = graph.node("Mul", score, np.float32(0))
            fields, constants = (graph.node("Add", nothing, array) for array in (fields, constants))
        outputs.append(graph.node("Concat", fields, score, constants, axis=2))
    found = graph.node("Concat", *outputs, axis=1)
    if rows is not None:
        found = graph.node("Slice", found, np.array([0]), np.array([rows]), np.array([1]))
    return graph.save(path, {"output": (found, "float32", (batch, None, 5 + classes))})


def rt_detr_repository(path, *, size=96):
    """labels, boxes and scores; boxes are scaled inside the file."""
    graph = _Graph({"images": ("float32", ("N", 3, size, size)), "orig_target_sizes": ("int64", ("N", 2))})
    scores = graph.likeness(graph.distance("images", np.divide(TARGET, 255), reach=0.16), (CELL, CELL))
    wide_high = graph.node("Cast", "orig_target_sizes", to=TensorProto.FLOAT)
    centres = _cells(size, size) / size
    corners = np.concatenate([centres[:, :2] - centres[:, 2:] / 2, centres[:, :2] + centres[:, 2:] / 2], axis=1)
    scale = graph.node("Concat", wide_high, wide_high, axis=1)
    boxes = graph.node("Mul", corners[None].astype(np.float32), scale)
    labels = graph.node("Identity", np.zeros((1, len(centres)), np.int64))
    return graph.save(
        path,
        {
            "labels": (labels, "int64", ("N", None)),
            "boxes": (boxes, "float32", ("N", None, 4)),
            "scores": (scores, "float32", ("N", None)),
        },
    )


def rt_detr_transformers(path, *, size=96, classes=4):
    """logits and pred_boxes of the Transformers library; pictures of any size."""
    graph = _Graph({"pixel_values": ("float32", ("batch", 3, "height", "width"))})
    distance = graph.distance("pixel_values", np.divide(TARGET, 255), reach=0.16)
    logits, boxes = _queries(graph, distance, size=size, person=0, classes=classes)
    return graph.save(
        path, {"logits": (logits, "float32", (1, None, classes)), "pred_boxes": (boxes, "float32", (1, None, 4))}
    )


def rf_detr(path, *, size=96, is_open=False, person=1, classes=4):
    """dets and labels; with four classes both have four columns."""
    graph = _Graph({"input": ("float32", (1, 3, "height", "width") if is_open else (1, 3, size, size))})
    target = (np.divide(TARGET, 255) - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    logits, boxes = _queries(
        graph, graph.distance("input", target, reach=0.7), size=size, person=person, classes=classes
    )
    return graph.save(
        path, {"dets": (boxes, "float32", (1, None, 4)), "labels": (logits, "float32", (1, None, classes))}
    )


def torchvision(
    path, *, shape=(3, "height", "width"), label=1, order=("boxes", "labels", "scores"), nan=False, box_shape=(1, 4)
):
    """The one box around all target pixels, after suppression; names as the exporter invents them."""
    graph = _Graph({"images_tensors": ("float32", shape)})
    distance = graph.distance("images_tensors", np.divide(TARGET, 255), reach=0.16, axis=len(shape) - 3)
    is_target = graph.node("Less", distance, np.float32(0.1))
    places = graph.node("NonZero", graph.node("Squeeze", is_target) if len(shape) == 4 else is_target)
    places = graph.node("Slice", places, np.array([-2]), np.array([100]), np.array([0]))  # rows and columns
    first = graph.node("ReduceMin", places, axes=[1], keepdims=0)
    last = graph.node("Add", graph.node("ReduceMax", places, axes=[1], keepdims=0), np.array([1, 1]))
    rows_columns = graph.node("Concat", first, last, axis=0)
    box = graph.node("Cast", graph.node("Gather", rows_columns, np.array([1, 0, 3, 2])), to=TensorProto.FLOAT)
    box = graph.node("Add", box, np.float32(np.nan)) if nan else box
    shape = graph.node("Add", np.array(box_shape), graph.node("Mul", first, np.array([0, 0])))  # not foreseeable
    found = {
        "boxes": (graph.node("Reshape", box, shape), "float32", (None, 4)),
        "labels": (graph.node("Identity", np.atleast_1d(label)), "int64", (None,)),
        "scores": (graph.node("Identity", np.array([0.9], np.float32)), "float32", (None,)),
    }
    return graph.save(path, {f"{number}": found[role] for number, role in enumerate(order, start=3570)})


def atss(path, *, height=48, width=96):
    """boxes (xyxy and a score, one row a cell) and labels, as person-detection-0203 gives them."""
    graph = _Graph({"input": ("float32", (1, 3, height, width))})
    likeness = graph.likeness(graph.distance("input", TARGET[::-1], reach=40.0), (CELL, CELL))
    cells = _cells(height, width)
    corners = np.concatenate([cells[:, :2] - cells[:, 2:] / 2, cells[:, :2] + cells[:, 2:] / 2], axis=1)
    score = graph.node("Reshape", likeness, np.array([-1, 1]))
    boxes = graph.node("Concat", corners.astype(np.float32), score, axis=1)
    labels = graph.node("Identity", np.ones(len(cells), np.int64))
    return graph.save(path, {"boxes": (boxes, "float32", (len(cells), 5)), "labels": (labels, "int64", (len(cells),))})


def faces(path, *, side=64):
    """Rows of image, label, score and xyxy in shares of the picture, one a cell of eighths that is all white."""
    graph = _Graph({"input": ("float32", (1, 3, side, side))})
    likeness = graph.likeness(graph.distance("input", (255, 255, 255), reach=255.0), (CELL, CELL))
    cells = _cells(side, side) / side
    corners = np.concatenate([cells[:, :2] - cells[:, 2:] / 2, cells[:, :2] + cells[:, 2:] / 2], axis=1)
    heads = np.tile(np.array([[0.0, 1.0]], np.float32), (len(cells), 1))
    score = graph.node("Reshape", likeness, np.array([-1, 1]))
    rows = graph.node("Concat", heads, score, corners.astype(np.float32), axis=1)
    rows = graph.node("Unsqueeze", rows, np.array([0, 1]))
    return graph.save(path, {"527": (rows, "float32", (1, 1, len(cells), 7))})


def as_openvino(path):
    """The same network as an .xml with its .bin; skips the test where OpenVINO is not installed."""
    openvino = pytest.importorskip("openvino")
    openvino.save_model(openvino.Core().read_model(path), path.with_suffix(".xml"), compress_to_fp16=False)
    return path.with_suffix(".xml")


def with_weights_elsewhere(path, name):
    """A file whose one array stands in another file."""
    graph = _Graph({"images": ("float32", (1, 3, 8, 8))})
    found = graph.node("Mul", "images", np.ones((1, 3, 8, 8), np.float32))
    model = graph.model({"output": (found, "float32", (1, 3, 8, 8))})
    (array,) = model.graph.initializer
    array.ClearField("raw_data")
    array.data_location = TensorProto.EXTERNAL
    entry = array.external_data.add()
    entry.key, entry.value = "location", name
    path.write_bytes(model.SerializeToString())
    return path


def _queries(graph, distance, *, size, person, classes):
    """Logits and normalised boxes, one query a cell."""
    likeness = graph.likeness(distance, (CELL, CELL))
    cells = _cells(size, size) / size
    logit = graph.node("Mul", graph.node("Sub", likeness, np.float32(0.5)), np.float32(20))
    column = graph.node("Unsqueeze", logit, np.array([2]))
    below, above = (np.full((1, len(cells), number), -9, np.float32) for number in (person, classes - person - 1))
    parts = [part for part in (below, column, above) if isinstance(part, str) or part.shape[2]]
    logits = graph.node("Concat", *parts, axis=2)
    return logits, graph.node("Identity", cells[None].astype(np.float32))


def _cells(height, width):
    """Centre and size of each cell, row by row, in pixels."""
    y, x = np.mgrid[CELL // 2 : height : CELL, CELL // 2 : width : CELL]
    return np.stack([x.ravel(), y.ravel(), np.full(x.size, CELL), np.full(x.size, CELL)], axis=1)


class _Graph:
    def __init__(self, inputs):
        self._inputs, self._nodes, self._arrays = inputs, [], []

    def node(self, kind, *inputs, **attributes):
        """Add a node; arrays among its inputs are stored in the file. Gives the name of its output."""
        names = []
        for value in inputs:
            if not isinstance(value, str):
                self._arrays.append(numpy_helper.from_array(np.asarray(value), f"array{len(self._arrays)}"))
                value = self._arrays[-1].name
            names.append(value)
        self._nodes.append(helper.make_node(kind, names, [f"node{len(self._nodes)}"], **attributes))
        return self._nodes[-1].output[0]

    def distance(self, picture, target, *, reach, axis=1):
        """Mean distance of each pixel to the target over the channels, in units of `reach` and at most 1."""
        target = np.asarray(target, np.float32).reshape(3, 1, 1)
        away = self.node("Abs", self.node("Sub", picture, target))
        mean = self.node("ReduceMean", away, axes=[axis], keepdims=1)
        return self.node("Min", self.node("Mul", mean, np.float32(1 / reach)), np.float32(1))

    def likeness(self, distance, cell):
        """1 for a cell that is all target, row by row: [picture, cells]."""
        mean = self.node("AveragePool", distance, kernel_shape=cell, strides=cell)
        return self.node("Reshape", self.node("Sub", np.float32(1), mean), np.array([0, -1]))

    def model(self, outputs):
        def port(name, kind, shape):
            kind = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}[kind]
            return helper.make_tensor_value_info(name, kind, shape)

        nodes = [*self._nodes, *(helper.make_node("Identity", [at], [name]) for name, (at, _, _) in outputs.items())]
        graph = helper.make_graph(
            nodes,
            "detector",
            [port(name, kind, shape) for name, (kind, shape) in self._inputs.items()],
            [port(name, kind, shape) for name, (_, kind, shape) in outputs.items()],
            self._arrays,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)

    def save(self, path, outputs):
        model = self.model(outputs)
        onnx.checker.check_model(model)
        path.write_bytes(model.SerializeToString())
        return path


def looping(path, rounds):
    """A file of YOLOX's form whose loop makes so many rounds, counted by a constant; None = by its input."""
    graph = _Graph({"images": ("float32", (1, 3, 8, 8))})
    body = helper.make_graph(
        [helper.make_node("Identity", ["c_in"], ["c_out"]), helper.make_node("Sqrt", ["x_in"], ["x_out"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x_in", TensorProto.FLOAT, [1, 84, 85]),
        ],
        [
            helper.make_tensor_value_info("c_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x_out", TensorProto.FLOAT, [1, 84, 85]),
        ],
    )
    start = np.full((1, 84, 85), 2, np.float32)
    if rounds is None:  # a number that only the run knows: the sum of the picture
        total = graph.node("ReduceSum", "images", keepdims=0)
        count = graph.node("Cast", total, to=TensorProto.INT64)
    else:
        count = np.array(rounds, np.int64)
    found = graph.node("Loop", count, np.array(True), start, body=body)
    return graph.save(path, {"output": (found, "float32", (1, 84, 85))})
