"""Painted scenes before a still camera, in which everybody's box is known."""

import cv2
import numpy as np

HEIGHT, WIDTH = 180, 320


def backdrop(seed=0):
    """A still picture with texture at every scale that people have."""
    random = np.random.default_rng(seed)
    picture = np.full((HEIGHT, WIDTH, 3), 120.0)
    for size in (12, 40):
        rough = random.normal(0, 25, (HEIGHT // size + 2, WIDTH // size + 2, 3))
        picture += cv2.resize(rough, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture, 20, 220).astype(np.uint8)


def with_people(picture, people):
    """Paint people, given as xyxy boxes with a brightness, the later ones in front."""
    picture = picture.copy()
    for (left, top, right, bottom), shade in people:
        picture[max(0, top) : bottom, max(0, left) : right] = shade
        waist = (top + bottom) // 2
        picture[max(0, waist) : bottom, max(0, left) : right] = 255 - shade
    return picture


def seen_through_noise(picture, number):
    """The same picture as a sensor gives it, a little different every time."""
    noise = np.random.default_rng(number).normal(0, 1.5, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)
