"""The knobs of a world."""

import re

import numpy as np
import pytest

from skyreid.errors import SettingError
from skyreid.simulation.difficulty import Difficulty
from skyreid.simulation.filming import film, identity, light_of
from skyreid.tracklet import Platform

pytestmark = pytest.mark.slow  # seconds that every change would pay; what is tested changes rarely


def test_look_alikes_wear_the_same_and_are_other_people():
    difficulty = Difficulty(look_alikes=3)
    one, other, third, stranger = (identity(0, number, difficulty) for number in (4, 5, 6, 7))
    assert one.clothes == other.clothes == third.clothes != stranger.clothes
    assert len({one.height_m, other.height_m, third.height_m}) == 3


def test_dark_clothes_are_dark():
    def brightness(dark: float) -> float:
        people = [identity(0, number, Difficulty(look_alikes=1, dark=dark)) for number in range(100)]
        return sum(sum(person.clothes.upper_paint.colour) for person in people) / 300

    assert brightness(1.0) < 0.06 < 0.12 < brightness(0.0)


def test_company_hides_people_now_and_then_but_never_most_of_them():
    alone, crowded = (
        [
            crop
            for number in range(12)
            for crop in film(1, number, Platform.GROUND, 4, difficulty=Difficulty(company=c)).crops
        ]
        for c in (0.0, 1.0)
    )
    assert min(crop.visible for crop in alone) == 1.0
    assert 0.3 <= min(crop.visible for crop in crowded) < 0.8


def test_one_light_for_the_world_is_the_same_for_everybody():
    """Shadows then fall in one direction; only the cameras differ."""
    lights = [
        light_of(2, Difficulty(light_varies=varies), np.random.default_rng(n))
        for varies in (False, True)
        for n in (0, 1)
    ]
    assert lights[0] == lights[1]
    assert lights[2] != lights[3]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"look_alikes": 0}, "look_alikes counts people from 1; got 0"),
        ({"dark": 1.5}, "dark is a share from 0 to 1; got 1.5"),
        ({"company": -0.1}, "company is a share from 0 to 1; got -0.1"),
        ({"tint": 2.0}, "tint is a standard deviation from 0 to 1; got 2.0"),
        ({"altitude_m": (60.0, 20.0)}, "altitude_m must rise and lie from 5 to 500; got 60.0 to 20.0"),
        ({"pitch_deg": (30.0, 90.0)}, "pitch_deg must rise and lie from 5 to 89; got 30.0 to 90.0"),
    ],
)
def test_impossible_knobs_are_refused(settings, message):
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        Difficulty(**settings)
