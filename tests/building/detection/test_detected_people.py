import numpy as np
import pytest

from skyreid.building.build import build
from skyreid.building.crops.quality import QualityConfig
from skyreid.building.detection.detected_people import COVERED, _share_of_smaller, find_people_with_detector
from skyreid.building.detection.detector import load_detector
from skyreid.building.sources import parse_source
from skyreid.building.video.decode import DEFAULT_LIMITS, probe
from skyreid.processes.progress import silent
from tests.building.detection import onnx_files
from tests.building.films import write_film
from tests.building.motion import flights
from tests.building.motion.flights import flight, walking
from tests.building.motion.scenes import backdrop
from tests.building.motion.test_static_camera import purity

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


@pytest.mark.slow
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


WALKS = {1: walking(-6, -3, 20), 2: walking(5, 4, 200), 3: walking(0, 0, 90)}


def from_above(folder, detector):
    film, truth = flight(folder, 32, flights.hovering, WALKS)
    found = find_people_with_detector(
        film,
        probe(film),
        load_detector(f"{detector},kind=yolox,score=0.4"),
        from_above=True,
        interval_s=0.5,
        limits=DEFAULT_LIMITS,
        progress=silent,
    )
    return found, truth


def test_from_above_people_whom_the_detector_does_not_know_are_found_by_motion(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_files, "TARGET", (10, 250, 10))  # nobody wears green
    found, truth = from_above(tmp_path, onnx_files.yolox(tmp_path / "d.onnx", height=270, width=480))
    tracks = purity(found.frames, truth)
    assert sorted(person for person, _ in tracks.values()) == [1, 2, 3]
    assert set(found.found_by.values()) == {"motion"} and set(found.found_by) == set(tracks)


def test_whom_both_the_detector_and_motion_see_is_one_person(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_files, "TARGET", (15, 240, 240))  # the second walker's trousers
    found, _ = from_above(tmp_path, onnx_files.yolox(tmp_path / "d.onnx", height=270, width=480, box_cells=(1, 3)))
    assert any("detector" in who for who in found.found_by.values()) and "motion" in found.found_by.values()
    for people in found.frames.values():
        boxes = np.array(list(people.values()))
        shared = _share_of_smaller(boxes, boxes)
        assert (shared[~np.eye(len(boxes), dtype=bool)] < COVERED).all()


def test_who_found_the_tracklets_of_a_build_is_reported_and_kept(tmp_path):
    """A report whose numbers cannot be written would end every build with a detector."""
    path = film(tmp_path, [lambda step: (40, 80, 48, 88), lambda step: (200, 120, 208, 128)])
    network = onnx_files.yolox(tmp_path / "d.onnx", height=180, width=320)
    source = parse_source(f"{path},platform=aerial,camera=roof")
    quality = QualityConfig(min_side_px=4, min_sharpness=0.0)
    reports = [build([source], tmp_path / "built", detector=f"{network},kind=yolox", quality=quality) for _ in range(2)]
    for report in reports:
        assert dict(report.sources[0].tracklets_found_by) == {"detector": 2}
    assert reports[0].to_json() == reports[1].to_json()
