"""Where faces are in a piece of a frame: OpenCV's own cascade, or a model that the user brings, of OpenCV or OpenVINO.

Run as a program, it is the process in which the user's model runs.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import cv2
import cv2.data
import numpy as np
from jaxtyping import Float, UInt8

from skyreid.building.crops.quality import scaled
from skyreid.errors import CheckpointError, SettingError
from skyreid.files.regular_file import bytes_sha256, read_regular
from skyreid.graphs.graph_process import (
    DEFAULT_LIMITS,
    Answer,
    Compute,
    GraphLimits,
    GraphProcess,
    RefusedError,
    first_line,
    serve,
)
from skyreid.graphs.openvino_file import open_openvino

Piece = UInt8[np.ndarray, "height width 3"]
"""RGB."""
Faces = Float[np.ndarray, "face 4"]
"""Left, top, width, height in pixels of the piece."""

SEARCH_HEIGHT = 400
"""What a person is scaled to before the search: a face is then 40 to 50 pixels high, whatever it was filmed with."""
MAX_ENLARGEMENT = 4.0
FACE_SHARE = (0.06, 0.35)
"""Height of a face over that of the person: upright, and from above or cut by the picture's edge."""
MIN_NEIGHBOURS = 4
"""Agreeing detections of the cascade that make a face. Lower covers more, patterns on shirts among it."""
MIN_SCORE = 0.6
"""Of a FaceDetectorYN face. OpenCV's example takes 0.9, to show few wrong ones; here a missed one is worse."""
MAX_MODEL_BYTES = 2**26
"""Of a FaceDetectorYN file; those of OpenCV have less than one MiB."""
SKIN_HUES = (25, 168)
"""Of OpenCV's 180: skin is below the first, from red to orange, or above the second."""
MIN_SKIN = 0.08
"""Share of the head. Measured on real people: where CenterFace sees a face 10 pixels wide that the cascade misses, 13
of 13 heads reach it; of smaller faces 315 of 356."""
GREY_CHROMA = 8
"""Levels between the strongest and the weakest channel; a picture with less has no colours."""


class FaceDetector(Protocol):
    """Finds the faces in a piece of a frame."""

    card: str
    """What it is and what it misses, for the masking report."""

    def find(self, piece: Piece, *, person_height: float) -> Faces:
        """Give their boxes, which may reach over the edge.

        Args:
            piece: a person and some room.
            person_height: of the whole person at this size, in pixels; the piece may show a part.
        """
        ...


class CascadeDetector:
    """OpenCV's Haar cascade: near, frontal, upright faces only.

    A profile, a face seen from above or one below some 10 pixels stays unseen.
    """

    card = (
        "OpenCV's haarcascade_frontalface_alt2 (Lienhart and Maydt 2002): near, frontal, upright faces. Of the faces "
        "that CenterFace finds on real footage, 10 pixels wide and more, it found 22 of 22 frontal ones and none of 13 "
        "in profile or turned away"
    )

    def __init__(self) -> None:
        self._cascade = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_alt2.xml")
        assert not self._cascade.empty(), "opencv-python-headless below 5 ships the cascade"

    def find(self, piece: Piece, *, person_height: float) -> Faces:
        """Give the boxes from brows to chin."""
        scale = _search_scale(person_height)
        gray = scaled(cv2.cvtColor(piece, cv2.COLOR_RGB2GRAY), scale)
        least, most = (max(20, round(share * person_height * scale)) for share in FACE_SHARE)
        faces = self._cascade.detectMultiScale(
            gray, scaleFactor=1.1, minNeighbors=MIN_NEIGHBOURS, minSize=(least, least), maxSize=(most, most)
        )
        return np.asarray(faces, dtype=float).reshape(-1, 4) / scale


class YunetDetector:
    """OpenCV's FaceDetectorYN with a model file of the user, such as `face_detection_yunet_2023mar.onnx`.

    The model is an ONNX graph from a stranger, so it runs in a process of its own, which ends with this object.

    Raises:
        SettingError: the file is missing, or is no model of this kind, or needs more than the limits.
    """

    def __init__(self, model: Path, *, limits: GraphLimits = DEFAULT_LIMITS) -> None:
        if not model.is_file():
            raise SettingError(f"{model}: the FaceDetectorYN model is not there (face_detection_yunet_*.onnx)")
        try:
            self._graph = GraphProcess("skyreid.building.crops.face_detection", model, limits)
        except CheckpointError as error:
            raise SettingError(str(error)) from error
        sha256 = self._graph.told["sha256"]
        self.card = f"a FaceDetectorYN model of the user, sha256 {sha256}; its maker tells what it misses"

    def find(self, piece: Piece, *, person_height: float) -> Faces:
        """Give the boxes of whole faces.

        Raises:
            CheckpointError: the graph cannot work with the picture, or not within the limits.
        """
        scale = _search_scale(person_height)
        picture = scaled(cv2.cvtColor(piece, cv2.COLOR_RGB2BGR), scale)
        _, found = self._graph.ask({}, {"picture": picture})
        return found["faces"].astype(float) / scale


class SsdDetector:
    """face-detection-retail-0005 of Open Model Zoo, or an OpenVINO file of its form: rows of image, label, score, xyxy.

    It sees a square of the upper half of a person. The file runs in a process of its own, which ends with this object.

    Raises:
        SettingError: the file is missing, of another form, or what runs it is not installed.
    """

    def __init__(self, model: Path) -> None:
        try:
            self._file = open_openvino(model)
        except CheckpointError as error:
            raise SettingError(str(error)) from error
        takes, gives = self._file.inputs, self._file.outputs
        height, width = takes[0].shape[2:] if len(takes[0].shape) == 4 else (None, None)
        if len(takes) + len(gives) != 2 or height is None or width is None or gives[0].shape[-1:] != (7,):
            raise SettingError(
                f"{model}: a face model for OpenVINO takes [1, 3, height, width] and gives [1, 1, faces, 7] (as "
                f"face-detection-retail-0005); this one is {', '.join(map(str, takes))} -> {', '.join(map(str, gives))}"
            )
        self._input, self._output, self._size = takes[0].name, gives[0].name, (width, height)
        self.card = f"a face model of the user for OpenVINO, sha256 {self._file.sha256}; its maker tells what it misses"

    def find(self, piece: Piece, *, person_height: float) -> Faces:
        """Give the boxes of whole heads.

        Raises:
            CheckpointError: the graph cannot work with the picture, or not within the limits.
        """
        side = max(piece.shape[1], round(min(piece.shape[0], person_height) / 2))
        square = np.zeros((side, side, 3), np.uint8)
        upper = piece[:side]
        square[: upper.shape[0], : upper.shape[1]] = upper
        picture = cv2.resize(square, self._size)[:, :, ::-1].transpose(2, 0, 1)
        (rows,) = self._file.run({self._input: np.ascontiguousarray(picture[None], np.float32)}, [self._output])
        rows = rows.reshape(-1, 7).astype(float)
        rows = rows[(rows[:, 0] >= 0) & (rows[:, 2] >= MIN_SCORE) & np.isfinite(rows).all(axis=1)]
        corners = rows[:, 3:] * side
        return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)


def face_detector(model: Path) -> SsdDetector | YunetDetector:
    """Load a face model by its ending: .xml is OpenVINO's, anything else a FaceDetectorYN.

    Raises:
        SettingError: it is missing, or none that can be used.
    """
    return SsdDetector(model) if model.suffix.lower() == ".xml" else YunetDetector(model)


def _load_yunet(request: Mapping[str, Any]) -> tuple[Mapping[str, object], Compute]:
    """Make OpenCV's detector of the bytes of the file; it then opens no other one."""
    cv2.setNumThreads(request["threads"])
    content = read_regular(request["path"], most_bytes=MAX_MODEL_BYTES)
    net = cv2.FaceDetectorYN.create(
        "onnx", np.frombuffer(content, np.uint8), np.empty(0, np.uint8), (64, 64), MIN_SCORE
    )

    def compute(_: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Answer:
        picture = arrays["picture"]
        net.setInputSize((picture.shape[1], picture.shape[0]))
        faces = net.detect(picture)[1]
        return {}, {"faces": np.empty((0, 4)) if faces is None else np.ascontiguousarray(faces[:, :4])}

    compute({}, {"picture": np.zeros((64, 64, 3), np.uint8)})  # another network fails here only
    return {"sha256": bytes_sha256(content)}, compute


def _load_or_refuse(request: Mapping[str, Any]) -> tuple[Mapping[str, object], Compute]:
    try:
        return _load_yunet(request)
    except (cv2.error, OSError) as error:
        reason = getattr(error, "err", None) or first_line(error)
        raise RefusedError(
            f"OpenCV cannot use it as a FaceDetectorYN model (face_detection_yunet_*.onnx): {reason}"
        ) from error


def skin_share(pixels: UInt8[np.ndarray, "*place 3"]) -> float:
    """Share of the pixels that have the colour of skin; 0 of none.

    Skin of all tones has the hue of blood and melanin; how dark it is decides nothing here. So have brown and fair
    hair, wood and sand.
    """
    if pixels.size == 0:
        return 0.0
    hsv = cv2.cvtColor(np.ascontiguousarray(pixels).reshape(1, -1, 3), cv2.COLOR_RGB2HSV)[0].astype(int)
    hue, saturation, value = hsv.T
    is_skin = ((hue < SKIN_HUES[0]) | (hue > SKIN_HUES[1])) & (saturation > 30) & (saturation < 205) & (value > 35)
    return float(is_skin.mean())


def has_colours(pixels: Piece) -> bool:
    """Whether a frame is no grey one, as cameras film at night: in those, colours tell nothing."""
    few = pixels[::8, ::8].astype(int)
    return bool(np.percentile(few.max(axis=2) - few.min(axis=2), 98) >= GREY_CHROMA)


def _search_scale(person_height: float) -> float:
    return min(SEARCH_HEIGHT / person_height, MAX_ENLARGEMENT)


if __name__ == "__main__":
    serve(_load_or_refuse)
