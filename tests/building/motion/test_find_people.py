from collections import Counter

import pytest

from skyreid.building.annotations.annotated_video import AnnotatedVideo
from skyreid.building.annotations.mot import read_mot
from skyreid.building.decode import DEFAULT_LIMITS, probe
from skyreid.building.motion import motion_boxes
from skyreid.building.motion.find_people import find_people
from skyreid.errors import SourceError
from skyreid.progress import silent
from tests.building.motion.scenes import WIDTH, scene, walk


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
    monkeypatch.setattr(motion_boxes, "MAX_SIDE", WIDTH // 2)
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
