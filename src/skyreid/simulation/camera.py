"""A pinhole camera, where it stands, and the rays of one crop.

World axes: x and y span the ground in metres, z points up. Pixel coordinates count from the
optical axis, `u` to the right and `v` down, so that a crop's window is independent of a sensor's size.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Vector = Float[np.ndarray, "3"]


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

    def directions(
        self, columns: Float[np.ndarray, " column"], rows: Float[np.ndarray, " row"]
    ) -> Float[np.ndarray, "3 row column"]:
        """Ray directions whose forward part is 1: a distance along them is a depth in metres."""
        right, down, forward = self.axes[..., None, None]
        u, v = columns[None, None, :] / self.focal_px, rows[None, :, None] / self.focal_px
        return forward + u * right + v * down


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
