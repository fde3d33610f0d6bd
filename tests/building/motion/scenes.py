"""Painted scenes before a still camera, in which everybody's box is known."""

import cv2
import numpy as np

from tests.building.films import write_film

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
        waist = (top + bottom) // 2
        columns = slice(max(0, left), max(0, right))
        picture[max(0, top) : waist, columns] = shade
        picture[waist:bottom, columns] = 255 - shade
    return picture


def seen_through_noise(picture, number):
    """The same picture as a sensor gives it, a little different every time."""
    noise = np.random.default_rng(number).normal(0, 1.5, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def scene(folder, number, walks, *, camera=lambda step: 0):
    """A film at 10 frames a second, and everybody's box in each frame."""
    wide = np.concatenate([backdrop(1), backdrop(2)], axis=1)
    pictures, truth = [], {}
    for step in range(number):
        place = wide[:, camera(step) : camera(step) + WIDTH]
        people = {name: tuple(map(round, at(step))) for name, (at, _) in walks.items()}
        shown = [(people[name], shade) for name, (_, shade) in walks.items()]
        pictures.append(seen_through_noise(with_people(place, shown), step))
        truth[step] = {
            name: (max(0, box[0]), box[1], min(WIDTH, box[2]), box[3])
            for name, box in people.items()
            if box[2] > 0 and box[0] < WIDTH
        }
    return write_film(folder / "scene.mp4", pictures, codec="libx264"), {k: v for k, v in truth.items() if v}


def walk(start, speed, *, foot=160, height=70):
    def at(step):
        left = start + speed * step
        return left, foot - height, left + 26, foot

    return at


def all_looks(tracks, number):
    """What `FrameBoxes.looks` holds in each of so many frames, when every track looks like nothing else."""
    looks = [{} for _ in range(number)]
    for own, track in zip(np.eye(len(tracks), dtype=np.float32), tracks, strict=True):
        for step, box in zip(track.steps.tolist(), track.boxes.tolist(), strict=True):
            looks[step][tuple(box)] = own
    return looks
