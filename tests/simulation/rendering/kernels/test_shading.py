"""The soft shade on the ground round what stands there, and its regions against points thrown into a pixel."""

import math

import numpy as np
import pytest

from skyreid.simulation.rendering.camera import Window, look_at
from skyreid.simulation.rendering.capsules import Capsule, join, place, stack
from skyreid.simulation.rendering.kernels.bins import sort_into_bins
from skyreid.simulation.rendering.kernels.shading import CONTACT_REACH_M, ground_colours, sky_seen, sky_shares
from skyreid.simulation.rendering.materials import stack_surfaces
from skyreid.simulation.rendering.paint import Paint
from skyreid.simulation.rendering.surroundings import Block, Region, stack_blocks, stack_regions
from tests.simulation.rendering.flat_shapes import GREY, plain

PAINT = Paint((0.5, 0.5, 0.5))
BALL = Capsule(start=(0.0, 0.0, 0.6), end=(0.0, 0.0, 0.6), start_radius=0.3, end_radius=0.3, paint=PAINT)


def shares(bodies: list[Capsule], blocks: list[Block], x: np.ndarray) -> np.ndarray:
    """The sky's share along the x axis, seen from 3 m above."""
    parts = stack(join([place([body]) for body in bodies]), [1] * len(bodies))
    everywhere = np.tile([-50.0, -50.0, 50.0, 50.0], (len(bodies) + len(blocks), 1))
    bins = sort_into_bins(everywhere)
    pinhole = np.array([[0.0, 0.0, 3.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
    return sky_shares(
        pinhole,
        x / 3,
        np.zeros(1),
        np.ones((1, x.size), np.float32),
        parts,
        np.arange(len(bodies) + 1),
        stack_blocks(blocks, [(0, 0)] * len(blocks)),
        bins.grid,
        bins.first,
        bins.boxes,
    )[0]


def test_a_ball_takes_sky_by_its_form_factor():
    x = np.array([0.5, 1.0, 2.0])
    hidden = (1 - x**2 / CONTACT_REACH_M**2) * 0.3**2 * 0.6 / (x**2 + 0.6**2) ** 1.5
    assert shares([BALL], [], x) == pytest.approx(1 / (1 + 0.9 * hidden), rel=1e-6)
    assert shares([BALL, BALL], [], x) == pytest.approx(1 / (1 + 1.8 * hidden), rel=1e-6)


def test_the_ground_sees_less_sky_near_a_wall_and_all_of_it_far_away():
    wall = Block(x=0.0, y=0.0, length=0.4, width=8.0, height=3.0, sides=GREY, top=GREY)
    share = shares([], [wall], np.array([0.21, 0.5, 1.0, 2.0, 5.0]))
    assert (np.diff(share) > 0).all()
    assert share[0] < 0.55
    assert share[-1] == 1


def test_it_is_dark_under_a_car():
    chassis = Block(x=0.0, y=0.0, base=0.25, length=4.0, width=1.8, height=0.5, sides=GREY, top=GREY)
    under, beside = shares([], [chassis], np.array([0.3, 3.0]))
    assert under < 0.2 < 0.8 < beside


def test_a_surface_that_looks_up_sees_the_whole_sky_and_one_that_looks_down_the_lit_ground():
    assert sky_seen(1.0) == 1
    assert sky_seen(-1.0) == 0.25
    assert sky_seen(0.0) == 0.625


BLACK, WHITE, RED = plain(0.0, 0.0, 0.0), plain(1.0, 1.0, 1.0), plain(1.0, 0.0, 0.0)
FROM_ABOVE = look_at(np.array([0.01, 0.0, 20.0]), np.array([0.0, 0.0, 0.0]), focal_px=100.0)
FROM_ASIDE = look_at(np.array([-12.0, 3.0, 2.0]), np.array([0.0, 0.0, 0.0]), focal_px=120.0)


def seen(camera, regions: list[Region], window: Window) -> np.ndarray:
    records, bins = stack_regions(regions, range(1, len(regions) + 1))
    surfaces = stack_surfaces([BLACK, *(region.surface for region in regions)])
    wanted = np.ones((window.height, window.width), np.float32)
    columns, rows = camera.sample_grid(window, 1)
    colours, _ = ground_colours(
        camera.pinhole, columns, rows, wanted, records, bins.grid, bins.first, bins.boxes, surfaces
    )
    return colours


def sampled(camera, region: Region, window: Window) -> np.ndarray:
    """The share of every pixel that a region covers, from 16 x 16 rays each."""
    columns, rows = camera.sample_grid(window, 16)
    start, right, down, forward = camera.pinhole
    rays = forward + columns[None, :, None] * right + rows[:, None, None] * down
    points = start - start[2] / rays[..., 2:] * rays
    x, y = points[..., 0] - region.x, points[..., 1] - region.y
    cos, sin = math.cos(region.turn_rad), math.sin(region.turn_rad)
    x, y = np.abs(cos * x + sin * y) - region.length / 2, np.abs(cos * y - sin * x) - region.width / 2
    beyond = np.hypot(np.maximum(x + region.corner_m, 0), np.maximum(y + region.corner_m, 0))
    inside = (np.maximum(x, y) < 0) & ((beyond < region.corner_m) | (region.corner_m == 0))
    return inside.reshape(window.height, 16, window.width, 16).mean(axis=(1, 3))


@pytest.mark.parametrize("camera", [FROM_ABOVE, FROM_ASIDE], ids=["above", "aside"])
@pytest.mark.parametrize(("length", "corner"), [(2.0, 0.0), (0.15, 0.0), (3.0, 0.7)])
def test_a_pixel_shows_a_region_by_the_share_that_it_covers(camera, length, corner):
    region = Region(x=0.1, y=-0.2, length=length, width=2.0, turn_rad=0.4, corner_m=corner, surface=WHITE)
    window = Window(left=-16, top=-12, width=32, height=26)
    found, expected = seen(camera, [region], window)[..., 0], sampled(camera, region, window)
    assert expected.max() > 0.2
    assert found.sum() == pytest.approx(expected.sum(), rel=0.03)
    # A turned edge is softened over a pixel that is taken for a box along it.
    assert np.abs(found - expected).max() < 0.3
    assert np.abs(found - expected).mean() < 0.015


def test_later_regions_lie_on_earlier_ones():
    large = Region(x=0.0, y=0.0, length=4.0, width=4.0, surface=WHITE)
    small = Region(x=0.0, y=0.0, length=2.0, width=2.0, surface=RED)
    window = Window(left=-2, top=-2, width=4, height=4)
    assert np.allclose(seen(FROM_ABOVE, [large, small], window), [1, 0, 0])
    assert np.allclose(seen(FROM_ABOVE, [small, large], window), [1, 1, 1])


def test_a_ragged_edge_strays_to_both_sides_but_not_farther_than_told():
    def edge(rough: float) -> np.ndarray:
        lawn = Region(x=-4.0, y=0.0, length=8.0, width=18.0, rough_m=rough, surface=WHITE)
        camera = look_at(np.array([0.01, 0.0, 20.0]), np.array([0.0, 0.0, 0.0]), focal_px=400.0)
        share = seen(camera, [lawn], Window(left=-120, top=-60, width=240, height=120))[..., 0]
        # The camera's right is the world's -y here, its down the world's +x or -x.
        return share.sum(axis=0) / 20 - 3

    assert np.abs(edge(0.0)).max() < 0.02
    assert 0.05 < np.abs(edge(0.3)).max() < 0.31
    assert edge(0.3).min() < -0.03 < 0.03 < edge(0.3).max()
