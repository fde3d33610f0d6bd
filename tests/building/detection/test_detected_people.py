import numpy as np
import pytest

from skyreid.building.detection.detected_people import find_people_with_detector
from skyreid.building.detection.detector import load_detector
from skyreid.building.video.decode import DEFAULT_LIMITS, probe
from skyreid.processes.progress import silent
from tests.building.detection import onnx_files
from tests.building.films import write_film
from tests.building.motion.scenes import backdrop

HEIGHT, WIDTH = 180, 320


def film(folder, walks, *, number=20, camera=lambda step: 0, rate=10):
    """People in the detector's colour, walking over a wide backdrop; boxes are of the backdrop."""
    wide = np.concatenate([backdrop(1), backdrop(2)], axis=1)
    pictures = []
    for step in range(number):
        place = wide.copy()
        for walk in walks:
            left, top, right, bottom = walk(step) or (0, 0, 0, 0)
            place[top:bottom, left:right] = onnx_files.TARGET
        pictures.append(place[:, camera(step) : camera(step) + WIDTH])
    return write_film(folder / "film.mov", pictures, rate=rate)


def people(path, folder, *, score=0.6):
    detector = load_detector(f"{onnx_files.yolox(folder / 'd.onnx', height=180, width=320)},kind=yolox,score={score}")
    found = find_people_with_detector(
        path, probe(path), detector, interval_s=0.5, limits=DEFAULT_LIMITS, progress=silent
    )
    tracks = {}
    for index, boxes in found.frames.items():
        for track, box in boxes.items():
            tracks.setdefault(track, {})[index] = tuple(round(side) for side in box)
    return tracks, {reason: number for reason, number in found.dropped.items() if number}


def walker(left, top, *, speed=1):
    """A person of one cell who walks one cell every ten steps or so, always on whole cells."""
    return lambda step: (left + 8 * (step * speed // 8), top, left + 8 * (step * speed // 8) + 8, top + 8)


def test_each_person_is_one_track_in_pixels_of_the_full_frame(tmp_path):
    path = film(tmp_path, [lambda step: (40, 80, 48, 88), lambda step: (200, 120, 208, 128)])
    tracks, dropped = people(path, tmp_path)
    assert sorted(track[10] for track in tracks.values()) == [(40, 80, 48, 88), (200, 120, 208, 128)]
    assert all(sorted(track) == list(range(1, 20)) for track in tracks.values())
    assert dropped == {"untracked": 2}  # the first box of each, before it was confirmed


def test_people_before_a_camera_that_moves_by_more_than_their_width_are_one_track_each(tmp_path):
    # The camera goes a cell and a half at once; on whole cells the person stays where the detector sees him.
    path = film(
        tmp_path, [lambda step: (200, 80, 208, 88), lambda step: (296, 120, 304, 128)], camera=lambda step: 8 * step
    )
    tracks, _ = people(path, tmp_path)
    assert len(tracks) == 2
    for track in tracks.values():
        lefts = [track[index][0] for index in sorted(track)]
        assert set(np.diff(lefts)) == {-8} and len(lefts) == 19


def test_what_is_found_for_a_moment_only_is_left_out(tmp_path):
    path = film(tmp_path, [lambda step: (40, 80, 48, 88) if step in (3, 4, 5) else None])
    assert people(path, tmp_path) == ({}, {"untracked": 1, "short-lived": 2})


def test_unsure_boxes_go_on_with_a_track_but_begin_none(tmp_path):
    whole, half = (40, 80, 48, 88), (40, 80, 48, 85)  # five eighths of a cell
    begun = film(tmp_path, [lambda step: whole if step < 10 else half])
    tracks, dropped = people(begun, tmp_path, score=0.9)
    assert [sorted(track) for track in tracks.values()] == [list(range(1, 20))] and dropped == {"untracked": 1}
    tracks, dropped = people(film(tmp_path, [lambda step: half]), tmp_path, score=0.9)
    assert tracks == {} and dropped == {"untracked": 20}


@pytest.mark.parametrize("rate", [5, 20])
def test_the_sampled_frames_are_among_the_searched(tmp_path, rate):
    path = film(tmp_path, [lambda step: (40, 80, 48, 88)], number=2 * rate, rate=rate)
    tracks, _ = people(path, tmp_path)
    assert {rate // 2 + rate % 2, rate} <= set(tracks[0])


def test_people_who_are_too_small_in_the_whole_frame_are_tracked_in_tiles_and_it_is_said_how(tmp_path):
    path = film(
        tmp_path, [lambda step: (40, 80, 48, 88), lambda step: (200, 114, 208, 122)]
    )  # each on the cells of a tile
    detector = onnx_files.yolox(tmp_path / "small.onnx", height=96, width=96)

    def found(tiles):
        return find_people_with_detector(
            path,
            probe(path),
            load_detector(f"{detector},kind=yolox,score=0.9,tiles={tiles}"),
            interval_s=0.5,
            limits=DEFAULT_LIMITS,
            progress=silent,
        )

    assert found("none").frames == {} and found("none").notes == ("people are searched in whole frames, as was asked",)
    in_tiles = found(96)
    assert {len(people) for people in in_tiles.frames.values()} == {2}
    assert in_tiles.notes == ("people are searched in 15 tiles of 96 pixels beside each frame, as was asked",)
