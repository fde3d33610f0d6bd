"""Places without people."""

import math

import numpy as np

from skyreid.simulation.rendering.blocks import Block
from skyreid.simulation.rendering.camera import look_at
from skyreid.simulation.rendering.ground import Region
from skyreid.simulation.rendering.surroundings import Surroundings, draw_surroundings
from tests.simulation.rendering.flat_shapes import plain

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
