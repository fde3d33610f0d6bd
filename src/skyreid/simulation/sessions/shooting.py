"""One platform's video of a session, frame by frame: the picture, and what is true about the people in it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from skyreid.simulation.rendering.camera import Camera, Vector, Window
from skyreid.simulation.rendering.capsules import Capsules, image_boxes
from skyreid.simulation.rendering.kernels.shading import CONTACT_REACH_M
from skyreid.simulation.rendering.light import Light
from skyreid.simulation.rendering.ray_caster import Picture, draw
from skyreid.simulation.rendering.sensor import BLUR_REACH_PX, develop, draw_sensor
from skyreid.simulation.scene_truth import SceneBox, SceneCamera, SceneFace, SceneFrame, ScenePerson
from skyreid.simulation.sessions.session import Actor, Session
from skyreid.simulation.sessions.setting import FRAME, Setting
from skyreid.tracklet import Platform

SAMPLES = 2
"""Rays a pixel along each side."""


@dataclass(frozen=True, eq=False)
class Shot:
    """One frame of a video."""

    pixels: UInt8[np.ndarray, "720 1280 3"]
    truth: SceneFrame


def shoot(session: Session, platform: Platform, frame_rate: int) -> Iterator[Shot]:
    """All frames of the platform's video; frame k shows the moment k / `frame_rate` seconds after the start."""
    rng = np.random.default_rng([*session.seeds, 3 + platform.number])
    setting, sensor = session.setting, draw_sensor(rng, platform)
    empty = _draw(setting, setting.ground_camera, FRAME, []) if platform is Platform.GROUND else None
    for index in range(round(setting.duration_s * frame_rate)):
        time_s = index / frame_rate
        camera, actors = setting.camera_at(platform, time_s), session.actors_at(time_s)
        bodies = [actor.capsules for actor in actors]
        picture = _draw(setting, camera, FRAME, bodies) if empty is None else _with_bodies(setting, empty, bodies)
        rays = [_rays(setting, camera, actor, int(inside)) for actor, inside in zip(actors, picture.alone, strict=True)]
        edged = np.pad(picture.radiance, ((BLUR_REACH_PX,) * 2, (BLUR_REACH_PX,) * 2, (0, 0)), mode="edge")
        truth = SceneFrame(
            index=index,
            time_s=time_s,
            camera=_described(camera),
            people=see(camera, actors, rays, picture, FRAME, SAMPLES),
        )
        yield Shot(develop(edged, sensor, rng), truth)


def _draw(setting: Setting, camera: Camera, window: Window, bodies: Sequence[Capsules]) -> Picture:
    return draw(camera, window, bodies, setting.scene.surroundings, setting.light, samples=SAMPLES)


def _with_bodies(setting: Setting, empty: Picture, bodies: Sequence[Capsules]) -> Picture:
    """What drawing the whole frame of the fixed camera would give, drawn only where people change it."""
    radiance, body, part = empty.radiance.copy(), empty.body.copy(), empty.part.copy()
    alone = np.zeros(len(bodies), int)
    touched = [_touched(capsules, setting.ground_camera, setting.light) for capsules in bodies]
    for window in _merged([window for window in touched if window is not None]):
        picture = _draw(setting, setting.ground_camera, window, bodies)
        rows, columns = _slices(window, 1)
        radiance[rows, columns] = picture.radiance
        rows, columns = _slices(window, SAMPLES)
        body[rows, columns], part[rows, columns] = picture.body, picture.part
        # A window holds a body wholly or sees less of it.
        alone = np.maximum(alone, picture.alone)
    return Picture(radiance=radiance, body=body, part=part, alone=alone)


def _merged(windows: Sequence[Window]) -> list[Window]:
    """Windows that cover the same pixels; neighbours are one if that is no more to draw."""
    merged: list[Window] = []
    for window in windows:
        while True:
            joined = ((other, _around(window, other)) for other in merged)
            found = next(((o, both) for o, both in joined if _area(both) <= _area(window) + _area(o)), None)
            if found is None:
                break
            other, window = found
            merged.remove(other)
        merged.append(window)
    return merged


def _around(one: Window, other: Window) -> Window:
    left, top = min(one.left, other.left), min(one.top, other.top)
    right = max(one.left + one.width, other.left + other.width)
    bottom = max(one.top + one.height, other.top + other.height)
    return Window(left=left, top=top, width=right - left, height=bottom - top)


def _area(window: Window) -> int:
    return window.width * window.height


def _touched(capsules: Capsules, camera: Camera, light: Light) -> Window | None:
    """The part of the frame that can look different because of a body; None if there is no such part.

    The body, its shadow and the shade round its feet lie in the hull of a box round it, that box's shadow on the
    ground, and the box's foot, widened by the reach of the shade.
    """
    radius = np.maximum(capsules.start_radius, capsules.end_radius)[:, None]
    low = (np.minimum(capsules.start, capsules.end) - radius).min(axis=0)
    high = (np.maximum(capsules.start, capsules.end) + radius).max(axis=0)
    corners = _corners(low, high)
    shadow = corners - light.direction * (corners[:, 2:] / light.direction[2])
    reach = np.array([CONTACT_REACH_M, CONTACT_REACH_M, 0.0])
    shade = _corners(low - reach, high + reach) * [1, 1, 0]
    points = camera.project(np.concatenate([corners, shadow, shade]))
    left, top = np.maximum(np.floor(points.min(axis=0)).astype(int), (FRAME.left, FRAME.top))
    far = (FRAME.left + FRAME.width, FRAME.top + FRAME.height)
    right, bottom = np.minimum(np.ceil(points.max(axis=0)).astype(int), far)
    if left >= right or top >= bottom:
        return None
    return Window(left=int(left), top=int(top), width=int(right - left), height=int(bottom - top))


def _corners(low: Vector, high: Vector) -> Float[np.ndarray, "8 3"]:
    return np.stack(np.meshgrid(*zip(low, high, strict=True)), axis=-1).reshape(8, 3)


def _slices(window: Window, samples: int) -> tuple[slice, slice]:
    """Rows and columns of the whole frame's arrays."""
    top, left = samples * (window.top - FRAME.top), samples * (window.left - FRAME.left)
    return slice(top, top + samples * window.height), slice(left, left + samples * window.width)


def _rays(setting: Setting, camera: Camera, actor: Actor, inside: int) -> int:
    """How many rays would meet the actor if nothing hid them and the picture had no edge."""
    left, top, right, bottom = outline(actor.capsules, camera)
    is_cut = left < FRAME.left or top < FRAME.top or right > -FRAME.left or bottom > -FRAME.top
    if not (is_cut and reaches_into((left, top, right, bottom), FRAME)):
        return inside
    whole = Window(
        left=math.floor(left),
        top=math.floor(top),
        width=math.ceil(right) - math.floor(left),
        height=math.ceil(bottom) - math.floor(top),
    )
    return int(_draw(setting, camera, whole, [actor.capsules]).alone[0])


def _described(camera: Camera) -> SceneCamera:
    right, down, forward = (tuple(round(value, 6) for value in row) for row in camera.axes.tolist())
    x, y, z = (round(value, 4) for value in camera.position.tolist())
    return SceneCamera(position=(x, y, z), axes=(right, down, forward), focal_px=round(camera.focal_px, 3))


def see(
    camera: Camera, actors: Sequence[Actor], rays: Sequence[int], picture: Picture, frame: Window, samples: int
) -> tuple[ScenePerson, ...]:
    """What is true of everybody whose box reaches into the frame.

    Args:
        camera: that drew the frame.
        actors: everybody.
        rays: that would meet each actor if nothing hid them and the frame had no edge.
        picture: that the camera drew of them, in the same order.
        frame: where.
        samples: rays a pixel along each side.
    """
    hits = np.bincount(picture.body.ravel() + 1, minlength=len(actors) + 1)[1:]
    people = []
    for place, (actor, alone, shown) in enumerate(zip(actors, rays, hits, strict=True)):
        boxes = image_boxes(actor.capsules, camera)
        box = _box_around(boxes)
        if not reaches_into(box, frame):
            continue
        people.append(
            ScenePerson(
                pid=actor.pid,
                box=_in_picture(box, frame),
                visible=_share(int(shown), int(alone)),
                head=_in_picture(_box_around(boxes[_head(actor)]), frame),
                face=_face(camera, actor, place, picture, frame, samples),
            )
        )
    return tuple(people)


def _head(actor: Actor) -> list[int]:
    """The parts of the head, without hair that hangs below the chin."""
    capsules, skull = actor.capsules, actor.on_head().start
    chin = capsules.end[skull, 2] - capsules.end_radius[skull]
    return [part for part in actor.on_head() if min(capsules.start[part, 2], capsules.end[part, 2]) >= chin]


_FACE_ROWS = ((0.0, 15.0), (0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (1.0, -30.0), (1.0, -50.0))
"""Rows of points on a face, from the brow to the chin: place along the skull's axis, and degrees upwards from there."""
_FACE_COLUMNS = (-60.0, -36.0, -12.0, 12.0, 36.0, 60.0)
"""Degrees to the left."""


def _face(camera: Camera, actor: Actor, place: int, picture: Picture, frame: Window, samples: int) -> SceneFace | None:
    """The face, unless it is turned away: points on the skull's front, each weighed by its area in the picture."""
    capsules, skull = actor.capsules, actor.on_head().start
    ahead = np.array([math.cos(actor.heading_rad), math.sin(actor.heading_rad), 0.0])
    to_camera = camera.position - 0.5 * (capsules.start[skull] + capsules.end[skull])
    facing = float((ahead * to_camera).sum()) / math.hypot(*to_camera)
    if facing <= 0:
        return None
    points, normals = _face_points(capsules, skull, ahead)
    u, v = camera.project(points).T
    weights = np.maximum((normals * (camera.position - points)).sum(axis=1), 0.0)
    columns = np.floor((u - frame.left) * samples).astype(int)
    rows = np.floor((v - frame.top) * samples).astype(int)
    height, width = picture.body.shape
    shows = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    at = rows[shows], columns[shows]
    # The nose follows the skull; whatever else is met first is hair, a hat or somebody else.
    shows[shows] = (picture.body[at] == place) & ((picture.part[at] == skull) | (picture.part[at] == skull + 1))
    box = float(u.min()), float(v.min()), float(u.max()), float(v.max())
    return SceneFace(
        box=_in_picture(box, frame),
        facing=round(min(facing, 1.0), 4),
        visible=round(float(weights[shows].sum() / weights.sum()), 3),
    )


def _face_points(
    capsules: Capsules, skull: int, ahead: Vector
) -> tuple[Float[np.ndarray, "point 3"], Float[np.ndarray, "point 3"]]:
    """Places on the skull's front, and directions out of it."""
    left, upright = np.array([-ahead[1], ahead[0], 0.0]), np.array([0.0, 0.0, 1.0])
    points, normals = [], []
    for along, up_deg in _FACE_ROWS:
        centre = (1 - along) * capsules.start[skull] + along * capsules.end[skull]
        radius = (1 - along) * capsules.start_radius[skull] + along * capsules.end_radius[skull]
        up = math.radians(up_deg)
        for around in map(math.radians, _FACE_COLUMNS):
            normal = math.cos(up) * (math.cos(around) * ahead + math.sin(around) * left) + math.sin(up) * upright
            normals.append(normal)
            points.append(centre + radius * (capsules.flattening[skull] * normal).sum(axis=1))
    return np.array(points), np.array(normals)


def outline(capsules: Capsules, camera: Camera) -> SceneBox:
    """The box of everything of a body, from the optical axis."""
    return _box_around(image_boxes(capsules, camera))


def reaches_into(box: SceneBox, window: Window) -> bool:
    """Whether any of the box lies in the window."""
    right, bottom = window.left + window.width, window.top + window.height
    return box[0] < right and box[1] < bottom and box[2] > window.left and box[3] > window.top


def _box_around(boxes: Float[np.ndarray, "part 4"]) -> SceneBox:
    (left, top), (right, bottom) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _in_picture(box: SceneBox, window: Window) -> SceneBox:
    """From the optical axis to the frame's top left corner, in hundredths of a pixel."""
    left, top, right, bottom = box
    x, y = window.left, window.top
    return round(left - x, 2), round(top - y, 2), round(right - x, 2), round(bottom - y, 2)


def _share(shown: int, alone: int) -> float:
    return round(min(shown / alone, 1.0), 3) if alone else 0.0
