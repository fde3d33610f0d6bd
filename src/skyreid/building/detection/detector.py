"""A user's detector: an ONNX or OpenVINO file of a declared family, from frames to boxes of people."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias, cast

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from skyreid.arguments import file_and_settings
from skyreid.building.detection.families import FAMILIES, Boxes, Declared, Export, Preprocessing, Scores
from skyreid.errors import CheckpointError, SettingError
from skyreid.graphs.graph_process import GraphFile, Port
from skyreid.graphs.onnx_file import open_onnx
from skyreid.graphs.openvino_file import open_openvino
from skyreid.processes.progress import Progress, silent
from skyreid.weights.published_files import PUBLISHED
from skyreid.weights.weights_cache import with_file

EXAMPLE = "detector.onnx,kind=yolox"
Tiles: TypeAlias = int | Literal["auto", "none"]
DEFAULT_SCORE = 0.4
MAX_SIZE = 8192
KEYS = ("kind", "size", "score", "person", "tiles")
MIN_TILE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorText:
    """A detector as it was asked for."""

    path: Path
    kind: str
    size: int | None = None
    """Side of the square picture that the file takes (torchvision: its longer side); None = what the file says,
    or the family's usual one."""
    score: float = DEFAULT_SCORE
    """From which on a box is a person."""
    person: int | None = None
    """Number of the class; None = that of the family's COCO weights."""
    tiles: Tiles = "auto"
    """Longer side, in pixels of the frame, of the overlapping tiles that are searched beside the whole frame; `auto`:
    where people are small, and of a side that fits them; `none`: the whole frame alone."""


class Detector:
    """Finds people in frames; `load_detector` makes one."""

    def __init__(self, file: GraphFile, settings: DetectorText, *, text: str | None = None) -> None:
        self._file = file
        self._text = text
        self._family = FAMILIES[settings.kind]
        self._export, self._names = _form_of(file, settings.kind)
        self._person = self._family.person if settings.person is None else settings.person
        self._fixed_size = _fixed_size(file, self._names["picture"], settings.size)
        self._side = settings.size or self._family.default_size
        self._picture_type = next(port.type for port in file.inputs if port.name == self._names["picture"])
        self._takes_batches = _takes_batches(file, self._export, self._names)
        if self._fixed_size is None and self._side is None and not self._family.takes_frames:
            raise CheckpointError(f"{file.path}: takes pictures of any size; say which one (size=N)")
        self.score = settings.score
        """From which on a box is a person."""
        self.tiles = settings.tiles
        """As `DetectorText.tiles`."""
        self.fingerprint = json.dumps(
            {
                "sha256": file.sha256,
                "kind": settings.kind,
                "size": self._fixed_size or self._side,
                "score": self.score,
                "person": self._person,
                "tiles": self.tiles,
            }
        )
        """Of the file and the settings: what decides over the boxes."""

    def __reduce__(self) -> "tuple[Callable[[str], Detector], tuple[str]]":
        """Let another process load it by its text, once; the same path is the same file there."""
        assert self._text is not None, "`load_detector` tells it"
        return _loaded_once, (self._text,)

    def find(self, pixels: UInt8[np.ndarray, "height width 3"], *, min_score: float) -> tuple[Boxes, Scores]:
        """Boxes of people in an RGB frame, xyxy in its pixels and inside it, the surest first, and their scores.

        Raises:
            CheckpointError: what the file gives cannot be boxes of its kind.
        """
        (found,) = self.find_each([pixels], min_score=min_score)
        return found

    def find_each(
        self, pictures: Iterable[UInt8[np.ndarray, "height width 3"]], *, min_score: float
    ) -> Iterator[tuple[Boxes, Scores]]:
        """As `find` in each of several RGB pictures; together, as many as a batch holds, where the file takes batches.

        Raises:
            CheckpointError: what the file gives cannot be boxes of its kind.
        """
        for batch in _batches(self._fitted(pixels) for pixels in pictures):
            for picture, arrays in zip(batch, self._outputs_of_each(batch), strict=True):
                yield self._people(picture, arrays, min_score)

    def _fitted(self, pixels: UInt8[np.ndarray, "height width 3"]) -> "_Fitted":
        height, width = self.picture_size(*pixels.shape[:2])
        return _fit(pixels, self._family.preprocessing, height=height, width=width)

    def _people(self, picture: "_Fitted", arrays: dict[str, np.ndarray], min_score: float) -> tuple[Boxes, Scores]:
        try:
            boxes, scores = self._export.decode(arrays, picture.size, self._person)
            sure = scores >= min_score
            boxes, scores = boxes[sure], scores[sure]
            if not np.isfinite(boxes).all():
                raise ValueError("gives boxes that are not finite")
        except ValueError as error:
            raise CheckpointError(f"{self._file.path}: {error}") from error
        height, width = picture.of_frame
        boxes = np.clip(picture.in_frame(boxes), 0, (width, height, width, height))
        kept = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1))
        kept = kept[np.argsort(-scores[kept], kind="stable")]
        if self._family.overlap is not None:
            kept = kept[strongest(boxes[kept], scores[kept], self._family.overlap)]
        return boxes[kept], scores[kept]

    def _outputs_of_each(self, batch: Sequence["_Fitted"]) -> list[dict[str, np.ndarray]]:
        if self._takes_batches and len(batch) > 1:
            try:
                return self._outputs(batch)
            except CheckpointError:  # exporters open the first axis of graphs that were traced with one picture inside
                self._takes_batches = False
        return [outputs for picture in batch for outputs in self._outputs([picture])]

    def _outputs(self, batch: Sequence["_Fitted"]) -> list[dict[str, np.ndarray]]:
        """By role, for each picture; what a file promises and what it gives need not agree."""
        is_batch = len(self._export.picture.shape) == 4
        tensors = np.stack([picture.tensor for picture in batch])
        inputs = {self._names["picture"]: (tensors if is_batch else tensors[0]).astype(self._picture_type)}
        if self._export.size is not None:
            inputs[self._names["size"]] = np.array([picture.size[::-1] for picture in batch], np.int64)
        declared = self._export.outputs
        arrays = self._file.run(inputs, [self._names[role] for role in declared])
        of_each = []
        for place in range(len(batch)):
            own = [array[place : place + 1] for array in arrays] if len(batch) > 1 else arrays
            for (role, wanted), array in zip(declared.items(), own, strict=True):
                given = Port(self._names[role], str(array.dtype), array.shape)
                if not wanted.fits(given):
                    raise CheckpointError(f"{self._file.path}: gives {given} where {wanted} belongs")
            of_each.append(dict(zip(declared, own, strict=True)))
        return of_each

    def picture_size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of the picture that the file gets of a frame of this size."""
        if self._fixed_size is not None:
            return self._fixed_size
        if self._family.takes_frames:
            scale = 1.0 if self._side is None else self._side / max(height, width)
            return max(1, round(height * scale)), max(1, round(width * scale))
        assert self._side is not None
        return self._side, self._side


def load_detector(text: str, *, progress: Progress = silent) -> Detector:
    """Load `FILE.onnx,kind=yolox|rt-detr|rf-detr|torchvision|atss[,size=640][,score=0.4][,person=0][,tiles=auto]`.

    The name of published weights, such as `yolox-s`, stands for their file and its kind; an OpenVINO file is an .xml
    with its .bin beside it.

    Raises:
        SettingError: the text is not of this form, or what runs such a file is not installed.
        WeightsError: the published weights cannot be had.
        CheckpointError: the file cannot be loaded, or is not of this kind; the message shows both.
    """
    settings = parse_detector(with_file(text, "detector", progress=progress))
    opened = open_openvino if settings.path.suffix.lower() == ".xml" else open_onnx
    return Detector(opened(settings.path), settings, text=text)


@lru_cache(maxsize=1)
def _loaded_once(text: str) -> Detector:
    return load_detector(text)


def parse_detector(text: str) -> DetectorText:
    """Read a detector as the command line takes it.

    Raises:
        SettingError: a key is unknown, given twice or missing, or a value cannot be.
    """
    path, given = file_and_settings(text, KEYS, "a detector", example=EXAMPLE)
    if not given and not Path(path).suffix and not Path(path).exists():
        names = ", ".join(name for name, weights in PUBLISHED.items() if weights.use == "detector")
        raise SettingError(
            f"no detector is called {text!r}; there are {names}, a file of yours ({EXAMPLE}) and, to search a whole "
            "video without a detector, motion"
        )
    if given.get("kind") not in FAMILIES:
        raise SettingError(f"{text!r}: kind is one of {', '.join(FAMILIES)}, as in {EXAMPLE}; got {given.get('kind')}")
    return DetectorText(
        path=Path(path),
        kind=given["kind"],
        size=_whole(given["size"], "size", text, first=1, last=MAX_SIZE) if "size" in given else None,
        score=_score(given["score"], text) if "score" in given else DEFAULT_SCORE,
        person=_whole(given["person"], "person", text, first=0, last=10**6) if "person" in given else None,
        tiles=_tiles(given.get("tiles", "auto"), text),
    )


def _tiles(value: str, text: str) -> Tiles:
    if value in ("auto", "none"):
        return cast(Tiles, value)
    if value.isascii() and value.isdigit() and MIN_TILE <= int(value) <= MAX_SIZE:
        return int(value)
    raise SettingError(
        f"{text!r}: tiles is auto, none, or the side of a tile in pixels of the frame, {MIN_TILE} to {MAX_SIZE}; "
        f"got {value!r}"
    )


def _whole(value: str, key: str, text: str, *, first: int, last: int) -> int:
    if not (value.isascii() and value.isdigit()) or not first <= int(value) <= last:
        raise SettingError(f"{text!r}: {key} is a whole number from {first} to {last}; got {value!r}")
    return int(value)


def _score(value: str, text: str) -> float:
    try:
        score = float(value)
    except ValueError:
        score = 0.0
    if not 0 < score < 1:
        raise SettingError(f"{text!r}: score is a number between 0 and 1; got {value!r}")
    return score


def _form_of(file: GraphFile, kind: str) -> tuple[Export, dict[str, str]]:
    """The family's form that this file has, and the file's names for its inputs and outputs, by role."""
    exports = FAMILIES[kind].exports
    for export in exports:
        inputs = {"picture": export.picture} | ({} if export.size is None else {"size": export.size})
        ins, outs = _named(inputs, file.inputs), _named(export.outputs, file.outputs)
        if ins is not None and outs is not None and len(ins) == len(file.inputs):
            return export, ins | outs
    form = f"{', '.join(map(str, file.inputs))} -> {', '.join(map(str, file.outputs))}"
    raise CheckpointError(f"{file.path}: {kind} files are {' or '.join(map(str, exports))}; this one is {form}")


def _named(declared: Mapping[str, Declared], ports: tuple[Port, ...]) -> dict[str, str] | None:
    """The one port that fits each role; None where there is none or several."""
    fitting = {role: [port.name for port in ports if wanted.fits(port)] for role, wanted in declared.items()}
    if any(len(names) != 1 for names in fitting.values()):
        return None
    return {role: names[0] for role, names in fitting.items()}


def _fixed_size(file: GraphFile, picture: str, asked: int | None) -> tuple[int, int] | None:
    """(height, width) that the file insists on; None = any."""
    height, width = next(port.shape for port in file.inputs if port.name == picture)[-2:]
    if height is None or width is None:
        return None
    if asked is not None and (height, width) != (asked, asked):
        raise CheckpointError(f"{file.path}: takes pictures of {width}x{height}; size={asked} was asked for")
    return height, width


def _takes_batches(file: GraphFile, export: Export, names: Mapping[str, str]) -> bool:
    """Whether the first axis of everything that goes in and comes out is open, and counts pictures."""
    ports = {port.name: port for port in (*file.inputs, *file.outputs)}
    sizes = {} if export.size is None else {"size": export.size}
    counted = {"picture": export.picture, **sizes, **export.outputs}
    return all(declared.shape[0] == 1 and ports[names[role]].shape[:1] == (None,) for role, declared in counted.items())


BATCH_BYTES = 16 * 2**20
"""Of pictures that a graph gets at once, 8 of 416x416: what it computes with takes about fifty times as much."""


def _batches(pictures: Iterable["_Fitted"]) -> Iterator[list["_Fitted"]]:
    """Neighbours of one size, as many as BATCH_BYTES hold."""
    batch: list[_Fitted] = []
    for picture in pictures:
        if batch and (picture.size != batch[0].size or (len(batch) + 1) * picture.tensor.nbytes > BATCH_BYTES):
            yield batch
            batch = []
        batch.append(picture)
    if batch:
        yield batch


def strongest(boxes: Boxes, scores: Scores, overlap: float) -> np.ndarray:
    """Places of the boxes that overlap no surer one by more than this IoU, the surest first."""
    sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    return np.array(cv2.dnn.NMSBoxes(sizes.tolist(), scores.tolist(), 0.0, overlap), np.int64)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A picture to feed, and how the frame lies in it."""

    tensor: Float32[np.ndarray, "3 height width"]
    scale: tuple[float, float]
    """Pixels of this picture in one of the frame, x and y."""
    of_frame: tuple[int, int]
    """(height, width) of the frame."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of this picture."""
        return self.tensor.shape[1], self.tensor.shape[2]

    def in_frame(self, boxes: Float64[np.ndarray, "box 4"]) -> Float64[np.ndarray, "box 4"]:
        """Boxes of this picture, xyxy, in pixels of the frame."""
        return boxes / np.tile(self.scale, 2)


def _fit(
    pixels: UInt8[np.ndarray, "height width 3"], preprocessing: Preprocessing, *, height: int, width: int
) -> _Fitted:
    """Bring an RGB frame into a picture of this size."""
    frame_height, frame_width = pixels.shape[:2]
    inner = width, height
    if preprocessing.fit == "letterbox":
        scale = min(width / frame_width, height / frame_height)
        inner = max(1, int(frame_width * scale)), max(1, int(frame_height * scale))
    shrinks = inner[0] < frame_width
    method = cv2.INTER_AREA if preprocessing.antialias and shrinks else cv2.INTER_LINEAR
    picture = np.full((height, width, 3), preprocessing.padding, np.uint8)
    picture[: inner[1], : inner[0]] = cv2.resize(pixels, inner, interpolation=method)
    if preprocessing.channels == "bgr":
        picture = picture[..., ::-1]
    mean, deviation = (np.array(values, np.float32) for values in preprocessing.mean_and_deviation)
    tensor = (picture.astype(np.float32) / np.float32(preprocessing.divisor) - mean) / deviation
    tensor = np.ascontiguousarray(np.moveaxis(tensor, 2, 0))
    return _Fitted(tensor, (inner[0] / frame_width, inner[1] / frame_height), (frame_height, frame_width))
