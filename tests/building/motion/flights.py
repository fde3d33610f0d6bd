"""Painted flights over a flat ground, in which everybody's box is known."""

import math

import cv2
import numpy as np

from tests.building.films import write_film

HEIGHT, WIDTH = 270, 480
FOCAL_PX = 420.0
GROUND_M, PX_PER_M = 90, 14
PERSON_M, SHOULDERS_M = 1.7, 0.5
RATE = 6


def ground(seed=0):
    """A texture of 90 m x 90 m with stains of many sizes; its middle is the origin of the world."""
    random = np.random.default_rng(seed)
    side = GROUND_M * PX_PER_M
    picture = np.full((side, side, 3), 120.0)
    for size, strength in ((3, 12), (9, 14), (40, 16), (160, 16)):
        rough = random.normal(0, strength, (side // size + 2, side // size + 2, 3))
        picture += cv2.resize(rough, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture, 20, 220).astype(np.uint8)


class Camera:
    """A camera that looks from `place` (x, y, altitude) to a place on the ground."""

    def __init__(self, place, target):
        forward = np.array([*target, 0.0]) - place
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        self._place, self._axes = np.array(place), np.stack([right, np.cross(forward, right), forward])

    def project(self, points):
        seen = (np.asarray(points, float) - self._place) @ self._axes.T
        return seen[:, :2] / seen[:, 2:] * FOCAL_PX + (WIDTH / 2, HEIGHT / 2)

    def depth(self, point):
        return float((np.asarray(point, float) - self._place) @ self._axes[2])

    def look(self, texture):
        corners = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], float)
        rays = np.concatenate([(corners - (WIDTH / 2, HEIGHT / 2)) / FOCAL_PX, np.ones((4, 1))], axis=1) @ self._axes
        on_ground = self._place[:2] + rays[:, :2] * (-self._place[2] / rays[:, 2:])
        in_texture = (on_ground + GROUND_M / 2) * PX_PER_M
        shape = cv2.getPerspectiveTransform(in_texture.astype(np.float32), corners.astype(np.float32))
        return cv2.warpPerspective(texture, shape, (WIDTH, HEIGHT), flags=cv2.INTER_AREA)


def person_box(camera, x, y):
    (foot_x, foot_y), (head_x, head_y) = camera.project([[x, y, 0], [x, y, PERSON_M]])
    half = SHOULDERS_M * FOCAL_PX / camera.depth((x, y, PERSON_M / 2)) / 2
    return min(foot_x, head_x) - half, head_y - half / 3, max(foot_x, head_x) + half, foot_y + half / 3


def hovering(step):
    """At 25 m, swaying by some decimetres."""
    x, y = 0.3 * math.sin(step / 3), -18 + 0.25 * math.cos(step / 5)
    return Camera((x, y, 25.0), (0.1 * math.sin(step / 2.2), 0.12 * math.sin(step / 4)))


def cruising(step):
    """At 25 m and 2 m/s."""
    x = (step - 30) * 2 / RATE
    return Camera((x, -18 + 0.1 * math.sin(step), 25.0), (x + 0.1 * math.cos(step / 2), 0.0))


def rotating(step):
    """Around what it looks at, 4 degrees a second."""
    angle = math.radians(4) * step / RATE
    return Camera((18 * math.sin(angle), -18 * math.cos(angle), 25.0), (0.0, 0.0))


def walking(x, y, degrees, *, speed=1.4):
    direction = math.radians(degrees)

    def at(step):
        way = speed * step / RATE
        return x + way * math.cos(direction), y + way * math.sin(direction)

    return at


def flight(folder, number, camera_at, walks, *, posts=()):
    """A film at 6 frames a second, and everybody's box in each frame.

    `walks` gives places by person; `posts` are lamp posts of 6 m, which lean over the ground as the camera passes.
    """
    texture, random = ground(), np.random.default_rng(1)
    pictures, truth = [], {}
    for step in range(number):
        camera = camera_at(step)
        picture = camera.look(texture)
        for x, y in posts:
            bottom, top = camera.project([[x, y, 0], [x, y, 6.0]]).round().astype(int).tolist()
            cv2.line(picture, bottom, top, (40, 45, 50), 3)
            cv2.circle(picture, top, 5, (220, 220, 210), -1)
        people = {}
        for name, at in walks.items():
            left, top, right, bottom = box = person_box(camera, *at(step))
            if left >= 0 and top >= 0 and right <= WIDTH and bottom <= HEIGHT:
                people[name] = box
            shade = 15 if name % 2 else 240
            middle = round((top + bottom) / 2)
            left, top, right, bottom = map(round, box)
            cv2.rectangle(picture, (left, top), (right - 1, middle), (shade, shade, 255 - shade), -1)
            cv2.rectangle(picture, (left, middle), (right - 1, bottom - 1), (255 - shade, shade, shade), -1)
        truth[step] = people
        noisy = cv2.GaussianBlur(picture, (0, 0), 0.6) + random.normal(0, 2.0, picture.shape)
        pictures.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return write_film(folder / "flight.mp4", pictures, codec="libx264", rate=RATE), truth
