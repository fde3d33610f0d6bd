"""What is said about simulated people."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from skyreid.errors import DatasetError
from skyreid.simulation.captions import (
    CAPTION_SEED,
    EVERYBODY_DIFFERS,
    caption,
    colour_name,
    draw_captioned_crops,
    phrases,
    sentence,
    vocabulary,
    words,
)
from skyreid.simulation.crop_benchmark import write_crop_benchmark
from skyreid.simulation.filming import identity
from skyreid.simulation.people.person import Bag, Clothes, Hair, Hat, Lower, Upper
from skyreid.simulation.rendering.paint import Paint, Pattern, from_srgb
from skyreid.tracklet import Platform

CROWD = [identity(5, number) for number in range(400)]
SOMEBODY = replace(
    CROWD[0],
    clothes=Clothes(
        upper=Upper.JACKET,
        upper_paint=Paint(from_srgb(0x9A2A30), pattern=Pattern.CHECKS),
        sleeve_paint=Paint(from_srgb(0x9A2A30)),
        lower=Lower.TROUSERS,
        lower_paint=Paint(from_srgb(0x3A5F96)),
    ),
    bag=Bag.BACKPACK,
    bag_colour=from_srgb(0xB9603A),
    hat=Hat.NONE,
    hair=Hair.PONYTAIL,
    hair_colour=from_srgb(0x18191C),
    shoes=from_srgb(0xEDEBE6),
)


def test_a_caption_says_what_a_person_wears_and_carries():
    assert caption(SOMEBODY, seen_from=Platform.AERIAL) == (
        "a photo of a person in a checked red jacket in blue trousers with an orange backpack "
        "with a black ponytail with white shoes seen from above."
    )


def test_a_hat_is_told_instead_of_the_hair_below_it():
    told = phrases(replace(SOMEBODY, hat=Hat.CAP, hat_colour=from_srgb(0x2E6A66)))
    assert "with a teal cap" in told
    assert not any("ponytail" in phrase for phrase in told)


def test_phrases_can_be_left_out():
    assert sentence(phrases(SOMEBODY)[:1]) == "a photo of a person in a checked red jacket."


def test_the_vocabulary_holds_every_word_of_a_crowd_and_no_word_that_nobody_needs():
    said = {word for person in CROWD for platform in Platform for word in words(caption(person, seen_from=platform))}
    assert said <= set(vocabulary())
    assert set(vocabulary()) - said <= {"beanie", "two-coloured"} | {"no"}


def test_look_alikes_differ_in_their_captions_mostly():
    assert len({caption(person) for person in CROWD}) > 0.9 * len(CROWD)


@pytest.mark.parametrize(
    ("code", "name"),
    [(0x000000, "black"), (0xFFFFFF, "white"), (0xC9A24B, "yellow"), (0x1F2A44, "navy"), (0x7F7F80, "grey")],
)
def test_colours_have_their_everyday_names(code, name):
    assert colour_name(from_srgb(code)) == name


def test_a_colour_keeps_its_name_when_a_little_light_is_lost():
    red = np.array(from_srgb(0x9A2A30))
    assert colour_name(tuple(float(value) for value in 0.9 * red)) == "red"


def test_everybody_is_photographed_from_the_ground_and_some_from_a_drone_and_described():
    photos = draw_captioned_crops(people=4, aerial_every=2)
    assert [(photo.person, photo.platform) for photo in photos] == [
        (1, Platform.GROUND),
        (2, Platform.GROUND),
        (2, Platform.AERIAL),
        (3, Platform.GROUND),
        (4, Platform.GROUND),
        (4, Platform.AERIAL),
    ]
    assert len({photo.jpeg for photo in photos}) == 6
    for photo in photos:
        assert photo.phrases == phrases(identity(CAPTION_SEED, photo.person, EVERYBODY_DIFFERS))
        with Image.open(io.BytesIO(photo.jpeg)) as picture:
            assert 5 <= picture.width <= 70


def test_the_world_of_the_photos_is_closed_to_benchmarks(tmp_path):
    """Nobody whom the small CLIP has seen is ever tested."""
    with pytest.raises(
        DatasetError, match=f"^a benchmark's seed must be from 0 to {CAPTION_SEED - 1}; got {CAPTION_SEED}$"
    ):
        write_crop_benchmark(tmp_path / "world", identities=4, frames_per_tracklet=1, seed=CAPTION_SEED)
