"""The places around people: what is drawn at random, and blocks as records and boxes."""

import math

import numpy as np
import pytest

from skyreid.simulation.rendering.camera import look_at
from skyreid.simulation.rendering.surroundings import (
    Block,
    Region,
    Surroundings,
    draw_surroundings,
    parallel_block_boxes,
    stack_blocks,
)
from tests.simulation.rendering.flat_shapes import GREY, is_in_block, plain

CAMERA = look_at(np.array([-10.0, 0.0, 2.0]), np.array([0.0, 0.0, 1.0]), focal_px=1000.0)


def test_every_region_and_face_keeps_its_own_surface():
    ground, lawn, wall, roof = (plain(level, 0.0, 0.0) for level in (0.1, 0.2, 0.3, 0.4))
    place = Surroundings(
        ground=ground,
        regions=(Region(x=0.0, y=0.0, length=1.0, width=1.0, surface=lawn),),
        blocks=(Block(x=0.0, y=0.0, length=1.0, width=1.0, height=1.0, sides=wall, top=roof),),
    )
    reds = place.surface_records["colour"][:, 0]
    assert reds[0] == 0.1
    assert reds[place.laid_regions[0]["surface"]].tolist() == [0.2]
    assert reds[place.block_records["side_surface"]].tolist() == [0.3]
    assert reds[place.block_records["top_surface"]].tolist() == [0.4]


def test_only_a_low_camera_gets_a_wall_and_it_stands_behind_the_person():
    drone = look_at(np.array([-20.0, 0.0, 40.0]), np.array([0.0, 0.0, 1.0]), focal_px=1000.0)
    for seed in range(20):
        assert draw_surroundings(np.random.default_rng(seed), drone).blocks == ()
        (wall,) = draw_surroundings(np.random.default_rng(seed), CAMERA).blocks
        nearest = math.hypot(wall.x, wall.y) - wall.length / 2
        assert nearest > 4.9
        # From behind the wall's near side one looks back at the origin.
        assert math.cos(wall.turn_rad) * wall.x + math.sin(wall.turn_rad) * wall.y > wall.length / 2
        assert wall.x > 0


CABIN = Block(
    x=2.0,
    y=-1.0,
    base=0.5,
    length=2.0,
    width=1.0,
    height=0.8,
    turn_rad=0.6,
    top_length=1.0,
    top_width=0.6,
    top_shift=0.2,
    sides=GREY,
    top=GREY,
)


def test_corners_are_on_the_edge_of_the_block():
    middle = CABIN.corners().mean(axis=0)
    for corner in CABIN.corners():
        assert is_in_block(CABIN, corner + 0.001 * (middle - corner))
        assert not is_in_block(CABIN, corner - 0.001 * (middle - corner))


def test_every_face_holds_four_corners_and_has_the_others_behind_it():
    block = stack_blocks([CABIN], [(3, 4)])[0]
    height = block["offsets"] - CABIN.corners() @ block["normals"].T
    assert (np.abs(height) < 1e-9).sum(axis=0).tolist() == [4] * 6
    assert (height > -1e-9).all()
    assert np.linalg.norm(block["normals"], axis=1) == pytest.approx(np.ones(6))
    assert (block["side_surface"], block["top_surface"]) == (3, 4)


def test_a_roof_has_a_ridge():
    roof = Block(x=0.0, y=0.0, length=4.0, width=2.0, height=1.0, top_width=0.0, sides=GREY, top=GREY)
    left = stack_blocks([roof], [(0, 0)])[0]["normals"][2]
    assert left == pytest.approx([0.0, math.sqrt(0.5), math.sqrt(0.5)])


def test_a_parallel_box_holds_all_corners():
    across = np.array([[0.0, 1.0, 0.0], [-0.6, 0.0, 0.8]])
    seen = CABIN.corners() @ across.T
    assert parallel_block_boxes(CABIN.corners()[None], across)[0] == pytest.approx(
        [*seen.min(axis=0), *seen.max(axis=0)]
    )
