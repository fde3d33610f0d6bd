import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skyreid.building.motion import moving_camera
from skyreid.building.motion.moving_camera import (
    REACH_S,
    CastShadows,
    find_people_from_moving_camera,
    median_of_nine,
    moving_things,
    walkers,
)
from skyreid.building.motion.registration import carry
from skyreid.building.motion.tracking import FrameBoxes, Track
from skyreid.building.video.decode import DEFAULT_LIMITS, VideoFrame, probe
from skyreid.processes.progress import silent
from tests.building.motion import flights
from tests.building.motion.flights import flight, ground, walking
from tests.building.motion.scenes import all_looks, seen_through_noise
from tests.building.motion.test_static_camera import overlap, purity

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


@pytest.mark.parametrize(
    "camera_at",
    [flights.hovering, *(pytest.param(one, marks=pytest.mark.slow) for one in (flights.cruising, flights.rotating))],
)
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


def filmed(number, camera_at, paint=lambda picture, step: None, *, seconds_a_frame=1 / flights.RATE):
    texture = flights.ground()
    for step in range(number):
        picture = camera_at(step).look(texture)
        paint(picture, step)
        yield VideoFrame(step, step * seconds_a_frame, seen_through_noise(picture, step))


def walker(picture, step):
    picture[100:118, 60 + 6 * step : 68 + 6 * step] = (230, 40, 40)


@given(arrays(np.uint8, (9, 4, 5, 3), elements=st.integers(0, 255)))
def test_the_median_is_that_of_a_sort(pictures):
    np.testing.assert_array_equal(median_of_nine(list(pictures)), np.median(pictures, axis=0))


@pytest.mark.parametrize(
    "camera_at", [flights.hovering, flights.cruising, pytest.param(flights.rotating, marks=pytest.mark.slow)]
)
def test_the_ground_does_not_move_and_who_walks_does(camera_at):
    for seen in moving_things(filmed(30, camera_at, walker)):
        left = 60 + 6 * seen.index
        assert seen.moving[102:116, left + 2 : left + 6].all()
        away = seen.moving.copy()
        away[96:122, left - 4 : left + 12] = False
        assert away.mean() < 0.0005


def test_a_shadow_that_walks_along_is_not_the_person():
    def paint(picture, step):
        left = 60 + 6 * step
        picture[112:120, left + 8 : left + 30] = picture[112:120, left + 8 : left + 30] * 0.65
        walker(picture, step)

    for seen in moving_things(filmed(24, flights.hovering, paint)):
        left = 60 + 6 * seen.index
        assert seen.moving[102:116, left + 2 : left + 6].all()
        assert seen.moving[112:120, left + 12 : left + 30].mean() < 0.1


def test_every_frame_is_seen_once_and_in_order():
    seen = list(moving_things(filmed(26, flights.cruising)))
    assert [one.index for one in seen] == list(range(26))
    np.testing.assert_array_equal(seen[0].motion, np.eye(3))


def test_a_video_too_short_to_know_the_ground_shows_nobody():
    assert not any(seen.moving.any() for seen in moving_things(filmed(8, flights.cruising, walker)))


def test_the_ground_is_learned_anew_where_the_way_is_lost():
    def paint(picture, step):
        walker(picture, step % 15)
        if step >= 15:  # the camera is switched to another place
            picture[:] = picture[::-1, ::-1].copy()

    seen = list(moving_things(filmed(30, flights.hovering, paint)))
    assert seen[15].motion is None
    for one in seen:
        assert 0 < one.moving.mean() < 0.003


def test_only_frames_near_in_time_are_kept():
    picture, alive = next(filmed(1, flights.hovering)).pixels, []

    def long():
        for step in range(40):
            frame = VideoFrame(step, step * REACH_S / 2, picture.copy())
            alive.append(weakref.ref(frame.pixels))
            yield frame

    for seen in moving_things(long()):
        if seen.index < 35:
            assert sum(reference() is not None for reference in alive) <= 8


PERSON, SHADOW = np.s_[40:60, 30:40], np.s_[55:65, 40:75]
GROUND = ground()[:120, :160]


def picture(shadow_ratio):
    """Somebody in red, and the shadow that is cast, a little bluish."""
    seen = GROUND.copy()
    seen[PERSON] = (200, 30, 30)
    seen[SHADOW] = GROUND[SHADOW] * (shadow_ratio * np.array([0.98, 1.0, 1.02]))
    differs = (np.abs(seen.astype(int) - GROUND) > 0).any(axis=2)
    return seen, differs


@pytest.mark.parametrize("ratio", [0.5, 0.65, 0.8])
def test_shadows_are_found_and_people_stay(ratio):
    seen, differs = picture(ratio)
    shadow = CastShadows().find(seen, GROUND, differs)
    assert shadow[SHADOW].mean() > 0.95
    assert not shadow[PERSON].any() and not shadow[~differs].any()


def test_dark_clothes_are_no_shadow_while_the_shadows_are_lighter():
    seen, differs = picture(0.75)
    seen[PERSON] = GROUND[PERSON] * 0.5
    shadow = CastShadows().find(seen, GROUND, differs)
    assert shadow[SHADOW].mean() > 0.95 and shadow[PERSON].mean() < 0.05


def test_without_sun_nothing_is_a_shadow():
    seen, differs = picture(1.0)
    seen[PERSON][:5] = GROUND[PERSON][:5] * 0.7  # grey trousers
    assert not CastShadows().find(seen, GROUND, differs).any()


def test_how_dark_shadows_are_is_learned_over_the_frames():
    shadows = CastShadows()
    for _ in range(5):
        shadows.find(*_with(picture(0.8)))
    darker, differs = picture(0.55)
    assert not shadows.find(darker, GROUND, differs)[SHADOW].any()


def test_where_nothing_differs_there_is_no_shadow():
    assert not CastShadows().find(GROUND, GROUND, np.zeros(GROUND.shape[:2], bool)).any()


def _with(seen_and_differs):
    seen, differs = seen_and_differs
    return seen, GROUND, differs


WIDTH, HEIGHT = 640, 480
STEP_S = 1 / 6
STILL = [np.eye(3)] * 200
PAN = np.array([[0.999, -0.01, 6.0], [0.01, 0.999, -2.0], [0.0, 0.0, 1.0]])


def thing(first, number, *, left=100.0, top=200.0, speed=(3.0, 0.0), size=(10.0, 20.0)):
    start = np.array([left, top]) + np.arange(number)[:, None] * speed
    return Track(steps=np.arange(first, first + number), boxes=np.concatenate([start, start + size], axis=1))


def kept(*tracks, camera=STILL):
    """First and last step of each track that stays, and what was dropped."""
    found = [FrameBoxes(step, step * STEP_S, (), looks=looks) for step, looks in enumerate(all_looks(tracks, 200))]
    people, dropped = walkers(tracks, found, camera, width=WIDTH, height=HEIGHT, interval_s=STEP_S)
    stretches = [(int(track.steps[0]), int(track.steps[-1])) for track in people]
    return stretches, {reason: number for reason, number in dropped.items() if number}


def test_who_walks_stays():
    assert kept(thing(3, 30)) == ([(3, 32)], {})


@pytest.mark.parametrize(
    ("track", "reason"),
    [
        (thing(0, 5), "short-lived"),
        (thing(0, 30, speed=(0.0, 0.0)), "standing"),
        (thing(0, 30, speed=(0.8, 0.0)), "standing"),  # what stands up from the ground: a third of its size a second
    ],
)
def test_what_does_not_walk_is_left_out_with_the_reason(track, reason):
    assert kept(track) == ([], {reason: len(track)})


def test_what_sways_to_and_fro_is_left_out():
    tree = thing(0, 60, speed=(0.0, 0.0))
    tree.boxes[:, [0, 2]] += 15 * np.sin(np.arange(60) * 1.3)[:, None]
    assert kept(tree) == ([], {"standing": 60})


def carried(track, camera):
    """The same thing as a camera sees it that moves so."""
    boxes = track.boxes.copy()
    for place, step in enumerate(track.steps):
        for motion in camera[1 : step + 1]:
            boxes[place] = carry(boxes[place].reshape(2, 2), motion).ravel()
    return Track(steps=track.steps, boxes=boxes)


def test_the_camera_gives_nobody_a_way_of_their_own():
    camera = [np.eye(3)] + [PAN] * 40
    standing, walking = thing(0, 30, speed=(0.0, 0.0)), thing(0, 30, top=300.0, speed=(-3.0, 1.0))
    assert kept(carried(standing, camera), carried(walking, camera), camera=camera) == ([(0, 29)], {"standing": 30})


def test_tracks_are_cut_where_people_meet():
    one, other = thing(0, 40), thing(0, 15, left=145.0, speed=(0.0, 3.0), top=155.0)
    joined = Track(steps=one.steps, boxes=one.boxes.copy())
    stretches, _ = kept(joined, other)
    assert (0, 39) not in stretches


def test_boxes_of_two_are_left_out_and_cut_the_track():
    track = thing(0, 40)
    track.boxes[15:20, 2:] += (14.0, 10.0)
    assert kept(track) == ([(0, 14), (20, 39)], {"odd-size": 5})


def test_things_of_another_size_than_people_are_left_out():
    people = [thing(0, 30, top=50.0 * number) for number in range(1, 5)]
    car = thing(0, 30, left=300.0, speed=(15.0, 0.0), size=(40.0, 24.0))
    assert kept(*people, car) == ([(0, 29)] * 4, {"odd-size": 30})


def test_who_is_half_out_of_the_picture_loses_these_boxes():
    leaving = thing(0, 28, left=WIDTH - 87.0)
    leaving.boxes[:, 2] = np.minimum(leaving.boxes[:, 2], WIDTH)  # 7 of 10 pixels of the last one show
    assert kept(leaving) == ([(0, 26)], {"cut-at-border": 1})


def test_nothing_gives_nobody():
    assert kept() == ([], {})
