"""The families of detectors: the picture that each takes, what its files give, and how that becomes boxes of people.

A new family is a block of its own and a line in FAMILIES.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float64

from skyreid.graphs.graph_process import Port

PLAIN = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """What a family was trained to look at."""

    fit: Literal["letterbox", "stretch"]
    """Letterbox: keep the proportions, at the top left, and pad the rest; stretch: fill the whole picture."""
    padding: int = 0
    """Tone of what a letterbox leaves empty, 0 to 255."""
    channels: Literal["rgb", "bgr"]
    divisor: float
    """Of tones, before mean and deviation: 255 for 0 to 1."""
    mean_and_deviation: tuple[tuple[float, float, float], tuple[float, float, float]] = PLAIN
    antialias: bool = False
    """Whether shrinking averages (Pillow) or picks neighbours (OpenCV's and torch's bilinear)."""


Boxes: TypeAlias = Float64[np.ndarray, "box 4"]
Scores: TypeAlias = Float64[np.ndarray, " box"]
Arrays: TypeAlias = Mapping[str, np.ndarray]
Decode: TypeAlias = Callable[[Arrays, tuple[int, int], int], tuple[Boxes, Scores]]
"""From the outputs by role, the (height, width) of the picture and the number of the class that is a person:
boxes, xyxy in pixels of that picture, and how surely each is a person. Raises ValueError for arrays that
cannot be what they should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One input or output as a family's files have it."""

    name: str | None = None
    """None = any: then type and shape tell it."""
    types: tuple[str, ...] = ("float32",)
    shape: tuple[int | None, ...]

    def fits(self, port: Port) -> bool:
        """Can this be it? A port whose shape the file does not tell fits by name only."""
        if (self.name is not None and port.name != self.name) or port.type not in self.types:
            return False
        if not port.shape and self.name is not None:
            return True
        return len(port.shape) == len(self.shape) and all(
            wanted is None or found is None or wanted == found
            for wanted, found in zip(self.shape, port.shape, strict=True)
        )

    def __str__(self) -> str:
        return str(Port(self.name or "(any name)", self.types[0], self.shape))


@dataclass(frozen=True, kw_only=True)
class Export:
    """One of the forms that files of a family have."""

    picture: Declared
    size: Declared | None = None
    """An input that takes the size to which boxes are scaled, (width, height)."""
    outputs: Mapping[str, Declared]
    """By role. Further outputs, such as masks, are not asked for."""
    decode: Decode

    def __str__(self) -> str:
        inputs = self.picture if self.size is None else f"{self.picture}, {self.size}"
        return f"{inputs} -> {', '.join(map(str, self.outputs.values()))}"


@dataclass(frozen=True, kw_only=True)
class Family:
    """Detectors that share their pictures and their forms of files."""

    preprocessing: Preprocessing
    exports: tuple[Export, ...]
    person: int
    """The class in the family's own COCO weights."""
    default_size: int | None = None
    """Side of the square picture where the file takes any; None = it must be given."""
    takes_frames: bool = False
    """Where the file takes any size: the frame as it is, or proportionally smaller, and no square."""
    overlap: float | None = None
    """IoU above which the weaker of two boxes goes; None where the family gives one box a person."""


STRIDES = ((8, 16, 32), (8, 16, 32, 64))
MAX_LOG_SIZE = 15.0
"""e^15 cells are no box: these are pixels, from a file that decodes by itself."""


def _decode_grids(arrays: Arrays, size: tuple[int, int], person: int) -> tuple[Boxes, Scores]:
    rows = arrays["rows"][0]
    grids = {sum((size[0] // s) * (size[1] // s) for s in strides): strides for strides in STRIDES}
    if len(rows) not in grids:
        raise ValueError(f"gives {len(rows)} rows for a picture of {size[1]}x{size[0]}; {sorted(grids)} are possible")
    if rows[:, 2:4].max() > MAX_LOG_SIZE:
        raise ValueError("gives boxes in pixels already; export it without --decode_in_inference")
    corners, strides = zip(*(_cells(size, stride) for stride in grids[len(rows)]), strict=True)
    corner, stride = np.concatenate(corners), np.concatenate(strides)[:, None]
    boxes = np.concatenate([(rows[:, :2] + corner) * stride, np.exp(rows[:, 2:4]) * stride], axis=1)
    return _from_centres(boxes), rows[:, 4] * _of_class(rows[:, 5:], person)


def _cells(size: tuple[int, int], stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Corner of each cell of a grid, counted in cells, and its stride."""
    y, x = np.mgrid[: size[0] // stride, : size[1] // stride]
    return np.stack([x.ravel(), y.ravel()], axis=1), np.full(x.size, stride)


YOLOX = Family(
    preprocessing=Preprocessing(fit="letterbox", padding=114, channels="bgr", divisor=1.0),
    exports=(
        Export(
            picture=Declared(shape=(1, 3, None, None)),
            outputs={"rows": Declared(shape=(1, None, None))},
            decode=_decode_grids,
        ),
    ),
    person=0,
    default_size=640,
    overlap=0.45,
)
"""YOLOX (Ge et al. 2021; Apache-2.0), as its tools/export_onnx.py writes it, without --decode_in_inference. Its
picture is letterboxed at the top left with 114, BGR, 0 to 255, as the ONNX Runtime demo of the repository feeds it;
weights from before release 0.1.1 (`legacy`) want another one and find little. Its rows are the cells of grids of
stride 8, 16, 32 (and 64 in the P6 models), row by row: offset of the centre in cells, log of the size in cells, then
objectness and classes, both after the sigmoid."""


def _decode_scaled(arrays: Arrays, size: tuple[int, int], person: int) -> tuple[Boxes, Scores]:
    return _decode_labelled({role: array[0] for role, array in arrays.items()}, size, person)


def _decode_labelled(arrays: Arrays, size: tuple[int, int], person: int) -> tuple[Boxes, Scores]:
    """Decode boxes that each have one label and its score."""
    labels, boxes, scores = arrays["labels"], arrays["boxes"], arrays["scores"]
    _same_length(labels=labels, boxes=boxes, scores=scores)
    is_person = labels == person
    return boxes[is_person].astype(np.float64), scores[is_person].astype(np.float64)


def _decode_normalised(arrays: Arrays, size: tuple[int, int], person: int) -> tuple[Boxes, Scores]:
    """One box a query, centre and size as shares of the picture, and logits of independent classes."""
    logits, boxes = arrays["logits"][0], arrays["boxes"][0]
    _same_length(logits=logits, boxes=boxes)
    height, width = size
    return _from_centres(boxes) * (width, height, width, height), _of_class(_sigmoid(logits), person)


RT_DETR = Family(
    preprocessing=Preprocessing(fit="stretch", channels="rgb", divisor=255.0, antialias=True),
    exports=(
        Export(
            picture=Declared(name="images", shape=(1, 3, None, None)),
            size=Declared(name="orig_target_sizes", types=("int64",), shape=(1, 2)),
            outputs={
                "labels": Declared(name="labels", types=("int64", "int32"), shape=(1, None)),
                "boxes": Declared(name="boxes", shape=(1, None, 4)),
                "scores": Declared(name="scores", shape=(1, None)),
            },
            decode=_decode_scaled,
        ),
        Export(
            picture=Declared(name="pixel_values", shape=(1, 3, None, None)),
            outputs={
                "logits": Declared(name="logits", shape=(1, None, None)),
                "boxes": Declared(name="pred_boxes", shape=(1, None, 4)),
            },
            decode=_decode_normalised,
        ),
    ),
    person=0,
    default_size=640,
)
"""RT-DETR and RT-DETRv2 (Zhao et al. 2023; Apache-2.0). The picture is stretched, RGB, 0 to 1, not normalised. Two
forms: that of the repository's export_onnx.py, which scales its boxes to `orig_target_sizes` (width, height), and
that of the Transformers library, which gives logits and normalised boxes. In both, the COCO weights count classes
from 0 without gaps."""


RF_DETR = Family(
    preprocessing=Preprocessing(fit="stretch", channels="rgb", divisor=255.0, mean_and_deviation=IMAGENET),
    exports=(
        Export(
            picture=Declared(name="input", shape=(1, 3, None, None)),
            outputs={
                "logits": Declared(name="labels", shape=(1, None, None)),
                "boxes": Declared(name="dets", shape=(1, None, 4)),
            },
            decode=_decode_normalised,
        ),
    ),
    person=1,
)
"""RF-DETR (Roboflow 2025; Apache-2.0), as its `export()` writes it. The picture is stretched, RGB, 0 to 1, normalised
as ImageNet's, resized without averaging. The raw outputs are told apart by name, since with three classes `dets` and
`labels` have the same shape. The official COCO weights use COCO's own class numbers, in which a person is 1; weights
trained on a set of one's own usually count from 0 (person=0)."""


_TORCHVISION_OUTPUTS = {
    "boxes": Declared(shape=(None, 4)),
    "labels": Declared(types=("int64",), shape=(None,)),
    "scores": Declared(shape=(None,)),
}
TORCHVISION = Family(
    preprocessing=Preprocessing(fit="letterbox", channels="rgb", divisor=255.0),
    exports=(
        Export(picture=Declared(shape=(3, None, None)), outputs=_TORCHVISION_OUTPUTS, decode=_decode_labelled),
        Export(picture=Declared(shape=(1, 3, None, None)), outputs=_TORCHVISION_OUTPUTS, decode=_decode_labelled),
    ),
    person=1,
    takes_frames=True,
)
"""torchvision's detectors (BSD-3-Clause): Faster and Mask R-CNN, RetinaNet, FCOS, SSD, through torch.onnx.export.
They normalise and resize inside the file, so the picture is the frame itself, RGB, 0 to 1; a file that was exported
for one fixed size gets the frame letterboxed into it. Boxes come in pixels of the picture, after suppression of
overlaps. The order and the names of the outputs differ from model to model: they are told apart by type and shape.
Class 0 is the background; in the COCO weights a person is 1."""


def _decode_scored(arrays: Arrays, size: tuple[int, int], person: int) -> tuple[Boxes, Scores]:
    """Decode rows of xyxy and a score, all of one class; those that are left over have the score 0."""
    rows = arrays["boxes"].astype(np.float64)
    return rows[:, :4], rows[:, 4]


ATSS = Family(
    preprocessing=Preprocessing(fit="stretch", channels="bgr", divisor=1.0),
    exports=(
        Export(
            picture=Declared(types=("float32", "float16"), shape=(1, 3, None, None)),
            outputs={"boxes": Declared(name="boxes", types=("float32", "float16"), shape=(None, 5))},
            decode=_decode_scored,
        ),
    ),
    person=0,
    overlap=0.6,
)
"""person-detection-0203 of Open Model Zoo and its sisters with an ATSS head (Zhang et al. 2020; Apache-2.0), in
OpenVINO's IR. The picture is stretched, BGR, 0 to 255. `boxes` are xyxy in pixels of it and a score. People are all
that these files know: their `labels` say it, by 1 or by 0 from card to card, and are not asked, nor does
the zoo's own test of accuracy, whose suppression of overlaps (0.6) is done here."""

FAMILIES = {"yolox": YOLOX, "rt-detr": RT_DETR, "rf-detr": RF_DETR, "torchvision": TORCHVISION, "atss": ATSS}
"""By the name that a user gives."""


def _from_centres(boxes: np.ndarray) -> Boxes:
    """Centre, width and height to xyxy."""
    centres, halves = boxes[:, :2].astype(np.float64), boxes[:, 2:].astype(np.float64) / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def _sigmoid(logits: np.ndarray) -> Float64[np.ndarray, "..."]:
    """Of any size, without overflow."""
    return 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -500, 500)))


def _of_class(scores: np.ndarray, person: int) -> Scores:
    """The column of a class."""
    if person >= scores.shape[1]:
        raise ValueError(f"has classes 0 to {scores.shape[1] - 1}; person={person} is none of them")
    return scores[:, person].astype(np.float64)


def _same_length(**arrays: np.ndarray) -> None:
    """Refuse arrays that do not speak of the same boxes."""
    if len({len(array) for array in arrays.values()}) > 1:
        found = ", ".join(f"{role} {list(array.shape)}" for role, array in arrays.items())
        raise ValueError(f"gives outputs of different lengths: {found}")
