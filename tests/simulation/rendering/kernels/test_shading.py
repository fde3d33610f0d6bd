"""The soft shade on the ground round what stands there."""

import numpy as np
import pytest

from skyreid.simulation.rendering.blocks import Block, stack_blocks
from skyreid.simulation.rendering.capsules import Capsule, join, place, stack
from skyreid.simulation.rendering.kernels.bins import sort_into_bins
from skyreid.simulation.rendering.kernels.shading import CONTACT_REACH_M, sky_seen, sky_shares
from skyreid.simulation.rendering.paint import Paint
from tests.simulation.rendering.flat_shapes import GREY

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
