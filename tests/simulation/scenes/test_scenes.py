"""The nine scenes from both platforms."""

import math

import numpy as np
import pytest

from skyreid.simulation.filming import identity
from skyreid.simulation.people.body import body, size
from skyreid.simulation.rendering.camera import Camera, Window, look_at
from skyreid.simulation.rendering.capsules import Capsules, place
from skyreid.simulation.rendering.light import draw_light
from skyreid.simulation.rendering.ray_caster import Picture, draw
from skyreid.simulation.scenes import SCENES, Scene

pytestmark = pytest.mark.slow  # seconds that every change would pay; what is tested changes rarely

SHRUNK = 4
"""Pictures are drawn that much smaller than 1280 x 720."""
FRAME = Window(left=-640 // SHRUNK, top=-360 // SHRUNK, width=1280 // SHRUNK, height=720 // SHRUNK)
LIGHT = draw_light(np.random.default_rng(2))
PERSON = identity(1, 2)


def someone(x: float, y: float) -> Capsules:
    return place(body(PERSON, 0.2), scale=size(PERSON), x=x, y=y, heading_rad=1.0)


def ground_camera(scene: Scene) -> Camera:
    target = np.array([*scene.ground_target, 0.9])
    return look_at(np.array([*scene.ground_camera, 2.0]), target, focal_px=1109.0 / SHRUNK)


def drone(azimuth: float, height: float, down_deg: float) -> Camera:
    away = height / math.tan(math.radians(down_deg))
    position = np.array([away * math.cos(azimuth), away * math.sin(azimuth), height])
    return look_at(position, np.array([0.0, 0.0, 0.9]), focal_px=1109.0 / SHRUNK)


def seen_shares(picture: Picture) -> list[float]:
    """Of everybody who is in the picture."""
    return [float((picture.body == number).sum() / alone) for number, alone in enumerate(picture.alone) if alone]


@pytest.fixture(scope="module", params=SCENES)
def scene(request: pytest.FixtureRequest) -> Scene:
    return SCENES[request.param](np.random.default_rng(7))


def places(scene: Scene) -> list[tuple[float, float]]:
    """The middle of the walk area and, just inside, its corners."""
    x0, y0, x1, y1 = scene.walk_area
    return [((x0 + x1) / 2, (y0 + y1) / 2), *((x, y) for x in (x0 + 0.4, x1 - 0.4) for y in (y0 + 0.4, y1 - 0.4))]


def test_a_scene_has_its_name_and_the_same_numbers_build_it_again(scene):
    assert SCENES[scene.name](np.random.default_rng(7)).surroundings.blocks == scene.surroundings.blocks
    assert SCENES[scene.name](np.random.default_rng(8)).surroundings.blocks != scene.surroundings.blocks


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_the_ground_camera_sees_people_all_over_the_walk_area(scene, seed):
    scene = SCENES[scene.name](np.random.default_rng(seed))
    people = [someone(x, y) for x, y in places(scene)]
    picture = draw(ground_camera(scene), FRAME, people, scene.surroundings, LIGHT, samples=2)
    distances = np.array([math.dist(scene.ground_camera, place) for place in places(scene)])
    assert ((distances > 10) & (distances < 45)).all()
    # A person covers about a quarter of a square metre, and nobody is outside the picture.
    assert (picture.alone > 0.25 * 4 * (1109.0 / SHRUNK / distances) ** 2).all()
    assert min(seen_shares(picture)) > 0.3


def test_the_drone_sees_people_all_over_the_walk_area(scene):
    people = [someone(x, y) for x, y in places(scene)]
    for azimuth in (0.4, 2.0, 3.5, 5.1):
        for height, down_deg in ((20.0, 30.0), (45.0, 80.0)):
            picture = draw(drone(azimuth, height, down_deg), FRAME, people, scene.surroundings, LIGHT, samples=1)
            shares = seen_shares(picture)
            assert len(shares) >= 4
            assert shares[0] > 0.7
            assert np.mean(shares) > 0.5


def test_nothing_but_low_or_thin_things_stands_in_the_walk_area(scene):
    x0, y0, x1, y1 = scene.walk_area
    for block in scene.surroundings.blocks:
        corners = block.corners()
        low, high = corners[:, :2].min(axis=0), corners[:, :2].max(axis=0)
        is_outside = high[0] < x0 or low[0] > x1 or high[1] < y0 or low[1] > y1
        is_thin = (high - low).max() < 0.9
        assert is_outside or is_thin or corners[:, 2].max() < 0.95
    for growth in scene.surroundings.growths:
        feet = growth.start[growth.start[:, 2] < 1.0]
        middle = feet[:, :2].mean(axis=0) if len(feet) else np.array([1e3, 1e3])
        is_inside = x0 < middle[0] < x1 and y0 < middle[1] < y1
        assert not is_inside or growth.start_radius.max() < 0.3


def test_scenes_look_different_from_each_other():
    pictures = {}
    for name, build in SCENES.items():
        scene = build(np.random.default_rng(1))
        for view, camera in (("ground", ground_camera(scene)), ("drone", drone(0.6, 30.0, 55.0))):
            picture = draw(camera, FRAME, [], scene.surroundings, LIGHT, samples=1)
            assert 0.03 < picture.radiance.std() < 0.5
            pictures[name, view] = picture.radiance.reshape(18, 10, 32, 10, 3).mean(axis=(1, 3))
    for view in ("ground", "drone"):
        for one in SCENES:
            for other in SCENES:
                if one < other:
                    assert np.abs(pictures[one, view] - pictures[other, view]).mean() > 0.015
