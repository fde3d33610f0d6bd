"""Draw one crop of one person: rays, surfaces, sun and sky light, shadows.

Pairs of a ray and a part that it can meet are found from the exact boxes of the parts' outlines; all
pairs are then solved at once. That makes the cost follow the area that the parts cover.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from skyreid.simulation.camera import Camera, Window
from skyreid.simulation.capsules import Capsules, entries, image_boxes, surface
from skyreid.simulation.light import Light, sky_share, sunlit
from skyreid.simulation.paint import fold_tilt, reflectance
from skyreid.simulation.surroundings import GROUND, SKY, Surroundings

_FROM_GROUND = 0.25
"""Light from below, off the ground, as a share of the light from the whole sky."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A crop before it went through a sensor."""

    radiance: Float[np.ndarray, "height width 3"]
    """Linear light."""
    person: Float[np.ndarray, "height width"]
    """Share of every pixel that the person covers, 0-1."""


def draw(
    camera: Camera, window: Window, body: Capsules, surroundings: Surroundings, light: Light, *, samples: int
) -> Picture:
    """Draw a crop with `samples` x `samples` rays a pixel. The same arguments give the same bytes."""
    columns, rows = camera.sample_grid(window, samples)
    directions = camera.directions(columns, rows).reshape(3, -1).astype(np.float32)
    background = surroundings.meet(camera, directions)
    points, normals, colours = background.points, background.normals, background.colours
    part, depth = _nearest_parts(camera, columns, rows, directions, body)

    person = np.flatnonzero(part >= 0)
    points[:, person] = camera.position[:, None] + depth[person] * directions[:, person]
    normals[:, person], place = surface(body, part[person], points[:, person])
    colours[:, person] = reflectance(body.paints, part[person], place)

    # Walls are out of the reach of the body's shadow.
    ground = np.flatnonzero((part < 0) & (background.kind == GROUND))
    shaded = np.concatenate([person, ground])
    sees_sun = np.ones(directions.shape[1], bool)
    sees_sun[shaded] = sunlit(light, body, points[:, shaded], normals[:, shaded])
    sky = np.ones(directions.shape[1], np.float32)
    sky[ground] = sky_share(body, points[:, ground])

    normals[:, person] = _creased(normals[:, person], fold_tilt(body.paints, part[person], place))
    towards_sun = light.direction.astype(np.float32)[:, None]
    sun = sees_sun * np.maximum((normals * towards_sun).sum(axis=0), 0)
    sky *= _FROM_GROUND + (1 - _FROM_GROUND) * (0.5 + 0.5 * normals[2])
    sun_colour, sky_colour = (np.array(colour, np.float32)[:, None] for colour in (light.sun, light.sky))
    radiance = colours * (sun * sun_colour + sky * sky_colour)
    radiance[:, (part < 0) & (background.kind == SKY)] = sky_colour
    return Picture(
        np.stack([_pixel_means(channel, window, samples) for channel in radiance], axis=2),
        _pixel_means((part >= 0).astype(np.float32), window, samples),
    )


def _nearest_parts(
    camera: Camera,
    columns: Float[np.ndarray, " column"],
    rows: Float[np.ndarray, " row"],
    directions: Float[np.ndarray, "3 ray"],
    body: Capsules,
) -> tuple[Int[np.ndarray, " ray"], Float[np.ndarray, " ray"]]:
    """The part that each ray meets first (-1 for none) and the depth there (inf for none)."""
    part, ray = _candidates(image_boxes(body, camera), columns, rows)
    # Rays start near the body: single precision then resolves less than a tenth of a millimetre.
    near = float(camera.to_camera(body.start)[:, 2].min()) - 1.0
    starts = (camera.position[:, None] + near * directions).astype(np.float32)
    distance = entries(body, part, starts[:, ray], directions[:, ray])
    nearest = np.full(directions.shape[1], np.inf, np.float32)
    np.minimum.at(nearest, ray, distance)
    is_nearest = (distance == nearest[ray]) & (distance < np.inf)
    first = np.full(directions.shape[1], -1)
    first[ray[is_nearest]] = part[is_nearest]
    return first, near + nearest.astype(np.float64)


def _candidates(
    boxes: Float[np.ndarray, "part 4"], columns: Float[np.ndarray, " column"], rows: Float[np.ndarray, " row"]
) -> tuple[Int[np.ndarray, " pair"], Int[np.ndarray, " pair"]]:
    """All pairs of a part and a ray inside its box."""
    left, right = np.searchsorted(columns, boxes[:, 0]), np.searchsorted(columns, boxes[:, 2])
    top, bottom = np.searchsorted(rows, boxes[:, 1]), np.searchsorted(rows, boxes[:, 3])
    rays = [
        (np.arange(first_row, last_row)[:, None] * columns.size + np.arange(first, last)).ravel()
        for first, first_row, last, last_row in zip(left, top, right, bottom, strict=True)
    ]
    return np.repeat(np.arange(len(rays)), [inside.size for inside in rays]), np.concatenate(rays)


def _creased(normals: Float[np.ndarray, "3 point"], tilt: Float[np.ndarray, "2 point"]) -> Float[np.ndarray, "3 point"]:
    """Normals of creased cloth; `tilt` is (around the upright axis, upwards)."""
    x, y, z = normals
    creased = np.stack([x - tilt[0] * y, y + tilt[0] * x, z + tilt[1]])
    return creased / np.sqrt((creased**2).sum(axis=0))


def _pixel_means(values: Float[np.ndarray, " ray"], window: Window, samples: int) -> Float[np.ndarray, "height width"]:
    grid = values.reshape(window.height, samples, window.width, samples)
    mean = np.zeros((window.height, window.width), np.float32)
    for row in range(samples):
        for column in range(samples):
            mean += grid[:, row, :, column]
    return mean / np.float32(samples**2)
