"""What is true about the people in one drawn frame: boxes, heads, faces, and how much of each shows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from skyreid.simulation.people.body import bag, head
from skyreid.simulation.people.person import Person
from skyreid.simulation.people.skeleton import stand
from skyreid.simulation.rendering.camera import Camera, Vector, Window
from skyreid.simulation.rendering.capsules import Capsules, image_boxes
from skyreid.simulation.rendering.ray_caster import Picture
from skyreid.simulation.scene_truth import SceneBox, SceneFace, ScenePerson

_FACE_ROWS = ((0.0, 15.0), (0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (1.0, -30.0), (1.0, -50.0))
"""Rows of points on a face, from the brow to the chin: place along the skull's axis, and degrees upwards from there."""
_FACE_COLUMNS = (-60.0, -36.0, -12.0, 12.0, 36.0, 60.0)
"""Degrees to the left."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Actor:
    """A person at one moment."""

    pid: int
    person: Person
    capsules: Capsules
    heading_rad: float

    def on_head(self) -> range:
        """Places of skull, nose, hair and hat in the capsules, in this order."""
        joints = stand(self.person.shoulders, self.person.stride, 0.0)
        # A body ends with neck and head, and what is carried.
        end = len(self.capsules.paints) - len(bag(self.person, joints))
        return range(end - len(head(self.person, joints)) + 1, end)


def outline(capsules: Capsules, camera: Camera) -> SceneBox:
    """The box of everything of a body, from the optical axis."""
    return _around(image_boxes(capsules, camera))


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
        box = _around(boxes)
        if not reaches_into(box, frame):
            continue
        people.append(
            ScenePerson(
                pid=actor.pid,
                box=_in_picture(box, frame),
                visible=_share(int(shown), int(alone)),
                head=_in_picture(_around(boxes[_head(actor)]), frame),
                face=_face(camera, actor, place, picture, frame, samples),
            )
        )
    return tuple(people)


def reaches_into(box: SceneBox, window: Window) -> bool:
    """Whether any of the box lies in the window."""
    right, bottom = window.left + window.width, window.top + window.height
    return box[0] < right and box[1] < bottom and box[2] > window.left and box[3] > window.top


def _head(actor: Actor) -> list[int]:
    """The parts of the head, without hair that hangs below the chin."""
    capsules, skull = actor.capsules, actor.on_head().start
    chin = capsules.end[skull, 2] - capsules.end_radius[skull]
    return [part for part in actor.on_head() if min(capsules.start[part, 2], capsules.end[part, 2]) >= chin]


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


def _around(boxes: Float[np.ndarray, "part 4"]) -> SceneBox:
    (left, top), (right, bottom) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _in_picture(box: SceneBox, window: Window) -> SceneBox:
    """From the optical axis to the frame's top left corner, in hundredths of a pixel."""
    left, top, right, bottom = box
    x, y = window.left, window.top
    return round(left - x, 2), round(top - y, 2), round(right - x, 2), round(bottom - y, 2)


def _share(shown: int, alone: int) -> float:
    return round(min(shown / alone, 1.0), 3) if alone else 0.0
