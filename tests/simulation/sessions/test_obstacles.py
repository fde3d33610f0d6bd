"""Footprints of what stands around."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyreid.simulation.rendering.capsules import Capsule, place
from skyreid.simulation.rendering.materials import Surface
from skyreid.simulation.rendering.paint import Paint
from skyreid.simulation.rendering.surroundings import Block, Surroundings
from skyreid.simulation.sessions.obstacles import obstacles_in

PLAIN = Surface(colour=(0.3, 0.3, 0.3), patch=(0.3, 0.3, 0.3), patch_m=1.0, grain=0.0, seed=1)
AREA = (-10.0, -10.0, 10.0, 10.0)
BENCH = Block(x=2.0, y=1.0, length=2.0, width=0.6, height=0.5, turn_rad=0.7, sides=PLAIN, top=PLAIN)
POST = Capsule(
    start=(0.0, 0.0, 0.0), end=(0.0, 0.0, 4.0), start_radius=0.1, end_radius=0.08, paint=Paint((0.2, 0.2, 0.2))
)


def clearance(blocks, growths, x, y):
    surroundings = Surroundings(ground=PLAIN, blocks=tuple(blocks), growths=tuple(growths))
    return obstacles_in(surroundings, AREA).clearance_m(np.array([x]), np.array([y]))[0]


def slow_distance(block, x, y):
    """To the nearest of many points of the block's foot."""
    along, aside = (grid.ravel() for grid in np.meshgrid(np.linspace(-0.5, 0.5, 201), np.linspace(-0.5, 0.5, 201)))
    along, aside = along * block.length, aside * block.width
    cos, sin = math.cos(block.turn_rad), math.sin(block.turn_rad)
    foot = block.x + cos * along - sin * aside, block.y + sin * along + cos * aside
    return np.hypot(foot[0] - x, foot[1] - y).min()


@given(st.floats(-3, 6), st.floats(-4, 5))
@settings(max_examples=40)
def test_a_block_is_as_far_as_the_nearest_point_of_its_foot(x, y):
    assert clearance([BENCH], [], x, y) == pytest.approx(slow_distance(BENCH, x, y), abs=0.02)


def test_a_post_and_a_lying_log_are_round():
    post = place([POST], x=3.0, y=4.0)
    assert clearance([], [post], 0.0, 0.0) == pytest.approx(4.9)
    assert clearance([], [post], 3.05, 4.0) == 0
    log = place([dataclasses.replace(POST, start=(0.0, 0.0, 0.1), end=(4.0, 0.0, 0.1), end_radius=0.1)])
    assert clearance([], [log], 2.0, -1.0) == pytest.approx(0.9)
    assert clearance([], [log], 5.0, 0.0) == pytest.approx(0.9)


def test_what_is_overhead_or_far_away_is_no_obstacle():
    roof = dataclasses.replace(BENCH, base=2.5)
    branch = place([dataclasses.replace(POST, start=(0.0, 0.0, 2.5), end=(3.0, 0.0, 3.0))])
    elsewhere = dataclasses.replace(BENCH, x=40.0)
    assert clearance([roof, elsewhere], [branch], 2.0, 1.0) == math.inf
