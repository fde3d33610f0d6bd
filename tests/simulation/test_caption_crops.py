"""Photos for pretraining."""

import io

import pytest
from PIL import Image

from skyreid.errors import DatasetError
from skyreid.simulation.caption_crops import EVERYBODY_DIFFERS, WORLD, draw_captioned_crops
from skyreid.simulation.captions import phrases
from skyreid.simulation.crop_benchmark import write_crop_benchmark
from skyreid.simulation.filming import identity
from skyreid.tracklet import Platform


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
        assert photo.phrases == phrases(identity(WORLD, photo.person, EVERYBODY_DIFFERS))
        with Image.open(io.BytesIO(photo.jpeg)) as picture:
            assert 5 <= picture.width <= 70


def test_the_world_of_the_photos_is_closed_to_benchmarks(tmp_path):
    """Nobody whom the small CLIP has seen is ever tested."""
    with pytest.raises(DatasetError, match=f"^a miniature's seed must be from 0 to {WORLD - 1}; got {WORLD}$"):
        write_crop_benchmark(tmp_path / "world", identities=4, frames_per_tracklet=1, seed=WORLD)
