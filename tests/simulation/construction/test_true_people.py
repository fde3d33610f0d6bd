import shutil

import pytest

from skyreid.errors import DatasetError
from skyreid.simulation.construction.built_sources import read_built_sources
from skyreid.simulation.construction.true_people import TruePerson, read_true_people
from tests.simulation.construction.tiny_world import TinyWorld, face_in, person, place

LEFT, RIGHT = place(0), place(1)
CUT = (-8.0, 10.0, 12.0, 50.0)
FACE = face_in(RIGHT)


@pytest.fixture
def world(tmp_path):
    world = TinyWorld(tmp_path)
    both = [person(1, CUT, visible=0.6), person(2, RIGHT, face=FACE)]
    world.film("gate", [both, both, [], both, both])
    world.track("gate", 1, {0: CUT})
    return world


def read(world, **changes):
    world.write_build(**changes)
    (source,) = read_built_sources(world.build)
    return read_true_people(source, world.folder)


def test_the_people_of_sampled_frames_are_given_as_the_picture_shows_them(world):
    both = (
        TruePerson(pid=1, box=(0.0, 10.0, 12.0, 50.0), visible=0.6, face=None),
        TruePerson(pid=2, box=RIGHT, visible=1.0, face=FACE),
    )
    assert read(world) == {0: both, 2: (), 4: both}
    assert read(world, info={"interval_s": 0.25}).keys() == {0, 1, 2, 3, 4}
    # Frames stand at 0, 0.25, 0.5, 0.75 and 1 s.
    assert read(world, info={"interval_s": 0.6}).keys() == {0, 3}
    world.track("gate", 2, {1: RIGHT})
    assert read(world, info={"interval_s": 0.6}).keys() == {0, 1, 3}


def test_a_folder_that_is_no_world_is_named(world):
    shutil.rmtree(world.folder / "videos")
    with pytest.raises(DatasetError, match="must be the folder that skyreid simulate wrote; it has no videos/"):
        read(world)


def test_a_video_that_the_world_has_not_is_named(world):
    (world.folder / "videos/gate-1.mp4").rename(world.folder / "videos/other.mp4")
    with pytest.raises(DatasetError, match="from which gate-gate-1 was built; is this the truth of another world"):
        read(world)


def test_another_video_of_the_same_name_is_named(world):
    (world.folder / "videos/gate-1.mp4").write_bytes(b"another world")
    with pytest.raises(DatasetError, match=r"gate-1\.mp4 has the sha256 \w{64}, gate-gate-1 was built from a video"):
        read(world)


def test_a_crop_beyond_the_truth_is_named(world):
    world.track("gate", 1, {5: LEFT})
    with pytest.raises(DatasetError, match=r"gate-1\.jsonl: ends at frame 4; gate-gate-1 has a crop of frame 5"):
        read(world)


@pytest.mark.parametrize("suffix", ["jsonl", "txt"])
def test_missing_truth_is_named(world, suffix):
    (world.folder / f"truth/gate-1.{suffix}").unlink()
    with pytest.raises(DatasetError, match=rf"gate-1\.{suffix} must .*; it cannot be read: .*No such file"):
        read(world)


def test_damaged_boxes_are_named(world):
    path = world.folder / "truth/gate-1.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1].replace(",", ";"), *lines[2:]]))
    with pytest.raises(DatasetError, match=r"gate-1\.txt: line 2 is damaged"):
        read(world)


def test_somebody_who_shows_without_a_box_is_named(world):
    path = world.folder / "truth/gate-1.txt"
    path.write_text(path.read_text().partition("\n")[0])
    with pytest.raises(DatasetError, match=r"person 2 shows in frame 0; gate-1\.txt has no box for that"):
        read(world)
