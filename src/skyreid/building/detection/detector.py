"""A user's detector: an ONNX file of a declared family, from frames to boxes of people."""

import json
from collections.abc import Mapping

import cv2
import numpy as np
from jaxtyping import UInt8

from skyreid.building.detection.detector_text import DetectorText, parse_detector
from skyreid.building.detection.families import FAMILIES
from skyreid.building.detection.family import Boxes, Declared, Export, Scores
from skyreid.building.detection.input_picture import fit
from skyreid.building.detection.onnx_file import OnnxFile, Port, open_onnx
from skyreid.errors import CheckpointError


class Detector:
    """Finds people in frames; `load_detector` makes one."""

    def __init__(self, file: OnnxFile, settings: DetectorText) -> None:
        self._file = file
        self._family = FAMILIES[settings.kind]
        self._export, self._names = _form_of(file, settings.kind)
        self._person = self._family.person if settings.person is None else settings.person
        self._fixed_size = _fixed_size(file, self._names["picture"], settings.size)
        self._side = settings.size or self._family.default_size
        if self._fixed_size is None and self._side is None and not self._family.takes_frames:
            raise CheckpointError(f"{file.path}: takes pictures of any size; say which one (size=N)")
        self.score = settings.score
        """From which on a box is a person."""
        self.fingerprint = json.dumps(
            {
                "sha256": file.sha256,
                "kind": settings.kind,
                "size": self._fixed_size or self._side,
                "score": self.score,
                "person": self._person,
            }
        )
        """Of the file and the settings: what decides over the boxes."""

    def find(self, pixels: UInt8[np.ndarray, "height width 3"], *, min_score: float) -> tuple[Boxes, Scores]:
        """Boxes of people in an RGB frame, xyxy in its pixels and inside it, the surest first, and their scores.

        Raises:
            CheckpointError: what the file gives cannot be boxes of its kind.
        """
        height, width = pixels.shape[:2]
        size = self._picture_size(height, width)
        fitted = fit(pixels, self._family.preprocessing, height=size[0], width=size[1])
        is_batch = len(self._export.picture.shape) == 4
        inputs = {self._names["picture"]: fitted.tensor[None] if is_batch else fitted.tensor}
        if self._export.size is not None:
            inputs[self._names["size"]] = np.array([[size[1], size[0]]], np.int64)
        arrays = self._outputs(inputs)
        try:
            boxes, scores = self._export.decode(arrays, size, self._person)
            sure = scores >= min_score
            boxes, scores = boxes[sure], scores[sure]
            if not np.isfinite(boxes).all():
                raise ValueError("gives boxes that are not finite")
        except ValueError as error:
            raise CheckpointError(f"{self._file.path}: {error}") from error
        boxes = np.clip(fitted.in_frame(boxes), 0, (width, height, width, height))
        kept = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1))
        kept = kept[np.argsort(-scores[kept], kind="stable")]
        if self._family.overlap is not None:
            kept = kept[_strongest(boxes[kept], scores[kept], self._family.overlap)]
        return boxes[kept], scores[kept]

    def _outputs(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """By role; what a file promises and what it gives need not agree."""
        declared = self._export.outputs
        arrays = self._file.run(inputs, [self._names[role] for role in declared])
        for (role, wanted), array in zip(declared.items(), arrays, strict=True):
            given = Port(self._names[role], str(array.dtype), array.shape)
            if not wanted.fits(given):
                raise CheckpointError(f"{self._file.path}: gives {given} where {wanted} belongs")
        return dict(zip(declared, arrays, strict=True))

    def _picture_size(self, height: int, width: int) -> tuple[int, int]:
        if self._fixed_size is not None:
            return self._fixed_size
        if self._family.takes_frames:
            scale = 1.0 if self._side is None else self._side / max(height, width)
            return max(1, round(height * scale)), max(1, round(width * scale))
        assert self._side is not None
        return self._side, self._side


def load_detector(text: str) -> Detector:
    """Load `FILE.onnx,kind=yolox|rt-detr|rf-detr|torchvision[,size=640][,score=0.4][,person=0]`.

    Raises:
        SettingError: the text is not of this form, or the extra `detection` is not installed.
        CheckpointError: the file cannot be loaded, or is not of this kind; the message shows both.
    """
    settings = parse_detector(text)
    return Detector(open_onnx(settings.path), settings)


def _form_of(file: OnnxFile, kind: str) -> tuple[Export, dict[str, str]]:
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


def _fixed_size(file: OnnxFile, picture: str, asked: int | None) -> tuple[int, int] | None:
    """(height, width) that the file insists on; None = any."""
    height, width = next(port.shape for port in file.inputs if port.name == picture)[-2:]
    if height is None or width is None:
        return None
    if asked is not None and (height, width) != (asked, asked):
        raise CheckpointError(f"{file.path}: takes pictures of {width}x{height}; size={asked} was asked for")
    return height, width


def _strongest(boxes: Boxes, scores: Scores, overlap: float) -> np.ndarray:
    """Places of the boxes that overlap no surer one by more than this IoU."""
    sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    return np.array(cv2.dnn.NMSBoxes(sizes.tolist(), scores.tolist(), 0.0, overlap), np.int64)
