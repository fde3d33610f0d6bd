import numpy as np
import pytest

from skyreid.building.motion.background import PROTECT_S, Background
from tests.building.motion.scenes import backdrop, seen_through_noise, with_people

PERSON = (100, 60, 120, 120)
STEP_S = 0.5  # coarse, so that a minute is few frames


def area(picture, box=PERSON):
    inside = np.zeros(picture.shape[:2], bool)
    inside[box[1] : box[3], box[0] : box[2]] = True
    return inside


@pytest.fixture
def scene():
    """A background that has seen ten seconds of an empty place."""
    background, picture = Background(interval_s=STEP_S), backdrop()
    nobody = np.zeros(picture.shape[:2], bool)
    for number in range(20):
        background.moving(seen_through_noise(picture, number))
        background.learn(nobody)
    return background, picture, nobody


def test_only_who_appears_differs(scene):
    background, picture, _ = scene
    mask = background.moving(seen_through_noise(with_people(picture, [(PERSON, 10)]), 99))
    assert mask[area(picture)].mean() > 0.95
    assert mask[~area(picture)].mean() < 0.02


@pytest.mark.parametrize(
    "exposure",
    [
        lambda tones: tones * 0.7,
        lambda tones: 255 * (tones / 255) ** 0.75,
        lambda tones: np.minimum(tones * np.array([1.15, 1.0, 0.9]), 255),
    ],
    ids=["darker", "another curve", "warmer"],
)
def test_another_exposure_is_no_movement(scene, exposure):
    background, picture, _ = scene
    frame = with_people(picture, [(PERSON, 10)])
    mask = background.moving(exposure(seen_through_noise(frame, 99).astype(float)).astype(np.uint8))
    assert mask[area(picture)].mean() > 0.9
    assert mask[~area(picture)].mean() < 0.05


def steps_until_learned(scene, people):
    background, picture, _ = scene
    frame = with_people(picture, [(PERSON, 10)])
    for number in range(400):
        if background.moving(seen_through_noise(frame, number))[area(picture)].mean() < 0.5:
            return number
        background.learn(people)
    return None


def test_who_stands_is_seen_for_a_minute_and_then_belongs_to_the_place(scene):
    seconds = steps_until_learned(scene, area(scene[1])) * STEP_S
    assert PROTECT_S <= seconds < 2 * PROTECT_S


def test_what_is_no_person_belongs_to_the_place_much_sooner(scene):
    assert steps_until_learned(scene, scene[2]) * STEP_S < PROTECT_S
