import json

import pytest

from skyreid.errors import ManifestError
from skyreid.simulation.construction.built_sources import read_built_sources
from tests.simulation.construction.tiny_world import TinyWorld, place

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
