"""What a case remembers: who finds and compares, and the names of its cameras."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from skyreid.building.sources import Source
from skyreid.case_record import (
    CaseRecord,
    CaseVideo,
    better_than,
    binding_case,
    demand_of,
    read_case,
    with_cameras,
    write_case,
)
from skyreid.errors import SettingError, SourceError, WeightsError
from skyreid.files.regular_file import bytes_sha256
from skyreid.tracklet import Platform

BEGUN = CaseRecord(detector="motion", model="colours", interval_s=0.5, mask_faces=True, videos=())


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SKYREID_CACHE", str(tmp_path / "cache"))


def asked(before, *, detector=None, model=None, interval_s=None, mask_faces=True, replace=False):
    return demand_of(Path("case"), before, detector, model, interval_s, mask_faces=mask_faces, replace=replace)


def video(folder, name, platform=Platform.GROUND):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(str(folder).encode())
    return Source(path=folder / name, platform=platform, camera="")


def names(sources, folder, known=()):
    return [source.camera for source in with_cameras(sources, folder, known)]


def of_case(folder, sources):
    named = with_cameras(sources, folder, ())
    return [CaseVideo(path=s.path.resolve(), platform=s.platform, camera=s.camera) for s in named]


def finished(folder, name, content):
    (folder / "sources").mkdir(parents=True, exist_ok=True)
    record = {"fingerprint": {"video_sha256": bytes_sha256(content)}}
    (folder / "sources" / f"{name}.json").write_text(json.dumps(record))


def test_a_case_goes_on_with_what_was_chosen_and_takes_nothing_else(tmp_path):
    nano = replace(BEGUN, detector="motion", interval_s=0.25)
    assert asked(None) == BEGUN
    assert asked(nano).interval_s == 0.25
    assert asked(nano, detector="motion", model="colours", interval_s=0.25) == nano
    with pytest.raises(SettingError, match=r"found by their motion, and --detector yolox-nano is asked for; leave"):
        asked(nano, detector="yolox-nano")
    with pytest.raises(SettingError, match=r"compared by the colours of their clothes, and --model person-reid-0277"):
        asked(nano, model="person-reid-0277")
    with pytest.raises(SettingError, match=r"every \(seconds\) 0.25, and --interval-s 0.5"):
        asked(nano, interval_s=0.5)
    with pytest.raises(SettingError, match=r"faces were covered; ask for the same, or add --replace"):
        asked(nano, mask_faces=False)
    anew = asked(nano, detector="yolox-nano", mask_faces=False, replace=True)
    assert (anew.detector, anew.interval_s, anew.mask_faces) == ("yolox-nano", 0.5, False)


def test_weights_that_a_case_was_begun_with_and_that_are_gone_are_named(tmp_path):
    with pytest.raises(WeightsError, match=r"begun with yolox-nano, which is not in the cache: skyreid weights get"):
        asked(replace(BEGUN, detector="yolox-nano"))
    assert better_than(BEGUN) == ()


def test_the_record_counts_from_the_first_finished_video_and_a_damaged_one_is_named(tmp_path):
    write_case(tmp_path, replace(BEGUN, videos=tuple(of_case(tmp_path, [video(tmp_path / "a", "gate.mp4")]))))
    assert read_case(tmp_path).videos[0].camera == "gate"
    assert binding_case(tmp_path) is None
    finished(tmp_path, "gate-gate", b"")
    assert binding_case(tmp_path).detector == "motion"
    (tmp_path / "case.json").write_text("{}")
    with pytest.raises(SourceError, match=r"case\.json is damaged .*remove it"):
        read_case(tmp_path)


def test_a_camera_keeps_its_name_whatever_is_added(tmp_path):
    gate, other = video(tmp_path / "a", "gate.mp4"), video(tmp_path / "b", "gate.mp4", Platform.AERIAL)
    assert names([gate, other], tmp_path) == ["a-gate", "b-gate"]
    known = of_case(tmp_path, [gate])
    assert names([gate, other], tmp_path, known) == ["gate", "b-gate"]
    assert names([other, gate], tmp_path, known) == ["b-gate", "gate"]


def test_a_video_that_was_moved_is_known_by_its_bytes(tmp_path):
    gate = video(tmp_path / "a", "gate.mp4")
    (known,) = of_case(tmp_path, [gate])
    known = replace(known, camera="entrance")
    content = gate.path.read_bytes()
    finished(tmp_path, known.source.name, content)
    gate.path.unlink()
    moved = video(tmp_path / "b", "gate.mp4")
    assert names([moved], tmp_path, [known]) != ["entrance"]
    moved.path.write_bytes(content)
    assert names([moved], tmp_path, [known]) == ["entrance"]


def test_videos_of_one_name_are_told_apart_by_as_little_as_does(tmp_path):
    both = [video(tmp_path / "a", name) for name in ("gate.mp4", "gate.avi")]
    assert names(both, tmp_path) == ["a-gate.mp4", "a-gate.avi"]
    deep = [video(tmp_path / one / "cam", "x.mp4") for one in ("p", "q")]
    assert names(deep, tmp_path) == ["p-cam-x", "q-cam-x"]
    named = replace(both[0], camera="entrance")
    assert names([named, both[1]], tmp_path) == ["entrance", "gate"]
