"""Where people stand, told from a drone's subtitle file, against the truth of simulated flights.

    python benchmarks/ground_positions.py [--flights 200] [--folder FOLDER]

Each flight is one of the simulated world's: it hovers, cruises or circles, and sways in the wind. Its camera's truth is
written as a DJI drone writes it (degrees to 6 decimals, metres to 3, angles to 1, a focal length), once exactly and
once with errors drawn with the standard deviations that `telemetry.ground_position` states: those of position, height,
angles and focal length stay the same for a flight, as a compass or a barometer is off; the pixel of the feet is off
anew each time. Ten people on flat ground, wherever the picture shows it, at five times; flights whose lens is
wider than a focal length in a subtitle file is believed to be (18 mm) place nobody.
Printed: how far off the position is, how far it says that it may be, and how often the truth lies inside the
95 % ellipse; the last lines with errors of half and twice the stated size.
"""

import argparse
import math
import tempfile
from dataclasses import astuple
from pathlib import Path

import numpy as np

from skyreid.simulation.difficulty import USUAL
from skyreid.simulation.rendering.camera import Camera
from skyreid.simulation.scene_truth import HEIGHT, WIDTH
from skyreid.simulation.sessions.setting import draw_flight
from skyreid.telemetry.dji_subtitles import read_subtitle_file
from skyreid.telemetry.flight_log import EARTH_RADIUS_M, distance_m
from skyreid.telemetry.ground_position import DRONE, FULL_FRAME_MM, GroundPoint, ground_point, ground_view

HOME = (41.5, 2.25)
DURATION_S, TIMES_S, PEOPLE = 60, (0.0, 14.0, 29.5, 44.0, 58.0), 10
BANDS = ((30, 45), (45, 60), (60, 90))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--flights", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="keep the subtitle files there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"{'errors':14} {'seen at':>14} {'people':>7} {'off by, median':>15} {'90 %':>8} {'within':>10} inside")
        for name, scale in (("written only", 0.0), ("as stated", 1.0), ("half", 0.5), ("twice", 2.0)):
            rows = np.array([row for seed in range(given.flights) for row in fly(seed, scale, folder)])
            for low, high in BANDS:
                report(name, f"{low} to {high} deg", rows[(rows[:, 0] >= low) & (rows[:, 0] < high)])
            report(name, "all", rows)


def report(name: str, band: str, rows: np.ndarray) -> None:
    off, radius = rows[:, 1], rows[:, 2]
    print(
        f"{name:14} {band:>14} {len(rows):7} {np.median(off):13.2f} m {np.quantile(off, 0.9):6.2f} m "
        f"{np.median(radius):8.2f} m {rows[:, 3].mean():6.1%}"
    )


def fly(seed: int, scale: float, folder: Path) -> list[tuple[float, float, float, float]]:
    """Write, read and ask one flight: for each person the angle, the error, the stated radius, inside or not."""
    rng = np.random.default_rng(seed)
    flight = draw_flight(rng, (0.0, 0.0), float(DURATION_S), USUAL)
    off = (
        scale * rng.normal(size=7) * (*(DRONE.position_m,) * 2, *astuple(DRONE)[1:5], DRONE.view_share_of_focal_length)
    )
    cameras = [flight.camera_at(time_s / 10) for time_s in range(10 * DURATION_S)]
    path = folder / f"flight-{seed:03d}-{scale:g}.SRT"
    path.write_text("".join(cue(number, camera, off) for number, camera in enumerate(cameras)), encoding="utf-8")
    log = read_subtitle_file(path)
    rows = []
    for time_s in TIMES_S:
        camera, record = flight.camera_at(time_s), log.at(time_s)
        view = None if record is None else ground_view(record, width=WIDTH, height=HEIGHT)
        if view is None:
            continue
        for _ in range(PEOPLE):
            pixel = rng.uniform((0, 0), (WIDTH, HEIGHT))
            feet = on_ground(camera, pixel)
            x, y = pixel + scale * rng.normal(size=2) * DRONE.pixel
            if feet is not None and (point := ground_point(view, float(x), float(y))) is not None:
                rows.append(compared(point, feet))
    return rows


def compared(point: GroundPoint, feet: np.ndarray) -> tuple[float, float, float, float]:
    truth = place(feet)
    error_m = distance_m((point.latitude, point.longitude), truth)
    return point.depression, error_m, point.radius_95_m, float(point.is_within_95(*truth))


def cue(number: int, camera: Camera, off: np.ndarray) -> str:
    """One record, ten a second; `off` east, north, height, yaw, pitch, roll, and the focal length's share."""
    latitude, longitude = place(camera.position[:2] + off[:2])
    right, _, forward = camera.axes
    yaw = math.degrees(math.atan2(forward[0], forward[1])) + off[3]
    pitch = math.degrees(math.asin(forward[2])) + off[4]
    roll = math.degrees(math.asin(-right[2] / math.cos(math.asin(forward[2])))) + off[5]
    # A share of the field of view, which for this lens is nearly one of the focal length.
    view = 2 * math.atan(WIDTH / 2 / camera.focal_px) * (1 + off[6])
    focal_mm = FULL_FRAME_MM / 2 / math.tan(view / 2)
    height_m = camera.position[2] + off[2]
    start, end = (f"00:{tenths // 600:02d}:{tenths // 10 % 60:02d},{tenths % 10}00" for tenths in (number, number + 1))
    return (
        f'{number + 1}\n{start} --> {end}\n<font size="28">FrameCnt: {number + 1}, DiffTime: 100ms\n'
        f"2026-05-04 12:00:{number // 10:02d}.{number % 10}00\n"
        f"[iso: 100] [shutter: 1/640.0] [fnum: 2.8] [ev: 0] [focal_len: {focal_mm:.2f}] [latitude: {latitude:.6f}] "
        f"[longitude: {longitude:.6f}] [rel_alt: {height_m:.3f} abs_alt: {height_m + 60:.3f}] "
        f"[gb_yaw: {yaw:.1f} gb_pitch: {pitch:.1f} gb_roll: {roll:.1f}] </font>\n\n"
    )


def place(offset: np.ndarray) -> tuple[float, float]:
    """Latitude and longitude of metres east and north of home."""
    north = math.degrees(float(offset[1]) / EARTH_RADIUS_M)
    east = math.degrees(float(offset[0]) / EARTH_RADIUS_M / math.cos(math.radians(HOME[0])))
    return HOME[0] + north, HOME[1] + east


def on_ground(camera: Camera, pixel: np.ndarray) -> np.ndarray | None:
    """Where a pixel's ray meets the ground, by the true camera; None for the sky."""
    right, down, forward = camera.axes
    x, y = (pixel - (WIDTH / 2, HEIGHT / 2)) / camera.focal_px
    ray = forward + x * right + y * down
    return None if ray[2] > -0.05 else camera.position[:2] + ray[:2] * (camera.position[2] / -ray[2])


if __name__ == "__main__":
    main()
