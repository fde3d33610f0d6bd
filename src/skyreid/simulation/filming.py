"""One person walks past one camera: the crops of one tracklet, and what is true about them.

Only the crops are drawn, not the scene around them: a thousand times less work than whole frames
(`skyreid.simulation.world`), for benchmarks of many people.
"""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from skyreid.datasets.statistics import PAPER_CROP_WIDTHS
from skyreid.simulation.difficulty import USUAL, Difficulty
from skyreid.simulation.people.body import body, size, stride_m
from skyreid.simulation.people.person import Person, draw_clothes, draw_person
from skyreid.simulation.rendering.camera import Camera, Window, look_at
from skyreid.simulation.rendering.capsules import Capsules, image_boxes, place
from skyreid.simulation.rendering.light import Light, draw_light
from skyreid.simulation.rendering.ray_caster import Picture, draw
from skyreid.simulation.rendering.sensor import BLUR_REACH_PX, develop, draw_sensor, encode
from skyreid.simulation.rendering.surroundings import draw_surroundings
from skyreid.tracklet import Platform

FRAME_INTERVAL_S = 0.5
"""Source: paper section 3.1."""
FOCAL_PX = 1109.0
"""Of a picture 1280 wide that spans 60 degrees: people on both platforms then have the published widths."""
LEAST_VISIBLE = 0.3
"""Who is hidden more than that is filmed without the stranger who hides them."""

_NEAREST_M, _FARTHEST_M = 13.0, 42.0
"""Of the ground camera."""
_SAMPLES = 2
MAX_SEED = 2**32 - 2
"""Of a user's worlds and benchmarks; the next seed is that of `skyreid.simulation.captions`."""


@dataclass(frozen=True)
class Crop:
    """One frame of a tracklet."""

    jpeg: bytes
    person: Float[np.ndarray, "height width"]
    """Share of every pixel that the person visibly covers, before the lens's blur."""
    visible: float
    """Share of the person that nobody hides."""


@dataclass(frozen=True)
class Film:
    """One tracklet."""

    crops: list[Crop]
    attributes: dict[str, str | float]
    """What is true about all of it: how far and how high the camera is, how it looks down, what it sees of the
    person, and whether a stranger walks by."""


def identity(seed: int, number: int, difficulty: Difficulty = USUAL) -> Person:
    """The person who is identity `number` of the world `seed`, however many others there are."""
    clothes = draw_clothes(np.random.default_rng([seed, difficulty.wardrobe(number), 1]), dark=difficulty.dark)
    return draw_person(np.random.default_rng([seed, number, 0]), clothes)


def film(
    seed: int,
    number: int,
    platform: Platform,
    num_frames: int,
    *,
    difficulty: Difficulty = USUAL,
    take: int = 0,
) -> Film:
    """The crops of identity `number` on one platform, `FRAME_INTERVAL_S` apart; the same at every call.

    Args:
        seed: of the world.
        number: of the identity.
        platform: who films.
        num_frames: crops.
        difficulty: of the world.
        take: another one is another walk past another camera, at another hour.
    """
    rng = np.random.default_rng([seed, number, 2 + platform.number, take])  # take 0 draws what [seed, …] did before
    bodies, headings, reach_m = _walk(rng, identity(seed, number, difficulty), num_frames)
    if platform is Platform.GROUND:
        cameras = _ground_cameras(rng, num_frames, reach_m)
    else:
        cameras = _drone_cameras(rng, num_frames, difficulty)
    boxes = [_outline(capsules, camera) for capsules, camera in zip(bodies, cameras, strict=True)]
    margins = rng.uniform(0.0, 0.07, (num_frames, 4)) * [-1, -1, 1, 1]
    loose = [box + margin * np.tile(box[2:] - box[:2], 2) for box, margin in zip(boxes, margins, strict=True)]
    focal_px = _focal_length(platform, loose)
    strangers = _strangers(rng, bodies, cameras[0], difficulty)
    surroundings = draw_surroundings(rng, cameras[0])
    light = light_of(seed, difficulty, rng)
    sensor = draw_sensor(rng, platform, tint=difficulty.tint, exposure=difficulty.exposure)
    crops = []
    for capsules, beside, camera, box in zip(bodies, strangers, cameras, loose, strict=True):
        # One free pixel all round: nothing of the person is cut off.
        left, top = math.floor(focal_px * box[0]) - 1, math.floor(focal_px * box[1]) - 1
        right, bottom = math.ceil(focal_px * box[2]) + 1, math.ceil(focal_px * box[3]) + 1
        window = Window(left=left, top=top, width=right - left, height=bottom - top).padded(BLUR_REACH_PX)
        zoomed = dataclasses.replace(camera, focal_px=focal_px)
        picture = draw(zoomed, window, [capsules, *beside], surroundings, light, samples=_SAMPLES)
        if _visible(picture) < LEAST_VISIBLE:
            picture = draw(zoomed, window, [capsules], surroundings, light, samples=_SAMPLES)
        jpeg = encode(develop(picture.radiance, sensor, rng), sensor)
        inner = slice(BLUR_REACH_PX, -BLUR_REACH_PX)
        crops.append(Crop(jpeg, picture.coverage(0)[inner, inner], _visible(picture)))
    middle = num_frames // 2
    attributes = _view(cameras[middle], headings[middle])
    attributes["company"] = "yes" if any(strangers) else "no"
    return Film(crops, attributes)


def light_of(seed: int, difficulty: Difficulty, rng: np.random.Generator) -> Light:
    """The hour and weather of one tracklet."""
    return draw_light(rng if difficulty.light_varies else np.random.default_rng(seed))


def _visible(picture: Picture) -> float:
    return float((picture.body == 0).sum() / picture.alone[0])


def _view(camera: Camera, heading_rad: float) -> dict[str, str | float]:
    """How a camera sees a person who stands at the origin."""
    x, y, height = (float(value) for value in camera.position)
    turned = math.cos(heading_rad - math.atan2(y, x))  # 1 = walks towards the camera
    return {
        "camera height, m": round(height, 1),
        "distance, m": round(math.hypot(x, y, height), 1),
        "look down, degrees": round(math.degrees(math.atan2(height, math.hypot(x, y))), 1),
        "seen from": "the front" if turned > 0.5 else "the back" if turned < -0.5 else "the side",
    }


def _walk(
    rng: np.random.Generator, person: Person, num_frames: int
) -> tuple[list[Capsules], Float[np.ndarray, " frame"], float]:
    """The body and its heading at each frame of a walk along a circle, and how far it gets from the origin, the
    walk's middle.
    """
    step_m = stride_m(person) * person.stride.cadence_hz * FRAME_INTERVAL_S
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
    return bodies, headings, float(np.hypot(x, y).max())


def _strangers(
    rng: np.random.Generator, bodies: list[Capsules], camera: Camera, difficulty: Difficulty
) -> list[list[Capsules]]:
    """Who else is in each frame: nobody, or one who crosses between the person and the camera."""
    if rng.random() >= difficulty.company:
        return [[] for _ in bodies]
    stranger = draw_person(rng, draw_clothes(rng, dark=difficulty.dark))
    towards = math.atan2(camera.position[1], camera.position[0])
    nearer_m, side = rng.uniform(0.5, 1.2), rng.choice([-1, 1])
    begin_m, speed = rng.uniform(-2.0, 0.2), rng.uniform(0.1, 0.5)
    phase, cadence = rng.random(), stranger.stride.cadence_hz * FRAME_INTERVAL_S
    placed = []
    for frame, capsules in enumerate(bodies):
        x, y = 0.5 * (capsules.start[:, :2].min(axis=0) + capsules.start[:, :2].max(axis=0))
        along = side * (begin_m + speed * frame)
        x += nearer_m * math.cos(towards) - along * math.sin(towards)
        y += nearer_m * math.sin(towards) + along * math.cos(towards)
        step = body(stranger, float(phase + cadence * frame))
        heading = towards + side * math.pi / 2
        placed.append([place(step, scale=size(stranger), x=float(x), y=float(y), heading_rad=float(heading))])
    return placed


def _ground_cameras(rng: np.random.Generator, num_frames: int, reach_m: float) -> list[Camera]:
    """A fixed camera 2 m up that nobody comes near. Source: paper section 3.1."""
    azimuth = rng.uniform(0, 2 * math.pi)
    distance = math.exp(rng.uniform(math.log(_NEAREST_M), math.log(_FARTHEST_M))) + reach_m
    position = np.array([distance * math.cos(azimuth), distance * math.sin(azimuth), 2.0])
    return [look_at(position, np.array([0.0, 0.0, 0.9]), focal_px=1.0)] * num_frames


def _drone_cameras(rng: np.random.Generator, num_frames: int, difficulty: Difficulty) -> list[Camera]:
    """A drone that hovers or circles."""
    flattest, steepest = difficulty.pitch_deg
    height, down = rng.uniform(*difficulty.altitude_m), flattest + (steepest - flattest) * rng.beta(1.2, 1.8)
    azimuth, drift = rng.uniform(0, 2 * math.pi), rng.normal(0.0, 0.06)
    distance = height / math.tan(math.radians(down))
    cameras = []
    for frame in range(num_frames):
        angle = azimuth + drift * FRAME_INTERVAL_S * frame
        position = np.array([distance * math.cos(angle), distance * math.sin(angle), height])
        cameras.append(look_at(position, np.array([0.0, 0.0, 0.9]), focal_px=1.0))
    return cameras


def _outline(capsules: Capsules, camera: Camera) -> Float[np.ndarray, "4"]:
    boxes = image_boxes(capsules, camera)
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def _focal_length(platform: Platform, boxes: list[Float[np.ndarray, "4"]]) -> float:
    """The usual one, or what the published widths need; `boxes` were seen with a focal length of 1 pixel."""
    widths = [float(box[2] - box[0]) for box in boxes]
    narrowest, widest = PAPER_CROP_WIDTHS[platform]
    # Rounding outwards to whole pixels and the free pixels add less than four.
    return min(max(FOCAL_PX, narrowest / min(widths)), (widest - 4) / max(widths))
