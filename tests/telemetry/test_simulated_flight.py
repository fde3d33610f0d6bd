"""A flight of the simulated world, written as a drone writes it: people are found where they stand."""

import math

import numpy as np
import pytest

from skyreid.simulation.difficulty import USUAL
from skyreid.simulation.scene_truth import HEIGHT, WIDTH
from skyreid.simulation.sessions.setting import draw_flight
from skyreid.telemetry.dji_subtitles import read_subtitle_file
from skyreid.telemetry.flight_log import EARTH_RADIUS_M, distance_m
from skyreid.telemetry.ground_position import ground_point, ground_view
from tests.telemetry.subtitles import subtitles

M_PER_DEGREE = math.radians(EARTH_RADIUS_M)


def place(offset):
    """South of the equator and west of Greenwich."""
    return -34.0 + offset[1] / M_PER_DEGREE, -58.0 + offset[0] / (M_PER_DEGREE * math.cos(math.radians(34)))


def text(camera):
    right, _, forward = camera.axes
    latitude, longitude = place(camera.position)
    angles = math.atan2(forward[0], forward[1]), math.asin(forward[2]), math.asin(-right[2] / math.hypot(*forward[:2]))
    yaw, pitch, roll = map(math.degrees, angles)
    return (
        f"[focal_len: {36 * camera.focal_px / WIDTH:.2f}] [latitude: {latitude:.6f}] [longitude: {longitude:.6f}] "
        f"[rel_alt: {camera.position[2]:.3f} abs_alt: 70.000] "
        f"[gb_yaw: {yaw:.1f} gb_pitch: {pitch:.1f} gb_roll: {roll:.1f}]"
    )


@pytest.mark.parametrize("seed", range(4))
def test_positions_are_right_within_what_is_rounded_and_inside_the_ellipse(tmp_path, seed):
    rng = np.random.default_rng(seed)
    flight = draw_flight(rng, (5.0, -3.0), 10.0, USUAL)
    path = tmp_path / "flight.SRT"
    path.write_text(subtitles(*(text(flight.camera_at(float(second))) for second in range(10))))
    log = read_subtitle_file(path)
    assert log.warnings == ()
    for second in (0.0, 4.0, 9.0):
        view = ground_view(log.at(second), width=WIDTH, height=HEIGHT)
        feet = np.array([rng.uniform(1, 9), rng.uniform(-7, 1), 0.0])
        x, y = flight.camera_at(second).project(feet[None])[0] + (WIDTH / 2, HEIGHT / 2)
        point = ground_point(view, float(x), float(y))
        # Angles of one decimal: 0.05 degrees over at most 120 m.
        assert distance_m((point.latitude, point.longitude), place(feet)) < 0.3
        assert point.is_within_95(*place(feet))
