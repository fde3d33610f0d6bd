"""How a moving camera sees the ground move: a homography from each frame to the next.

A drone's picture is mostly ground, and the ground is nearly flat: corners of its texture are followed from
frame to frame, and the homography that most of them agree with is the ground's. People, cars and roofs
disagree and are outvoted.
"""

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

Homography: TypeAlias = Float64[np.ndarray, "3 3"]

SIDE = 1280
"""Longer side of the pictures that are compared."""
MAX_CORNERS = 800
CORNER_DISTANCE = 16
"""Pixels between corners, so that one busy roof does not outvote the lawn."""
MAX_ERROR = 1.0
"""Pixels by which a corner of the ground may miss its place."""
MIN_AGREEING = 0.3
"""Share of the followed corners; below it no plane carries the picture."""
MIN_FOLLOWED = 30
"""Corners."""
MIN_SHIFT = 0.0005
"""Of the picture's width, from frame to frame: two thirds of a pixel of 1280."""


class Registration:
    """Takes one frame after the other."""

    def __init__(self) -> None:
        self._before: UInt8[np.ndarray, "height width"] | None = None

    def step(self, pixels: UInt8[np.ndarray, "height width 3"]) -> Homography | None:
        """From the ground's pixels in the frame before to those in this one; None where no plane is found.

        The first frame, which has none before it, gives the identity.
        """
        scale = min(1.0, SIDE / max(pixels.shape))
        gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        before, self._before = self._before, gray
        motion = np.eye(3) if before is None else _ground_motion(before, gray)
        if motion is None:
            return None
        shrink = np.diag([scale, scale, 1.0])
        return np.linalg.inv(shrink) @ motion @ shrink


def moves(steps: Sequence[Homography | None], *, width: int, height: int) -> bool:
    """Does the camera move so much from frame to frame that one has to reckon with it?

    Unlike `CameraMotion`, which also sees a slow drift, this asks for half of all steps: before a still camera,
    somebody who passes close by may be taken for the ground for a while.
    """
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
    shifts = [np.abs(carry(corners, step) - corners).max() for step in steps if step is not None]
    return bool(shifts) and float(np.median(shifts)) > MIN_SHIFT * width


def carry(points: Float64[np.ndarray, "point 2"], motion: Homography) -> Float64[np.ndarray, "point 2"]:
    """Where these points of the ground are after the motion."""
    moved = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ motion.T
    return moved[:, :2] / moved[:, 2:]


def local_scale(points: Float64[np.ndarray, "point 2"], motion: Homography) -> Float64[np.ndarray, "point 2 2"]:
    """How the motion turns and stretches the surroundings of each point: the derivative there."""
    moved = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ motion.T
    after, depth = moved[:, :2] / moved[:, 2:], moved[:, 2]
    return (motion[None, :2, :2] - after[:, :, None] * motion[None, 2:, :2]) / depth[:, None, None]


def between(camera: Sequence[Homography | None], start: int, end: int) -> Homography:
    """From the ground's pixels at one step to those at another, later or earlier one.

    Args:
        camera: the motion from the step before to each step.
        start: step from which.
        end: step to which; the motion must be known all the way.
    """
    way = np.eye(3)
    for motion in camera[min(start, end) + 1 : max(start, end) + 1]:
        assert motion is not None
        way = motion @ way
    return way if start <= end else np.linalg.inv(way)


def _ground_motion(
    before: UInt8[np.ndarray, "height width"], after: UInt8[np.ndarray, "height width"]
) -> Homography | None:
    corners = cv2.goodFeaturesToTrack(before, MAX_CORNERS, qualityLevel=0.003, minDistance=CORNER_DISTANCE)
    if corners is None or len(corners) < MIN_FOLLOWED:
        return None
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, np.empty_like(corners), maxLevel=4)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, there, np.empty_like(corners), maxLevel=4)
    returned = np.linalg.norm(back - corners, axis=2)[:, 0] < 0.5
    trusted = (found[:, 0] == 1) & (found_back[:, 0] == 1) & returned
    if trusted.sum() < MIN_FOLLOWED:
        return None
    motion, agreeing = cv2.findHomography(corners[trusted], there[trusted], cv2.RANSAC, MAX_ERROR)
    if motion is None or agreeing.mean() < MIN_AGREEING:
        return None
    return np.asarray(motion, np.float64)
