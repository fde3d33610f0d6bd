"""One person in front of one camera."""

import io

import numpy as np
import pytest
from PIL import Image

from skyreid.datasets.statistics import PAPER_CROP_WIDTHS
from skyreid.simulation.filming import Crop, _view, film, identity
from skyreid.simulation.rendering.camera import look_at
from skyreid.tracklet import PLATFORMS, Platform

Films = dict[tuple[int, Platform], list[Crop]]


@pytest.fixture(scope="module")
def films() -> Films:
    return {(number, platform): film(3, number, platform, 3).crops for number in range(8) for platform in PLATFORMS}


def test_the_same_shot_gives_the_same_bytes(films):
    again = film(3, 5, Platform.AERIAL, 3).crops
    assert [crop.jpeg for crop in again] == [crop.jpeg for crop in films[5, Platform.AERIAL]]


def test_seed_and_number_make_the_person():
    assert identity(3, 5) == identity(3, 5)
    assert identity(3, 5) != identity(3, 6)
    assert identity(3, 5) != identity(4, 5)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_crops_have_the_published_widths(films, platform):
    widths = [crop.person.shape[1] for (_, seen_by), crops in films.items() if seen_by is platform for crop in crops]
    narrowest, widest = PAPER_CROP_WIDTHS[platform]
    assert narrowest <= min(widths)
    assert max(widths) <= widest
    assert max(widths) > 1.5 * min(widths)


def test_widths_stay_in_the_published_range_however_a_person_walks():
    for number in range(100, 110):
        for platform in PLATFORMS:
            narrowest, widest = PAPER_CROP_WIDTHS[platform]
            assert all(narrowest <= crop.person.shape[1] <= widest for crop in film(3, number, platform, 1).crops)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_long_walk_stays_before_the_camera(platform):
    narrowest, widest = PAPER_CROP_WIDTHS[platform]
    crops = film(3, 1, platform, 24).crops
    assert all(narrowest <= crop.person.shape[1] <= widest for crop in crops)
    assert all(crop.person.mean() > 0.15 * crop.visible for crop in crops)


def test_ground_crops_are_wider_than_aerial_ones(films):
    def median(platform: Platform) -> float:
        return float(np.median([c.person.shape[1] for (_, p), crops in films.items() if p is platform for c in crops]))

    assert median(Platform.GROUND) > 1.4 * median(Platform.AERIAL)


def test_nobody_is_cut_off_and_who_is_not_hidden_fills_the_crop(films):
    for crops in films.values():
        for crop in crops:
            edge = np.concatenate([crop.person[0], crop.person[-1], crop.person[:, 0], crop.person[:, -1]])
            assert edge.max() == 0
            if crop.visible < 1:
                continue
            rows, columns = np.flatnonzero(crop.person.any(axis=1)), np.flatnonzero(crop.person.any(axis=0))
            assert rows[-1] - rows[0] + 1 > 0.7 * crop.person.shape[0]
            assert columns[-1] - columns[0] + 1 > 0.6 * crop.person.shape[1]
            assert crop.person.mean() > 0.15


def test_the_file_has_the_size_of_the_truth(films):
    for crops in films.values():
        for crop in crops:
            with Image.open(io.BytesIO(crop.jpeg)) as image:
                assert (image.height, image.width) == crop.person.shape


def test_people_stand_upright_before_the_ground_camera(films):
    for (_, platform), crops in films.items():
        for crop in crops:
            if platform is Platform.GROUND:
                assert crop.person.shape[0] > 1.4 * crop.person.shape[1]


def test_a_person_moves_between_frames(films):
    for crops in films.values():
        assert len({crop.jpeg for crop in crops}) == len(crops)


def test_a_film_says_how_the_person_was_seen():
    ground, drone = (film(3, 1, platform, 2).attributes for platform in PLATFORMS)
    assert ground["camera height, m"] == 2.0
    assert 20 <= drone["camera height, m"] <= 60
    assert ground["look down, degrees"] < 15 < drone["look down, degrees"]
    assert ground["distance, m"] * np.sin(np.radians(ground["look down, degrees"])) == pytest.approx(2.0, abs=0.1)
    assert {ground["seen from"], drone["seen from"]} <= {"the front", "the back", "the side"}


def test_who_walks_towards_the_camera_is_seen_from_the_front():
    camera = look_at(np.array([10.0, 0.0, 2.0]), np.array([0.0, 0.0, 0.9]), focal_px=1.0)
    views = [_view(camera, heading)["seen from"] for heading in (0.0, np.pi / 2, np.pi)]
    assert views == ["the front", "the side", "the back"]
