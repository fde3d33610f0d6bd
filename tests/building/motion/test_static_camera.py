from collections import Counter

import numpy as np
import pytest

from skyreid.building.annotations.annotated_video import AnnotatedVideo
from skyreid.building.annotations.mot import read_mot
from skyreid.building.motion import static_camera
from skyreid.building.motion.static_camera import PROTECT_S, Background, CameraMotion, clean, find_people
from skyreid.building.motion.tracking import FrameBoxes, Track
from skyreid.building.video.decode import DEFAULT_LIMITS, probe
from skyreid.errors import SourceError
from skyreid.processes.progress import silent
from tests.building.motion.scenes import WIDTH, all_looks, backdrop, scene, seen_through_noise, walk, with_people


def judged(picture_at, seconds=15):
    camera = CameraMotion()
    for second in range(seconds):
        camera.look(float(second), picture_at(second))
    return camera


def wide(seed=0):
    return np.tile(backdrop(seed), (2, 2, 1))


def test_a_still_camera_with_somebody_walking_close_by_does_not_move():
    def picture(second):
        left = 20 * second - 60
        return seen_through_noise(with_people(backdrop(), [((left, 10, left + 60, 180), 30)]), second)

    assert not judged(picture).moves


@pytest.mark.parametrize("speed", [(1, 0), (0, 3), (2, 2)])
def test_a_camera_that_drifts_moves(speed):
    def picture(second):
        right, down = speed[0] * second, speed[1] * second
        return seen_through_noise(wide()[down : down + 180, right : right + 320], second)

    assert judged(picture).moves


def test_one_bump_is_forgiven():
    def picture(second):
        shift = 8 if second >= 13 else 0
        return seen_through_noise(wide()[:180, shift : shift + 320], second)

    assert not judged(picture, seconds=45).moves


def test_movement_for_a_minute_is_enough(monkeypatch):
    monkeypatch.setattr(static_camera, "ENOUGH_MOVED", 10)

    def picture(second):
        return wide()[:180, 3 * second : 3 * second + 320]

    assert not judged(picture, seconds=10).moves_for_sure
    assert judged(picture, seconds=12).moves_for_sure


def test_an_empty_wall_says_nothing():
    assert not judged(lambda second: np.full((180, 320, 3), 90, np.uint8)).moves


def test_frames_between_the_checks_are_passed_over():
    camera = CameraMotion()
    for number in range(100):
        camera.look(number / 100, wide()[:180, number : number + 320])
    assert not camera.moves


def overlap(one, other):
    """Intersection over union."""
    sides = [min(one[k + 2], other[k + 2]) - max(one[k], other[k]) for k in (0, 1)]
    if min(sides) <= 0:
        return 0.0
    shared = sides[0] * sides[1]
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def purity(found, truth):
    """For each track the person it shows most, and the share of its boxes that show this person.

    A box shows the person whose true box it overlaps by at least half. Boxes in frames without any truth
    (people on their way in and out) are not counted.
    """
    shown = {}
    for index, people in found.items():
        for track, box in people.items():
            if index in truth:
                best = max(truth[index], key=lambda person: overlap(box, truth[index][person]))
                is_shown = overlap(box, truth[index][best]) >= 0.5
                shown.setdefault(track, Counter())[best if is_shown else None] += 1
    return {track: (seen.most_common(1)[0][0], max(seen.values()) / seen.total()) for track, seen in shown.items()}


def find(path, *, interval_s=0.5):
    return find_people(path, probe(path), interval_s=interval_s, limits=DEFAULT_LIMITS, progress=silent)


def test_people_who_walk_by_are_one_track_each(tmp_path):
    film, truth = scene(tmp_path, 95, {1: (walk(-300, 10), 10), 2: (walk(980, -10, foot=100, height=60), 235)})
    found = find(film)
    assert sorted(purity(found.frames, truth).values()) == [(1, 1.0), (2, 1.0)]
    assert len(found.frames) > 0.8 * len(truth)


def test_people_who_cross_leave_no_track_of_both(tmp_path):
    film, truth = scene(tmp_path, 100, {1: (walk(-215, 6), 10), 2: (walk(515, -6, foot=158), 235)})
    tracks = purity(find(film).frames, truth)
    assert {person for person, _ in tracks.values()} == {1, 2}
    assert min(share for _, share in tracks.values()) > 0.9


def test_an_empty_place_has_nobody(tmp_path):
    film, _ = scene(tmp_path, 30, {})
    assert find(film).frames == {}


def test_a_moving_camera_is_refused(tmp_path):
    film, _ = scene(tmp_path, 40, {}, camera=lambda step: 2 * step)
    with pytest.raises(SourceError) as caught:
        find(film)
    assert str(caught.value) == (
        f"{film}: without annotations people are found by motion, and this camera seems to move; give a detector, "
        "which does not mind (--detector FILE.onnx,kind=yolox), or bring boxes in MOTChallenge format "
        "(annotations=FILE), such as a tracker of your own writes"
    )


def test_boxes_are_in_pixels_of_the_full_frame(tmp_path, monkeypatch):
    monkeypatch.setattr(static_camera, "MAX_SIDE", WIDTH // 2)
    film, truth = scene(tmp_path, 70, {1: (walk(-300, 9), 10)})
    assert list(purity(find(film).frames, truth).values()) == [(1, 1.0)]


@pytest.mark.footage
@pytest.mark.slow  # 1394 frames
def test_six_real_people_are_six_tracks_of_one_person_each(footage_dir):
    folder = footage_dir / "ground_onebyone"
    found = find(folder / "one-by-one-person-detection.mp4")
    truth = read_mot(folder / "gt.txt", AnnotatedVideo(name="one-by-one-person-detection.mp4", width=768, height=432))
    tracks = purity(found.frames, truth.frames)
    assert sorted(tracks.values()) == [(person, 1.0) for person in range(1, 7)]
    seen = sum(len(people) for people in found.frames.values())
    assert seen > 0.9 * sum(len(people) for people in truth.frames.values())


@pytest.mark.footage
@pytest.mark.slow  # 4K
def test_a_real_drone_that_hovers_is_refused(footage_dir):
    with pytest.raises(SourceError, match="this camera seems to move"):
        find(footage_dir / "aerial_topview/soccer_topview_drone.mp4")


PERSON = (100, 60, 120, 120)
STEP_S = 0.5  # coarse, so that a minute is few frames


def area(picture, box=PERSON):
    inside = np.zeros(picture.shape[:2], bool)
    inside[box[1] : box[3], box[0] : box[2]] = True
    return inside


@pytest.fixture
def empty_place():
    """A background that has seen ten seconds of an empty place."""
    background, picture = Background(interval_s=STEP_S), backdrop()
    nobody = np.zeros(picture.shape[:2], bool)
    for number in range(20):
        background.moving(seen_through_noise(picture, number))
        background.learn(nobody)
    return background, picture, nobody


def test_only_who_appears_differs(empty_place):
    background, picture, _ = empty_place
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
def test_another_exposure_is_no_movement(empty_place, exposure):
    background, picture, _ = empty_place
    frame = with_people(picture, [(PERSON, 10)])
    mask = background.moving(exposure(seen_through_noise(frame, 99).astype(float)).astype(np.uint8))
    assert mask[area(picture)].mean() > 0.9
    assert mask[~area(picture)].mean() < 0.05


def steps_until_learned(empty_place, people):
    background, picture, _ = empty_place
    frame = with_people(picture, [(PERSON, 10)])
    for number in range(400):
        if background.moving(seen_through_noise(frame, number))[area(picture)].mean() < 0.5:
            return number
        background.learn(people)
    return None


def test_who_stands_is_seen_for_a_minute_and_then_belongs_to_the_place(empty_place):
    seconds = steps_until_learned(empty_place, area(empty_place[1])) * STEP_S
    assert PROTECT_S <= seconds < 2 * PROTECT_S


def test_what_is_no_person_belongs_to_the_place_much_sooner(empty_place):
    assert steps_until_learned(empty_place, empty_place[2]) * STEP_S < PROTECT_S


FRAME_WIDTH, FRAME_HEIGHT = 640, 480


def person(first, number, *, left=100.0, foot=300.0, height=60.0, speed=5.0, width=20.0):
    lefts = left + speed * np.arange(number)
    boxes = np.stack(np.broadcast_arrays(lefts, foot - height, lefts + width, foot), axis=1)
    return Track(steps=np.arange(first, first + number), boxes=boxes)


def kept(*tracks, looks=None):
    """Track number -> frame numbers, and what was dropped; every third frame of the video is searched."""
    found = [FrameBoxes(3 * step, step / 10, (), looks=own) for step, own in enumerate(looks or all_looks(tracks, 200))]
    people = clean(tracks, found, width=FRAME_WIDTH, height=FRAME_HEIGHT, interval_s=0.1)
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
    assert sorted(len(indexes) for indexes in frames.values()) == [40, 40, 40, 40, 40, 45]
    # Who comes out in other clothes is somebody else.
    looks = all_looks([*crowd(), joined.at(np.arange(28)), joined.at(np.arange(28, 60))], 200)
    frames, _ = kept(*crowd(), joined, looks=looks)
    assert sorted(len(indexes) for indexes in frames.values()) == [20, 25, 40, 40, 40, 40, 40]


def test_a_person_whose_head_is_missed_for_a_moment_loses_these_boxes_only():
    person_without = person(0, 60, foot=300.0)
    person_without.boxes[20:25, 1] += 20
    frames, dropped = kept(*crowd(), person_without)
    assert dropped == {"odd-height": 5}
    assert sorted(map(len, frames.values())) == [40, 40, 40, 40, 40, 55]


def test_who_is_half_out_of_the_picture_loses_these_boxes():
    leaving = person(0, 40, left=FRAME_WIDTH - 160.0)
    leaving.boxes[:, 2] = np.minimum(leaving.boxes[:, 2], FRAME_WIDTH)
    frames, dropped = kept(leaving)
    steps = np.arange(40)
    whole = steps[FRAME_WIDTH - leaving.boxes[:, 0] >= 16]  # of 20 pixels
    assert frames == {0: [3 * step for step in whole if leaving.boxes[step, 2] > leaving.boxes[step, 0]]}
    assert dropped == {"cut-at-border": 40 - len(whole)}


def test_tracks_are_numbered_by_their_first_box():
    later, earlier = person(10, 20, left=0.0), person(0, 20, left=300.0)
    frames, _ = kept(later, earlier)
    assert frames == {0: [3 * step for step in range(20)], 1: [3 * step for step in range(10, 30)]}
