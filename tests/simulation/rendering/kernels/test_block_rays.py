"""Rays and blocks, against steps along the ray."""

import math

import numpy as np
import pytest

from skyreid.simulation.rendering.blocks import Block, stack_blocks
from skyreid.simulation.rendering.kernels.block_rays import enter_block, face_at
from tests.simulation.rendering.flat_shapes import GREY, is_in_block

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
