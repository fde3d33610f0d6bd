import numpy as np

from skyreid.building.motion.frame_boxes import FrameBoxes
from skyreid.building.motion.track_cleaning import clean
from skyreid.building.motion.tracking import Track

WIDTH, HEIGHT = 640, 480


def person(first, number, *, left=100.0, foot=300.0, height=60.0, speed=5.0, width=20.0):
    lefts = left + speed * np.arange(number)
    boxes = np.stack(np.broadcast_arrays(lefts, foot - height, lefts + width, foot), axis=1)
    return Track(steps=np.arange(first, first + number), boxes=boxes)


def kept(*tracks):
    """Track number -> frame numbers, and what was dropped; every third frame of the video is searched."""
    found = [FrameBoxes(3 * step, step / 10, ()) for step in range(200)]
    people = clean(tracks, found, width=WIDTH, height=HEIGHT, interval_s=0.1)
    frames = {}
    for index, boxes in people.frames.items():
        for number in boxes:
            frames.setdefault(number, []).append(index)
    return frames, {reason: number for reason, number in people.dropped.items() if number}


def crowd():
    """Five people at different distances, whose heights are linear in the row of their feet."""
    return [person(0, 40, left=20.0, foot=foot, height=foot / 5) for foot in (200.0, 250.0, 300.0, 350.0, 400.0)]


def test_who_walks_is_kept_with_the_frame_numbers_of_the_video():
    assert kept(person(4, 20)) == ({0: [3 * step for step in range(4, 24)]}, {})


def test_what_flickers_for_less_than_a_second_is_left_out():
    assert kept(person(0, 9)) == ({}, {"short-lived": 9})


def test_what_stays_where_it_is_is_left_out():
    swaying = person(0, 50, speed=0.0)
    swaying.boxes[:, [0, 2]] += 5 * np.sin(np.arange(50))[:, None]
    jumping = person(0, 50, speed=0.0)
    jumping.boxes[20:22] += 90  # a flicker is no way gone
    assert kept(swaying, jumping) == ({}, {"never-moves": 100})


def test_people_of_the_height_that_their_place_asks_for_are_kept():
    frames, dropped = kept(*crowd())
    assert len(frames) == 5 and not dropped


def test_things_far_too_tall_or_too_short_for_their_place_are_left_out():
    lorry, bird = person(0, 30, foot=260.0, height=140.0), person(0, 30, left=400.0, foot=380.0, height=20.0)
    frames, dropped = kept(*crowd(), lorry, bird)
    assert len(frames) == 5 and dropped == {"odd-height": 60}


def test_a_track_is_cut_where_somebody_stands_behind_and_makes_it_taller():
    joined = person(0, 60, foot=300.0)
    joined.boxes[20:35, 1] -= 40
    frames, dropped = kept(*crowd(), joined)
    assert dropped == {"odd-height": 15}
    assert sorted(len(indexes) for indexes in frames.values()) == [20, 25, 40, 40, 40, 40, 40]


def test_a_person_whose_head_is_missed_for_a_moment_loses_these_boxes_only():
    person_without = person(0, 60, foot=300.0)
    person_without.boxes[20:25, 1] += 20
    frames, dropped = kept(*crowd(), person_without)
    assert dropped == {"odd-height": 5}
    assert sorted(map(len, frames.values())) == [40, 40, 40, 40, 40, 55]


def test_who_is_half_out_of_the_picture_loses_these_boxes():
    leaving = person(0, 40, left=WIDTH - 160.0)
    leaving.boxes[:, 2] = np.minimum(leaving.boxes[:, 2], WIDTH)
    frames, dropped = kept(leaving)
    steps = np.arange(40)
    whole = steps[WIDTH - leaving.boxes[:, 0] >= 16]  # of 20 pixels
    assert frames == {0: [3 * step for step in whole if leaving.boxes[step, 2] > leaving.boxes[step, 0]]}
    assert dropped == {"cut-at-border": 40 - len(whole)}


def test_tracks_are_numbered_by_their_first_box():
    later, earlier = person(10, 20, left=0.0), person(0, 20, left=300.0)
    frames, _ = kept(later, earlier)
    assert frames == {0: [3 * step for step in range(20)], 1: [3 * step for step in range(10, 30)]}
