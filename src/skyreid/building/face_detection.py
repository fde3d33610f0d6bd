"""Where faces are in a piece of a frame: OpenCV's own cascade, or a FaceDetectorYN model that the user brings."""

from pathlib import Path
from typing import Protocol

import cv2
import cv2.data
import numpy as np
from jaxtyping import Float, UInt8

from skyreid.errors import SettingError

Piece = UInt8[np.ndarray, "height width 3"]
"""RGB."""
Faces = Float[np.ndarray, "face 4"]
"""Left, top, width, height in pixels of the piece."""

SEARCH_SIDE = 640
"""Longer side of what is searched. A face fills a tenth of a person: enough, and the cost is bounded."""
MAX_ENLARGEMENT = 2.0
"""Measured on two people who walk up to the camera, faces of 13 to 40 pixels: as they are, the cascade finds
47 of 70; enlarged, all."""
MIN_NEIGHBOURS = 4
"""Agreeing detections of the cascade that make a face. Lower covers more, patterns on shirts among it."""
MIN_SCORE = 0.6
"""Of a FaceDetectorYN face. OpenCV's example takes 0.9, to show few wrong ones; here a missed one is worse."""


class FaceDetector(Protocol):
    """Finds the faces in a piece of a frame."""

    def find(self, piece: Piece) -> Faces:
        """Give their boxes, which may reach over the edge."""
        ...


class CascadeDetector:
    """OpenCV's Haar cascade: near, frontal, upright faces only.

    A profile, a face seen from above or one below some 10 pixels stays unseen.
    """

    def __init__(self) -> None:
        self._cascade = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_alt2.xml")
        assert not self._cascade.empty(), "opencv-python-headless below 5 ships the cascade"

    def find(self, piece: Piece) -> Faces:
        """Give the boxes from brows to chin."""
        scale = _search_scale(piece)
        gray = cv2.resize(cv2.cvtColor(piece, cv2.COLOR_RGB2GRAY), None, fx=scale, fy=scale)
        faces = self._cascade.detectMultiScale(gray, scaleFactor=1.1, minNeighbors=MIN_NEIGHBOURS)
        return np.asarray(faces, dtype=float).reshape(-1, 4) / scale


class YunetDetector:
    """OpenCV's FaceDetectorYN with a model file of the user, such as `face_detection_yunet_2023mar.onnx`.

    Raises:
        SettingError: the file is missing, or is no model of this kind.
    """

    def __init__(self, model: Path) -> None:
        if not model.is_file():
            raise SettingError(f"{model}: the FaceDetectorYN model is not there (face_detection_yunet_*.onnx)")
        try:
            self._net = cv2.FaceDetectorYN.create(str(model), "", (64, 64), MIN_SCORE)
            self._net.detect(np.zeros((64, 64, 3), np.uint8))  # another network fails here only
        except cv2.error as error:
            raise SettingError(
                f"{model}: OpenCV cannot use it as a FaceDetectorYN model (face_detection_yunet_*.onnx): {error.err}"
            ) from error

    def find(self, piece: Piece) -> Faces:
        """Give the boxes of whole faces."""
        scale = _search_scale(piece)
        picture = cv2.resize(cv2.cvtColor(piece, cv2.COLOR_RGB2BGR), None, fx=scale, fy=scale)
        self._net.setInputSize((picture.shape[1], picture.shape[0]))
        _, faces = self._net.detect(picture)
        return np.empty((0, 4)) if faces is None else faces[:, :4].astype(float) / scale


def _search_scale(piece: Piece) -> float:
    return min(SEARCH_SIDE / max(piece.shape), MAX_ENLARGEMENT)
