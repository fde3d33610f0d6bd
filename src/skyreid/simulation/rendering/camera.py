"""A pinhole camera, where it stands, and the rays of one crop.

World axes: x and y span the ground in metres, z points up. Pixel coordinates count from the
optical axis, `u` to the right and `v` down, so that a crop's window is independent of a sensor's size.
"""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float

Vector = Float[np.ndarray, "3"]
_NEAREST_M = 0.05
"""What is nearer to the camera's plane is not in the picture."""
_EDGES = [(one, other) for one, other in product(range(8), repeat=2) if one < other and one ^ other in (1, 2, 4)]
"""Between corners that differ in one bit."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """The pixels of a crop: columns `left` to `left + width - 1`, rows `top` to `top + height - 1`."""

    left: int
    top: int
    width: int
    height: int

    def padded(self, margin: int) -> "Window":
        """The same window with `margin` pixels more on every side."""
        return Window(
            left=self.left - margin,
            top=self.top - margin,
            width=self.width + 2 * margin,
            height=self.height + 2 * margin,
        )


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole that sees a point at `focal_px * (x / z, y / z)` in its own axes (right, down, forward)."""

    position: Vector
    """Metres."""
    axes: Float[np.ndarray, "3 3"]
    """Rows: right, down, forward, as unit vectors of the world."""
    focal_px: float

    def to_camera(self, points: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
        """World points in the camera's own axes: metres to the right, down and forward (depth)."""
        return ((points - self.position)[..., None, :] * self.axes).sum(axis=-1)

    def project(self, points: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 2"]:
        """Pixel coordinates (u, v) of world points in front of the camera."""
        seen = self.to_camera(points)
        return self.focal_px * seen[..., :2] / seen[..., 2:]

    def sample_grid(
        self, window: Window, samples: int
    ) -> tuple[Float[np.ndarray, " column"], Float[np.ndarray, " row"]]:
        """Pixel coordinates u of the columns and v of the rows of `samples` x `samples` rays a pixel."""
        columns = window.left + (np.arange(window.width * samples) + 0.5) / samples
        rows = window.top + (np.arange(window.height * samples) + 0.5) / samples
        return columns, rows

    @property
    def pinhole(self) -> Float[np.ndarray, "4 3"]:
        """Rows o, r, d, f: the ray through (u, v) starts at o and goes along f + u r + v d, by 1 m forward."""
        scale = np.array([[1 / self.focal_px], [1 / self.focal_px], [1.0]])
        return np.concatenate([self.position[None], self.axes * scale])

    def outlines(self, corners: Float[np.ndarray, "solid 8 3"]) -> Float[np.ndarray, "solid 4"]:
        """The xyxy boxes of solids in pixel coordinates, from corners numbered by three bits, one an axis.

        What is behind the camera is cut off; (inf, inf, -inf, -inf) for a solid of which nothing is left.
        """
        seen = self.to_camera(corners)
        one, other = seen[:, [edge[0] for edge in _EDGES]], seen[:, [edge[1] for edge in _EDGES]]
        ends = np.concatenate([_cut_off(one, other), _cut_off(other, one)], axis=1)
        is_behind = ends[..., 2:] < _NEAREST_M
        pixels = self.focal_px * ends[..., :2] / np.where(is_behind, 1.0, ends[..., 2:])
        low = np.where(is_behind, np.inf, pixels).min(axis=1)
        high = np.where(is_behind, -np.inf, pixels).max(axis=1)
        return np.concatenate([low, high], axis=1)


def _cut_off(
    end: Float[np.ndarray, "solid edge 3"], other: Float[np.ndarray, "solid edge 3"]
) -> Float[np.ndarray, "solid edge 3"]:
    """Ends of edges, moved to just before the camera's plane where they are behind it and the others are not."""
    depth, there = end[..., 2:], other[..., 2:]
    crosses = (depth < _NEAREST_M) & (there > _NEAREST_M)
    share = (_NEAREST_M * (1 + 1e-9) - depth) / np.where(crosses, there - depth, 1.0)
    return np.where(crosses, end + share * (other - end), end)


def look_at(position: Vector, target: Vector, *, focal_px: float) -> Camera:
    """A camera whose optical axis goes through `target` and whose picture stands upright.

    Raises:
        ValueError: the target is straight above or below, where "upright" has no meaning.
    """
    forward = (target - position) / math.dist(target, position)
    level = math.hypot(forward[0], forward[1])
    if level < 1e-6:
        raise ValueError(
            f"a camera at {position.tolist()} that looks straight up or down at {target.tolist()} has no upright"
        )
    right = np.array([forward[1], -forward[0], 0.0]) / level
    down = np.cross(forward, right)
    return Camera(position, np.stack([right, down, forward]), focal_px)
