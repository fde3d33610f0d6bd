import json
import shutil

import pytest

from skyreid.errors import DatasetError, ManifestError
from skyreid.simulation.built_and_true import TruePerson, read_built_sources, read_true_people
from tests.simulation.tiny_world import TinyWorld, face_in, person, place

LEFT, RIGHT = place(0), place(1)
MASK = (2.0, 10.0, 12.0, 20.0)


@pytest.fixture
def world(tmp_path):
    world = TinyWorld(tmp_path)
    world.film("gate", [[]] * 4)
    world.film("drone", [[]] * 4)
    world.track("gate", 1, {0: LEFT, 2: LEFT}, masked={0: [MASK]})
    world.track("gate", 2, {2: RIGHT}, masked={2: [MASK, RIGHT]})
    return world


def test_a_build_is_laid_out_by_video_and_frame(world):
    world.write_build()
    gate, drone = read_built_sources(world.build)
    assert (gate.name, gate.file, gate.interval_s) == ("gate-gate-1", "gate-1.mp4", 0.5)
    assert [tracklet.pid for tracklet in gate.tracklets] == [1, 2]
    first, second = "gate-gate-1-0001", "gate-gate-1-0002"
    assert gate.crops == {0: {first: LEFT}, 2: {first: LEFT, second: RIGHT}}
    assert gate.masked == {0: {MASK}, 2: {MASK, RIGHT}}
    assert (drone.file, drone.tracklets, drone.crops, drone.masked) == ("drone-1.mp4", (), {}, {})


@pytest.mark.parametrize(
    ("info", "complaint"),
    [
        ({"interval_s": None}, "info must hold interval_s, a number of seconds; got None"),
        ({"interval_s": 0}, "info must hold interval_s, a number of seconds; got 0"),
        ({"sources": None}, "info must list the sources; was it written by skyreid build?"),
        (
            {"sources": [{"name": "gate-gate-1", "file": "gate-1.mp4"}]},
            "a source has the texts name, file and video_sha256; got",
        ),
        (
            {"sources": [{"name": "gate-gate-1", "file": "../gate-1.mp4", "video_sha256": ""}]},
            "source 'gate-gate-1': its file must be a bare name; got '../gate-1.mp4'",
        ),
        (
            {"sources": [{"name": "gate", "file": "gate-1.mp4", "video_sha256": ""}]},
            "tracklet 'gate-gate-1-0001' is of none of the sources ['gate']",
        ),
    ],
)
def test_what_is_no_build_is_named(world, info, complaint):
    world.write_build(info=info)
    with pytest.raises(ManifestError) as raised:
        read_built_sources(world.build)
    assert str(raised.value).startswith(f"{world.build}/manifest.jsonl: {complaint}")


def test_crops_without_a_place_in_the_video_are_named(world):
    world.track("drone", 3, {None: LEFT})
    world.write_build()
    with pytest.raises(ManifestError, match=r"0001/none\.jpg must have the index of its video frame and its box"):
        read_built_sources(world.build)


def test_a_build_without_its_masking_report_is_refused_unless_it_masked_nothing(world):
    world.write_build(masking=False)
    with pytest.raises(ManifestError, match=r"masking\.json must be the masking report of a build; .*FileNotFound"):
        read_built_sources(world.build)
    world.write_build(masking=False, info={"faces_masked": False})
    assert read_built_sources(world.build)[0].masked == {}


@pytest.mark.parametrize(
    "report", [[], {"regions": []}, {"regions": {"a": {"0": [[1, 2, 3]]}}}, {"regions": {"a": {"x": []}}}]
)
def test_a_damaged_masking_report_is_named(world, report):
    world.write_build()
    (world.build / "masking.json").write_text(json.dumps(report))
    with pytest.raises(ManifestError, match=r"masking\.json must be the masking report of a build; it cannot be used"):
        read_built_sources(world.build)


CUT = (-8.0, 10.0, 12.0, 50.0)
FACE = face_in(RIGHT)


@pytest.fixture
def filmed(tmp_path):
    filmed = TinyWorld(tmp_path)
    both = [person(1, CUT, visible=0.6), person(2, RIGHT, face=FACE)]
    filmed.film("gate", [both, both, [], both, both])
    filmed.track("gate", 1, {0: CUT})
    return filmed


def read(filmed, **changes):
    filmed.write_build(**changes)
    (source,) = read_built_sources(filmed.build)
    return read_true_people(source, filmed.folder)


def test_the_people_of_sampled_frames_are_given_as_the_picture_shows_them(filmed):
    both = (
        TruePerson(pid=1, box=(0.0, 10.0, 12.0, 50.0), visible=0.6, face=None),
        TruePerson(pid=2, box=RIGHT, visible=1.0, face=FACE),
    )
    assert read(filmed) == {0: both, 2: (), 4: both}
    assert read(filmed, info={"interval_s": 0.25}).keys() == {0, 1, 2, 3, 4}
    # Frames stand at 0, 0.25, 0.5, 0.75 and 1 s.
    assert read(filmed, info={"interval_s": 0.6}).keys() == {0, 3}
    filmed.track("gate", 2, {1: RIGHT})
    assert read(filmed, info={"interval_s": 0.6}).keys() == {0, 1, 3}


def test_a_folder_that_is_no_world_is_named(filmed):
    shutil.rmtree(filmed.folder / "videos")
    with pytest.raises(DatasetError, match="must be the folder that skyreid simulate wrote; it has no videos/"):
        read(filmed)


def test_a_video_that_the_world_has_not_is_named(filmed):
    (filmed.folder / "videos/gate-1.mp4").rename(filmed.folder / "videos/other.mp4")
    with pytest.raises(DatasetError, match="from which gate-gate-1 was built; is this the truth of another world"):
        read(filmed)


def test_another_video_of_the_same_name_is_named(filmed):
    (filmed.folder / "videos/gate-1.mp4").write_bytes(b"another world")
    with pytest.raises(DatasetError, match=r"gate-1\.mp4 has the sha256 \w{64}, gate-gate-1 was built from a video"):
        read(filmed)


def test_a_crop_beyond_the_truth_is_named(filmed):
    filmed.track("gate", 1, {5: LEFT})
    with pytest.raises(DatasetError, match=r"gate-1\.jsonl: ends at frame 4; gate-gate-1 has a crop of frame 5"):
        read(filmed)


@pytest.mark.parametrize("suffix", ["jsonl", "txt"])
def test_missing_truth_is_named(filmed, suffix):
    (filmed.folder / f"truth/gate-1.{suffix}").unlink()
    with pytest.raises(DatasetError, match=rf"gate-1\.{suffix} must .*; it cannot be read: .*No such file"):
        read(filmed)


def test_damaged_boxes_are_named(filmed):
    path = filmed.folder / "truth/gate-1.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1].replace(",", ";"), *lines[2:]]))
    with pytest.raises(DatasetError, match=r"gate-1\.txt: line 2 is damaged"):
        read(filmed)


def test_somebody_who_shows_without_a_box_is_named(filmed):
    path = filmed.folder / "truth/gate-1.txt"
    path.write_text(path.read_text().partition("\n")[0])
    with pytest.raises(DatasetError, match=r"person 2 shows in frame 0; gate-1\.txt has no box for that"):
        read(filmed)
