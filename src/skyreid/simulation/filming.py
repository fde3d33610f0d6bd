"""One person walks past one camera: the crops of one tracklet, and what is true about them."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from skyreid.simulation.camera import Camera, Window, look_at
from skyreid.simulation.capsules import Capsules, image_boxes, place
from skyreid.simulation.light import draw_light
from skyreid.simulation.people.body import body, size
from skyreid.simulation.people.person import Person, draw_person
from skyreid.simulation.people.skeleton import LEG_M
from skyreid.simulation.ray_caster import draw
from skyreid.simulation.sensor import BLUR_REACH_PX, develop, draw_sensor, encode
from skyreid.simulation.surroundings import draw_surroundings
from skyreid.tracklet import Platform

FRAME_INTERVAL_S = 0.5
"""Source: paper section 3.1."""
CROP_WIDTHS_PX = {Platform.GROUND: (10, 70), Platform.AERIAL: (5, 35)}
"""Narrowest and widest crop. Source: paper section 3.3, Fig. 1."""

_TYPICAL_WIDTH_M = 0.6
"""Of a walking person, over all directions."""
_USUAL_WIDTHS_PX = {Platform.GROUND: (20.0, 48.0), Platform.AERIAL: (11.0, 26.0)}
"""Of that typical width, so that most crops keep off the ends of the published range."""
_SAMPLES = 2


@dataclass(frozen=True)
class Crop:
    """One frame of a tracklet."""

    jpeg: bytes
    person: Float[np.ndarray, "height width"]
    """Share of every pixel that the person covers, before the lens's blur."""

    @property
    def width(self) -> int:
        """In pixels."""
        return self.person.shape[1]


def identity(seed: int, number: int) -> Person:
    """The person who is identity `number` of the world `seed`, however many others there are."""
    return draw_person(np.random.default_rng([seed, number, 0]))


def film(seed: int, number: int, platform: Platform, num_frames: int) -> list[Crop]:
    """The crops of identity `number` on one platform, `FRAME_INTERVAL_S` apart; the same at every call."""
    rng = np.random.default_rng([seed, number, 1 + platform.number])
    bodies, reach_m = _walk(rng, identity(seed, number), num_frames)
    if platform is Platform.GROUND:
        cameras = _ground_cameras(rng, num_frames, reach_m)
    else:
        cameras = _drone_cameras(rng, num_frames)
    boxes = [_outline(capsules, camera) for capsules, camera in zip(bodies, cameras, strict=True)]
    margins = rng.uniform(0.0, 0.07, (num_frames, 4)) * [-1, -1, 1, 1]
    loose = [box + margin * np.tile(box[2:] - box[:2], 2) for box, margin in zip(boxes, margins, strict=True)]
    focal_px = _focal_length(rng, platform, cameras[0], loose)
    surroundings = draw_surroundings(rng, cameras[0])
    light, sensor = draw_light(rng), draw_sensor(rng, platform)
    crops = []
    for capsules, camera, box in zip(bodies, cameras, loose, strict=True):
        # One free pixel all round: nothing of the person is cut off.
        left, top = math.floor(focal_px * box[0]) - 1, math.floor(focal_px * box[1]) - 1
        right, bottom = math.ceil(focal_px * box[2]) + 1, math.ceil(focal_px * box[3]) + 1
        window = Window(left=left, top=top, width=right - left, height=bottom - top)
        picture = draw(
            dataclasses.replace(camera, focal_px=focal_px),
            window.padded(BLUR_REACH_PX),
            capsules,
            surroundings,
            light,
            samples=_SAMPLES,
        )
        jpeg = encode(develop(picture.radiance, sensor, rng), sensor)
        inner = slice(BLUR_REACH_PX, -BLUR_REACH_PX)
        crops.append(Crop(jpeg, picture.person[inner, inner]))
    return crops


def _walk(rng: np.random.Generator, person: Person, num_frames: int) -> tuple[list[Capsules], float]:
    """The body at each frame of a walk along a circle, and how far it gets from the origin, the walk's middle."""
    # A stride is two steps, and a step twice what one leg swings to the front.
    stride_m = 4 * LEG_M * size(person) * math.sin(person.stride.swing_rad)
    step_m = stride_m * person.stride.cadence_hz * FRAME_INTERVAL_S
    turn_rad = step_m / rng.uniform(2.5, 6.0) * rng.choice([-1, 1])
    frames = np.arange(num_frames)
    headings = rng.uniform(0, 2 * math.pi) + turn_rad * frames
    phases = rng.random() + person.stride.cadence_hz * FRAME_INTERVAL_S * frames
    x, y = np.cumsum(step_m * np.cos(headings)), np.cumsum(step_m * np.sin(headings))
    x, y = x - x.mean(), y - y.mean()
    bodies = [
        place(body(person, float(phase)), scale=size(person), x=float(px), y=float(py), heading_rad=float(heading))
        for phase, px, py, heading in zip(phases, x, y, headings, strict=True)
    ]
    return bodies, float(np.hypot(x, y).max())


def _ground_cameras(rng: np.random.Generator, num_frames: int, reach_m: float) -> list[Camera]:
    """A fixed camera 2 m up that nobody comes near. Source: paper section 3.1."""
    azimuth, distance = rng.uniform(0, 2 * math.pi), rng.uniform(10.0, 30.0) + reach_m
    position = np.array([distance * math.cos(azimuth), distance * math.sin(azimuth), 2.0])
    return [look_at(position, np.array([0.0, 0.0, 0.9]), focal_px=1.0)] * num_frames


def _drone_cameras(rng: np.random.Generator, num_frames: int) -> list[Camera]:
    """A drone that hovers, cruises or turns 20 to 60 m up. Source: paper section 3.1."""
    height, down = rng.uniform(20.0, 60.0), math.radians(30.0 + 50.0 * rng.beta(1.2, 1.8))
    azimuth, drift = rng.uniform(0, 2 * math.pi), rng.normal(0.0, 0.06)
    distance = height / math.tan(down)
    cameras = []
    for frame in range(num_frames):
        angle = azimuth + drift * FRAME_INTERVAL_S * frame
        position = np.array([distance * math.cos(angle), distance * math.sin(angle), height])
        cameras.append(look_at(position, np.array([0.0, 0.0, 0.9]), focal_px=1.0))
    return cameras


def _outline(capsules: Capsules, camera: Camera) -> Float[np.ndarray, "4"]:
    boxes = image_boxes(capsules, camera)
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def _focal_length(
    rng: np.random.Generator, platform: Platform, camera: Camera, boxes: list[Float[np.ndarray, "4"]]
) -> float:
    """Zoom so that people have the published size; `boxes` were seen with a focal length of 1 pixel."""
    low, high = _USUAL_WIDTHS_PX[platform]
    usual_px = math.exp(rng.uniform(math.log(low), math.log(high)))
    focal_px = usual_px * float(np.linalg.norm(camera.position)) / _TYPICAL_WIDTH_M
    widths = [float(box[2] - box[0]) for box in boxes]
    narrowest, widest = CROP_WIDTHS_PX[platform]
    # Rounding outwards to whole pixels and the free pixels add less than four.
    return min(max(focal_px, narrowest / min(widths)), (widest - 4) / max(widths))
