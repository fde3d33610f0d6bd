"""Ground, kerb, wall and sky."""

import math

import numpy as np
import pytest

from skyreid.simulation.camera import look_at
from skyreid.simulation.surroundings import GROUND, SKY, WALL, Surface, Surroundings, draw_surroundings

GREY, GREEN, BROWN = (
    Surface(colour=colour, patch=colour, patch_m=1.0, grain=0.0, seed=1)
    for colour in ((0.3, 0.3, 0.3), (0.1, 0.2, 0.05), (0.2, 0.1, 0.05))
)
SLABS = Surface(colour=(0.4, 0.4, 0.4), patch=(0.4, 0.4, 0.4), patch_m=1.0, grain=0.0, slab_m=(0.5, 0.5), seed=1)
CAMERA = look_at(np.array([-10.0, 0.0, 2.0]), np.array([0.0, 0.0, 1.0]), focal_px=1000.0)


def test_rays_end_on_ground_wall_or_sky_where_geometry_says():
    place = Surroundings(
        ground=GREY,
        verge=GREEN,
        verge_azimuth_rad=0.0,
        verge_distance_m=3.0,
        wall=BROWN,
        wall_azimuth_rad=0.0,
        wall_distance_m=8.0,
        wall_height_m=4.0,
    )
    directions = np.array([[1.0, 1.0, 1.0, 1.0], [0.0, 0.1, 0.0, 0.0], [-0.2, -2 / 15, 0.05, 0.2]])
    found = place.meet(CAMERA, directions)
    assert found.kind.tolist() == [GROUND, GROUND, WALL, SKY]
    assert found.points[:, 0] == pytest.approx([0.0, 0.0, 0.0])
    assert found.points[:, 1] == pytest.approx([5.0, 1.5, 0.0])
    assert found.points[:, 2] == pytest.approx([8.0, 0.0, 2.9])
    assert found.colours[:, 0] == pytest.approx(GREY.colour)
    assert found.colours[:, 1] == pytest.approx(GREEN.colour)
    assert found.colours[:, 2] == pytest.approx(BROWN.colour)
    assert found.normals[:, 0].tolist() == [0, 0, 1]
    assert found.normals[:, 2] == pytest.approx([-1, 0, 0])


def test_a_wall_behind_the_camera_is_not_seen():
    place = Surroundings(
        ground=GREY,
        verge=GREY,
        verge_azimuth_rad=0.0,
        verge_distance_m=300.0,
        wall=BROWN,
        wall_azimuth_rad=math.pi,
        wall_distance_m=15.0,
        wall_height_m=4.0,
    )
    assert place.meet(CAMERA, np.array([[1.0], [0.0], [0.1]])).kind.tolist() == [SKY]


def test_joints_lie_between_slabs_and_vanish_far_away():
    x = np.arange(0.0025, 4.0, 0.005)
    row, fine = np.full_like(x, 0.25), np.full_like(x, 0.001)
    colour = SLABS.colour_at(x, row, fine)[0]
    offset = np.abs(x / 0.5 - np.round(x / 0.5)) * 0.5
    assert colour[offset < 0.012].max() < colour[offset > 0.012].min()
    far = SLABS.colour_at(x, row, np.full_like(x, 2.0))[0]
    assert far.std() < 0.1 * colour.std()


def test_grain_and_patches_depend_on_the_seed_alone():
    x, y = np.random.default_rng(4).uniform(-50, 50, (2, 500))
    rough = Surface(colour=(0.2, 0.2, 0.2), patch=(0.3, 0.3, 0.3), patch_m=0.5, grain=0.4, seed=9)
    other = Surface(colour=(0.2, 0.2, 0.2), patch=(0.3, 0.3, 0.3), patch_m=0.5, grain=0.4, seed=10)
    fine = np.full_like(x, 0.01)
    colour = rough.colour_at(x, y, fine)
    assert np.array_equal(colour, rough.colour_at(x, y, fine))
    assert colour.std() > 0.02
    assert np.corrcoef(colour[0], other.colour_at(x, y, fine)[0])[0, 1] < 0.2


def test_only_a_low_camera_gets_a_wall_and_it_stands_behind_the_person():
    drone = look_at(np.array([-20.0, 0.0, 40.0]), np.array([0.0, 0.0, 1.0]), focal_px=1000.0)
    for seed in range(20):
        assert draw_surroundings(np.random.default_rng(seed), drone).wall is None
        place = draw_surroundings(np.random.default_rng(seed), CAMERA)
        assert place.wall is not None
        assert math.cos(place.wall_azimuth_rad) * place.wall_distance_m > 4
