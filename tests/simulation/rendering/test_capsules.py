"""Bodies as arrays: boxes against sampled surfaces, records against what was placed."""

import dataclasses
import math

import numpy as np
import pytest

from skyreid.simulation.rendering.camera import look_at
from skyreid.simulation.rendering.capsules import Capsule, image_boxes, join, parallel_boxes, place, stack
from skyreid.simulation.rendering.paint import Paint, Pattern
from tests.simulation.rendering.capsule_shapes import SHAPES


def surface_points(part: Capsule) -> np.ndarray:
    """Points all over the two balls that a part is the hull of."""
    polar, around = np.meshgrid(np.linspace(0, math.pi, 91), np.linspace(0, 2 * math.pi, 181))
    ball = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], axis=-1).reshape(
        -1, 3
    )
    axis = np.array(part.flat_axis)
    ball = ball + (part.flatness - 1) * (ball * axis).sum(1, keepdims=True) * axis
    return np.concatenate(
        [np.array(part.start) + part.start_radius * ball, np.array(part.end) + part.end_radius * ball]
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_image_boxes_hug_the_projected_surface(shape):
    camera = look_at(np.array([4.0, 3.0, 5.0]), np.array([0.0, 0.0, 0.6]), focal_px=800.0)
    pixels = camera.project(surface_points(SHAPES[shape]))
    expected = [*pixels.min(axis=0), *pixels.max(axis=0)]
    assert image_boxes(place([SHAPES[shape]]), camera)[0] == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("shape", SHAPES)
def test_parallel_boxes_hug_the_surface_seen_from_infinity(shape):
    across = np.array([[0.0, 1.0, 0.0], [-0.6, 0.0, 0.8]])
    seen = surface_points(SHAPES[shape]) @ across.T
    expected = [*seen.min(axis=0), *seen.max(axis=0)]
    assert parallel_boxes(place([SHAPES[shape]]), across)[0] == pytest.approx(expected, abs=1e-3)


def ball(x: float, radius: float) -> Capsule:
    return Capsule(
        start=(x, 0.0, 2.0), end=(x, 0.0, 2.0), start_radius=radius, end_radius=radius, paint=Paint((0.5, 0.5, 0.5))
    )


def test_a_part_behind_the_camera_has_no_box_and_one_around_it_fills_the_picture():
    camera = look_at(np.array([0.0, 0.0, 2.0]), np.array([1.0, 0.0, 2.0]), focal_px=100.0)
    behind, around = image_boxes(place([ball(-5.0, 1.0), ball(0.5, 1.0)]), camera)
    assert behind.tolist() == [math.inf, math.inf, -math.inf, -math.inf]
    assert (around[:2] < -1000).all()
    assert (around[2:] > 1000).all()


def test_a_part_beside_the_camera_that_reaches_behind_it_is_outside_the_picture():
    camera = look_at(np.array([0.0, 0.0, 2.0]), np.array([1.0, 0.0, 2.0]), focal_px=100.0)
    beside = place([ball(0.0, 1.0)], y=30.0)
    assert image_boxes(beside, camera)[0, 2] < -2000


def test_joined_bodies_become_records_in_order():
    red = Paint((0.6, 0.1, 0.2), (0.1, 0.2, 0.3), Pattern.CHECKS, fold=0.1, holes=0.2)
    bodies = [place([ball(1.0, 0.5), ball(2.0, 0.4)]), place([dataclasses.replace(ball(3.0, 0.3), paint=red)])]
    records = stack(join(bodies), [2, 1])
    assert records["body"].tolist() == [0, 0, 1]
    assert records["number"].tolist() == [0, 1, 0]
    assert records["start"][:, 0].tolist() == [1.0, 2.0, 3.0]
    assert records["end_radius"].tolist() == [0.5, 0.4, 0.3]
    assert records[2]["colour"].tolist() == [0.6, 0.1, 0.2]
    assert records[2]["accent"].tolist() == [0.1, 0.2, 0.3]
    assert records[2][["pattern", "fold", "holes"]].tolist() == (Pattern.CHECKS, 0.1, 0.2)


def test_no_body_is_no_record():
    assert stack(join([]), []).shape == (0,)
