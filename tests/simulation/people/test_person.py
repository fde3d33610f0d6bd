"""Who walks by."""

from collections import Counter

import numpy as np

from skyreid.simulation.people.person import Bag, Hair, Hat, Lower, Person, Upper, draw_clothes, draw_person
from skyreid.simulation.rendering.paint import Colour


def drawn(seed: int) -> Person:
    rng = np.random.default_rng(seed)
    return draw_person(rng, draw_clothes(rng))


CROWD = [drawn(seed) for seed in range(200)]


def test_the_same_generator_state_draws_the_same_person():
    assert drawn(17) == CROWD[17]


def test_no_two_people_of_a_crowd_look_the_same():
    assert (
        len(
            {(person.clothes.upper_paint, person.clothes.lower_paint, person.skin, person.height_m) for person in CROWD}
        )
        == 200
    )


def test_a_crowd_wears_everything_there_is():
    for kinds, worn in (
        (Hair, [person.hair for person in CROWD]),
        (Hat, [person.hat for person in CROWD]),
        (Upper, [person.clothes.upper for person in CROWD]),
        (Lower, [person.clothes.lower for person in CROWD]),
        (Bag, [person.bag for person in CROWD]),
    ):
        assert set(kinds) == set(worn)


def saturation(colour: Colour) -> float:
    return 1 - min(colour) / max(colour)


def test_most_clothes_are_dark_or_muted():
    clothes = [paint.colour for person in CROWD for paint in (person.clothes.upper_paint, person.clothes.lower_paint)]
    muted = Counter(saturation(colour) < 0.6 or max(colour) < 0.15 for colour in clothes)
    assert muted[True] > 0.7 * len(clothes)


def test_the_accent_of_a_pattern_can_be_told_from_the_main_colour():
    for person in CROWD:
        paint = person.clothes.upper_paint
        assert not 0.45 < sum(paint.accent) / sum(paint.colour) < 2.2
