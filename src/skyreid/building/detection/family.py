"""What a family of detectors declares: the picture it takes, what its files give, and how that becomes boxes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64

from skyreid.building.detection.input_picture import Preprocessing
from skyreid.building.detection.onnx_file import Port

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


def from_centres(boxes: np.ndarray) -> Boxes:
    """Centre, width and height to xyxy."""
    centres, halves = boxes[:, :2].astype(np.float64), boxes[:, 2:].astype(np.float64) / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def sigmoid(logits: np.ndarray) -> Float64[np.ndarray, "..."]:
    """Of any size, without overflow."""
    return 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -500, 500)))


def of_class(scores: np.ndarray, person: int) -> Scores:
    """The column of a class."""
    if person >= scores.shape[1]:
        raise ValueError(f"has classes 0 to {scores.shape[1] - 1}; person={person} is none of them")
    return scores[:, person].astype(np.float64)


def same_length(**arrays: np.ndarray) -> None:
    """Refuse arrays that do not speak of the same boxes."""
    if len({len(array) for array in arrays.values()}) > 1:
        found = ", ".join(f"{role} {list(array.shape)}" for role, array in arrays.items())
        raise ValueError(f"gives outputs of different lengths: {found}")
