"""Tapered capsules against rows of balls and sampled surfaces."""

import math
from dataclasses import replace

import numpy as np
import pytest

from skyreid.simulation.camera import look_at
from skyreid.simulation.capsules import Capsule, entries, image_boxes, parallel_boxes, place, surface
from skyreid.simulation.paint import Paint
from tests.simulation.slow_shapes import depth_inside, first_inside

GREY = Paint((0.5, 0.5, 0.5))
DIAGONAL = (0.6, 0.0, 0.8)
SHAPES = {
    "cone": Capsule(start=(0.0, 0.0, 0.2), end=(0.1, 0.2, 1.0), start_radius=0.3, end_radius=0.1, paint=GREY),
    "growing": Capsule(start=(0.0, 0.0, 0.5), end=(0.4, 0.0, 0.7), start_radius=0.1, end_radius=0.25, paint=GREY),
    "flat": Capsule(
        start=(0.0, 0.0, 0.3), end=(0.0, 0.1, 0.9), start_radius=0.3, end_radius=0.2, flatness=0.4, paint=GREY
    ),
    "flat askew": Capsule(
        start=(0.0, 0.0, 0.3),
        end=(0.3, 0.1, 0.9),
        start_radius=0.2,
        end_radius=0.3,
        flat_axis=DIAGONAL,
        flatness=0.5,
        paint=GREY,
    ),
    "cut": Capsule(
        start=(0.0, 0.0, 1.0), end=(0.1, 0.0, 0.5), start_radius=0.15, end_radius=0.3, cut_height=0.5, paint=GREY
    ),
    "ball": Capsule(start=(0.0, 0.0, 0.6), end=(0.0, 0.0, 0.6), start_radius=0.3, end_radius=0.3, paint=GREY),
    "ball in ball": Capsule(start=(0.0, 0.0, 0.6), end=(0.0, 0.1, 0.6), start_radius=0.1, end_radius=0.4, paint=GREY),
    "ball before ball": Capsule(
        start=(0.0, 0.0, 0.6), end=(0.0, 0.1, 0.6), start_radius=0.4, end_radius=0.1, paint=GREY
    ),
}


def rays(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rays from outside that mostly meet shapes near (0, 0, 0.6)."""
    away = rng.normal(size=(count, 3))
    origins = np.array([0.1, 0.05, 0.6]) + 2.0 * away / np.linalg.norm(away, axis=1, keepdims=True)
    targets = np.array([0.1, 0.05, 0.6]) + rng.uniform(-0.4, 0.4, (count, 3))
    directions = targets - origins
    return origins, directions / np.linalg.norm(directions, axis=1, keepdims=True)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_rays_enter_where_a_row_of_balls_begins(shape, precision):
    origins, directions = rays(24, np.random.default_rng(3))
    body = place([SHAPES[shape]])
    found = entries(body, np.zeros(24, np.int64), origins.T.astype(precision), directions.T.astype(precision))
    expected = np.array([first_inside(SHAPES[shape], *ray, reach=4.0) for ray in zip(origins, directions, strict=True)])
    assert 6 < np.isfinite(expected).sum() < 24
    # Where a ray only grazes, the row of balls may be missed by a hair.
    middle = origins + np.where(np.isfinite(found), found, 0)[:, None] * directions
    grazing = np.isfinite(found) & ~np.isfinite(expected)
    assert np.abs(depth_inside(SHAPES[shape], middle[grazing])).max(initial=0) < 1e-3
    assert grazing.sum() <= 2
    assert found[~grazing] == pytest.approx(expected[~grazing], abs=2e-3)


def test_the_nearest_surface_lies_behind_a_ray_that_starts_inside_or_beyond():
    body = place([SHAPES["ball"]])
    origin = np.array([[0.0, 2.0], [0.0, 0.0], [0.6, 0.6]])
    direction = np.array([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    assert entries(body, np.zeros(2, np.int64), origin, direction) == pytest.approx([-0.3, -2.3])


def test_a_level_ray_below_a_hem_misses_and_one_above_it_meets():
    body = place([SHAPES["cut"]])
    origin = np.array([[-3.0, -3.0], [0.0, 0.0], [0.45, 0.55]])
    direction = np.array([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    below, above = entries(body, np.zeros(2, np.int64), origin, direction)
    assert below == np.inf
    assert above == pytest.approx(3.0 - 0.2, abs=0.05)


def test_a_ray_from_below_enters_a_cut_part_through_the_cut_whose_normal_points_down():
    body = place([SHAPES["cut"]])
    origin, direction = np.array([[0.1], [0.0], [-1.0]]), np.array([[0.0], [0.0], [1.0]])
    part = np.zeros(1, np.int64)
    assert entries(body, part, origin, direction) == pytest.approx([1.5])
    normal, _ = surface(body, part, np.array([[0.1], [0.0], [0.5]]))
    assert normal[:, 0].tolist() == [0, 0, -1]


@pytest.mark.parametrize("shape", SHAPES)
def test_normals_are_the_gradient_of_the_shape(shape):
    part = replace(SHAPES[shape], cut_height=-math.inf)
    origins, directions = rays(60, np.random.default_rng(5))
    body, index = place([part]), np.zeros(60, np.int64)
    distance = entries(body, index, origins.T, directions.T)
    is_hit = np.isfinite(distance)
    points = (origins + np.where(is_hit, distance, 0)[:, None] * directions)[is_hit]
    normals, _ = surface(body, index[is_hit], np.ascontiguousarray(points.T))
    step = 1e-3
    gradient = np.stack(
        [
            depth_inside(part, points - step * np.eye(3)[axis]) - depth_inside(part, points + step * np.eye(3)[axis])
            for axis in range(3)
        ]
    )
    gradient /= np.linalg.norm(gradient, axis=0)
    assert is_hit.sum() > 20
    assert (normals * gradient).sum(axis=0) == pytest.approx(np.ones(is_hit.sum()), abs=0.003)


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


def test_a_body_that_is_turned_and_moved_is_met_by_rays_turned_and_moved_alike():
    shapes = list(SHAPES.values())
    origins, directions = rays(len(shapes) * 10, np.random.default_rng(8))
    part = np.repeat(np.arange(len(shapes)), 10)
    turn = np.array([[math.cos(0.7), -math.sin(0.7), 0], [math.sin(0.7), math.cos(0.7), 0], [0, 0, 1]])
    there = entries(
        place(shapes, x=3.0, y=-1.0, heading_rad=0.7),
        part,
        turn @ origins.T + np.array([[3.0], [-1.0], [0.0]]),
        turn @ directions.T,
    )
    assert there == pytest.approx(entries(place(shapes), part, origins.T, directions.T), abs=1e-9)


def test_a_pattern_counts_along_the_part_and_round_from_the_front_to_the_left():
    upright = Capsule(start=(0.0, 0.0, 0.5), end=(0.0, 0.0, 1.5), start_radius=0.2, end_radius=0.2, paint=GREY)
    body = place([upright], heading_rad=math.pi / 2)
    front, left, back = (0.0, 0.2, 0.8), (-0.2, 0.0, 0.9), (0.0, -0.2, 1.0)
    _, (azimuth, along) = surface(body, np.zeros(3, np.int64), np.array([front, left, back]).T)
    assert np.abs(azimuth) == pytest.approx([0, math.pi / 2, math.pi])
    assert azimuth[1] > 0
    assert along == pytest.approx([0.3, 0.4, 0.5])


def test_parts_of_one_garment_share_the_place_of_the_pattern():
    axis = ((0.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    parts = [
        Capsule(
            start=(0.0, 0.0, z), end=(0.0, 0.0, z + 0.3), start_radius=0.2, end_radius=r, pattern_axis=axis, paint=GREY
        )
        for z, r in ((0.2, 0.2), (0.5, 0.3))
    ]
    point = np.array([[0.2, 0.2], [0.0, 0.0], [0.5, 0.5]])
    _, place_in_pattern = surface(place(parts), np.array([0, 1]), point)
    assert place_in_pattern[:, 0] == pytest.approx(place_in_pattern[:, 1])


def test_an_enlarged_body_is_met_by_enlarged_rays():
    shapes = list(SHAPES.values())
    origins, directions = rays(len(shapes) * 10, np.random.default_rng(9))
    part = np.repeat(np.arange(len(shapes)), 10)
    far = entries(place(shapes, scale=1.5), part, 1.5 * origins.T, directions.T)
    assert far == pytest.approx(1.5 * entries(place(shapes), part, origins.T, directions.T), abs=1e-9)
