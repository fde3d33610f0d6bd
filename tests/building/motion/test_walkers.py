import numpy as np
import pytest

from skyreid.building.motion.registration import carry
from skyreid.building.motion.tracking import Track
from skyreid.building.motion.walkers import walkers

WIDTH, HEIGHT = 640, 480
STEP_S = 1 / 6
STILL = [np.eye(3)] * 200
PAN = np.array([[0.999, -0.01, 6.0], [0.01, 0.999, -2.0], [0.0, 0.0, 1.0]])


def thing(first, number, *, left=100.0, top=200.0, speed=(3.0, 0.0), size=(10.0, 20.0)):
    start = np.array([left, top]) + np.arange(number)[:, None] * speed
    return Track(steps=np.arange(first, first + number), boxes=np.concatenate([start, start + size], axis=1))


def kept(*tracks, camera=STILL):
    """First and last step of each track that stays, and what was dropped."""
    people, dropped = walkers(tracks, camera, width=WIDTH, height=HEIGHT, interval_s=STEP_S)
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
