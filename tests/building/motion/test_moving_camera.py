import pytest

from skyreid.building.decode import DEFAULT_LIMITS, probe
from skyreid.building.motion import moving_camera
from skyreid.building.motion.moving_camera import find_people_from_moving_camera
from skyreid.progress import silent
from tests.building.motion import flights
from tests.building.motion.flights import flight, walking
from tests.building.motion.test_find_people import overlap, purity

POSTS = [(3, 3), (-5, 1)]


def find(path):
    return find_people_from_moving_camera(path, probe(path), interval_s=0.5, limits=DEFAULT_LIMITS, progress=silent)


def share_found(found, truth):
    hits = [
        any(overlap(box, seen) >= 0.5 for seen in found.frames.get(index, {}).values())
        for index, people in truth.items()
        for box in people.values()
    ]
    return sum(hits) / len(hits)


@pytest.mark.parametrize("camera_at", [flights.hovering, flights.cruising, flights.rotating])
def test_who_walks_below_a_drone_is_found_and_what_stands_is_not(tmp_path, camera_at):
    walks = {1: walking(-6, -3, 20), 2: walking(5, 4, 200), 3: walking(0, 0, 90)}
    film, truth = flight(tmp_path, 32, camera_at, walks, posts=POSTS)
    found = find(film)
    tracks = purity(found.frames, truth)
    assert {person for person, _ in tracks.values()} == {1, 2, 3}
    assert min(share for _, share in tracks.values()) > 0.9
    assert share_found(found, truth) > 0.75
    assert found.dropped["standing"] > 0 or camera_at is flights.hovering


def test_posts_that_lean_as_the_camera_passes_are_nobody(tmp_path):
    film, _ = flight(tmp_path, 30, flights.cruising, {}, posts=POSTS)
    found = find(film)
    assert found.frames == {} and sum(found.dropped.values()) > 0


def test_boxes_are_in_pixels_of_the_full_frame(tmp_path, monkeypatch):
    monkeypatch.setattr(moving_camera, "MAX_SIDE", flights.WIDTH * 3 // 4)
    film, truth = flight(tmp_path, 30, flights.hovering, {1: walking(-4, -3, 20)})
    found = find(film)
    assert list(purity(found.frames, truth).values()) == [(1, 1.0)]


@pytest.mark.footage
@pytest.mark.slow  # 4K
def test_all_players_below_a_real_drone_are_found(footage_dir):
    found = find(footage_dir / "aerial_topview/soccer_topview_drone.mp4")
    at_once = [len(people) for people in found.frames.values()]
    assert sorted(at_once)[len(at_once) // 2] >= 18
