"""Rays and solids: tapered capsules against rows of balls, blocks against steps along the ray."""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from skyreid.simulation.rendering.capsules import Capsule, place, stack
from skyreid.simulation.rendering.kernels.solids import enter, enter_block, face_at, normal_at, place_in_pattern
from skyreid.simulation.rendering.paint import Paint
from skyreid.simulation.rendering.surroundings import Block, stack_blocks
from tests.simulation.rendering.capsule_shapes import GREY_PAINT, SHAPES
from tests.simulation.rendering.flat_shapes import GREY, is_in_block
from tests.simulation.rendering.slow_shapes import depth_inside, first_inside


def rays(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rays from outside that mostly meet shapes near (0, 0, 0.6)."""
    away = rng.normal(size=(count, 3))
    origins = np.array([0.1, 0.05, 0.6]) + 2.0 * away / np.linalg.norm(away, axis=1, keepdims=True)
    targets = np.array([0.1, 0.05, 0.6]) + rng.uniform(-0.4, 0.4, (count, 3))
    directions = targets - origins
    return origins, directions / np.linalg.norm(directions, axis=1, keepdims=True)


def records(parts: list[Capsule], **where: float) -> np.ndarray:
    return stack(place(parts, **where), [len(parts)])


def entries(part: np.void, origins: Iterable[np.ndarray], directions: Iterable[np.ndarray]) -> np.ndarray:
    return np.array([enter(part, tuple(one), tuple(way)) for one, way in zip(origins, directions, strict=True)])


@pytest.mark.parametrize("shape", SHAPES)
def test_rays_enter_where_a_row_of_balls_begins(shape):
    origins, directions = rays(24, np.random.default_rng(3))
    found = entries(records([SHAPES[shape]])[0], origins, directions)
    expected = np.array([first_inside(SHAPES[shape], *ray, reach=4.0) for ray in zip(origins, directions, strict=True)])
    assert 6 < np.isfinite(expected).sum() < 24
    # Where a ray only grazes, the row of balls may be missed by a hair.
    middle = origins + np.where(np.isfinite(found), found, 0)[:, None] * directions
    grazing = np.isfinite(found) & ~np.isfinite(expected)
    assert np.abs(depth_inside(SHAPES[shape], middle[grazing])).max(initial=0) < 1e-3
    assert grazing.sum() <= 2
    assert found[~grazing] == pytest.approx(expected[~grazing], abs=2e-3)


def test_the_nearest_surface_lies_behind_a_ray_that_starts_inside_or_beyond():
    ball = records([SHAPES["ball"]])[0]
    assert enter(ball, (0.0, 0.0, 0.6), (1.0, 0.0, 0.0)) == pytest.approx(-0.3)
    assert enter(ball, (2.0, 0.0, 0.6), (1.0, 0.0, 0.0)) == pytest.approx(-2.3)


def test_a_level_ray_below_a_hem_misses_and_one_above_it_meets():
    cut = records([SHAPES["cut"]])[0]
    assert enter(cut, (-3.0, 0.0, 0.45), (1.0, 0.0, 0.0)) == math.inf
    assert enter(cut, (-3.0, 0.0, 0.55), (1.0, 0.0, 0.0)) == pytest.approx(3.0 - 0.2, abs=0.05)


def test_a_ray_from_below_enters_a_cut_part_through_the_cut_whose_normal_points_down():
    cut = records([SHAPES["cut"]])[0]
    assert enter(cut, (0.1, 0.0, -1.0), (0.0, 0.0, 1.0)) == pytest.approx(1.5)
    assert normal_at(cut, (0.1, 0.0, 0.5)) == (0.0, 0.0, -1.0)


@pytest.mark.parametrize("shape", SHAPES)
def test_normals_are_the_gradient_of_the_shape(shape):
    part = replace(SHAPES[shape], cut_height=-math.inf)
    origins, directions = rays(60, np.random.default_rng(5))
    distance = entries(records([part])[0], origins, directions)
    is_hit = np.isfinite(distance)
    points = (origins + np.where(is_hit, distance, 0)[:, None] * directions)[is_hit]
    normals = np.array([normal_at(records([part])[0], tuple(point)) for point in points])
    step = 1e-3 * np.eye(3)
    gradient = np.stack(
        [depth_inside(part, points - step[axis]) - depth_inside(part, points + step[axis]) for axis in range(3)], axis=1
    )
    gradient /= np.linalg.norm(gradient, axis=1, keepdims=True)
    assert is_hit.sum() > 20
    assert (normals * gradient).sum(axis=1) == pytest.approx(np.ones(is_hit.sum()), abs=0.003)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_body_that_is_turned_moved_and_enlarged_is_met_by_rays_that_are_too(shape):
    origins, directions = rays(10, np.random.default_rng(8))
    turn = np.array([[math.cos(0.7), -math.sin(0.7), 0], [math.sin(0.7), math.cos(0.7), 0], [0, 0, 1]])
    there = records([SHAPES[shape]], scale=1.5, x=3.0, y=-1.0, heading_rad=0.7)[0]
    found = entries(there, 1.5 * origins @ turn.T + [3.0, -1.0, 0.0], directions @ turn.T)
    here = entries(records([SHAPES[shape]])[0], origins, directions)
    assert found == pytest.approx(1.5 * here, abs=1e-9)


def test_a_pattern_counts_along_the_part_and_round_from_the_front_to_the_left():
    upright = Capsule(start=(0.0, 0.0, 0.5), end=(0.0, 0.0, 1.5), start_radius=0.2, end_radius=0.2, paint=GREY_PAINT)
    part = records([upright], heading_rad=math.pi / 2)[0]
    front, left, back = (
        place_in_pattern(part, point) for point in ((0.0, 0.2, 0.8), (-0.2, 0.0, 0.9), (0.0, -0.2, 1.0))
    )
    assert front == pytest.approx((0.0, 0.3))
    assert left == pytest.approx((math.pi / 2, 0.4))
    assert (abs(back[0]), back[1]) == pytest.approx((math.pi, 0.5))


def test_parts_of_one_garment_share_the_place_of_the_pattern():
    axis = ((0.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    one, other = records(
        [
            Capsule(
                start=(0.0, 0.0, z),
                end=(0.0, 0.0, z + 0.3),
                start_radius=0.2,
                end_radius=r,
                pattern_axis=axis,
                paint=GREY_PAINT,
            )
            for z, r in ((0.2, 0.2), (0.5, 0.3))
        ]
    )
    assert place_in_pattern(one, (0.2, 0.0, 0.5)) == pytest.approx(place_in_pattern(other, (0.2, 0.0, 0.5)))


def test_a_crown_lets_rays_through_mostly_near_its_outline_and_a_solid_ball_none():
    def share_met(holes: float, off: float) -> float:
        paint = Paint((0.2, 0.3, 0.1), holes=holes)
        ball = Capsule(start=(0.0, 0.0, 5.0), end=(0.0, 0.0, 5.0), start_radius=2.0, end_radius=2.0, paint=paint)
        angles = np.linspace(0, 2 * math.pi, 400)
        origins = [np.array([-9.0, off * math.cos(angle), 5.0 + off * math.sin(angle)]) for angle in angles]
        return float(np.isfinite(entries(records([ball])[0], origins, [np.array([1.0, 0.0, 0.0])] * 400)).mean())

    assert share_met(0.0, 1.95) == 1
    assert share_met(0.15, 0.5) > 0.75
    assert share_met(0.15, 1.95) < 0.5


BLOCKS = {
    "box": Block(x=0.2, y=-0.1, length=1.0, width=0.6, height=0.8, sides=GREY, top=GREY),
    "turned": Block(x=0.0, y=0.1, length=1.2, width=0.4, height=0.7, turn_rad=0.7, sides=GREY, top=GREY),
    "roof": Block(x=0.0, y=0.0, base=0.3, length=1.2, width=0.9, height=0.5, top_width=0.0, sides=GREY, top=GREY),
    "cabin": Block(
        x=0.0,
        y=0.0,
        base=0.2,
        length=1.2,
        width=0.8,
        height=0.5,
        turn_rad=-1.1,
        top_length=0.4,
        top_width=0.5,
        top_shift=0.3,
        sides=GREY,
        top=GREY,
    ),
}


@pytest.mark.parametrize("shape", BLOCKS)
def test_rays_enter_where_steps_along_them_come_in(shape):
    block, rng = BLOCKS[shape], np.random.default_rng(2)
    record = stack_blocks([block], [(0, 0)])[0]
    steps, hits = np.linspace(0, 5, 20001), 0
    for _ in range(40):
        origin = rng.normal(size=3)
        origin = np.array([0.0, 0.0, 0.5]) + 2.5 * origin / np.linalg.norm(origin)
        target = rng.uniform((-0.6, -0.6, 0.0), (0.6, 0.6, 1.0))
        direction = (target - origin) / np.linalg.norm(target - origin)
        inside = is_in_block(block, origin + steps[:, None] * direction)
        found = enter_block(record, tuple(origin), tuple(direction))
        if inside.any():
            hits += 1
            assert found == pytest.approx(steps[inside][0], abs=1e-3)
        else:
            # A ray that cuts off less than a step of an edge may go unnoticed.
            assert found == math.inf or not is_in_block(block, origin + (found + 2e-3) * direction)
    assert 10 < hits < 40


def test_a_ray_that_starts_inside_enters_nowhere_ahead():
    assert enter_block(stack_blocks([BLOCKS["box"]], [(0, 0)])[0], (0.2, -0.1, 0.4), (1.0, 0.0, 0.0)) < 0


def test_faces_are_numbered_front_back_left_right_top_bottom():
    block = stack_blocks([BLOCKS["turned"]], [(0, 0)])[0]
    middle, ahead = np.array([0.0, 0.1, 0.35]), np.array([math.cos(0.7), math.sin(0.7), 0.0])
    left, up = np.array([-ahead[1], ahead[0], 0.0]), np.array([0.0, 0.0, 1.0])
    for face, offset in enumerate((0.6 * ahead, -0.6 * ahead, 0.2 * left, -0.2 * left, 0.35 * up, -0.35 * up)):
        assert face_at(block, tuple(middle + offset)) == face
