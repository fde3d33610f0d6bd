"""Kind C5: results say camera by name, file, moment and time of day."""

from datetime import UTC, datetime

import pytest

from skyreid.datasets.manifest import Manifest
from skyreid.errors import ManifestError
from skyreid.retrieval.sighting import Sighting, find_sighting, find_videos
from skyreid.tracklet import Frame, Platform, Tracklet

INFO = {
    "cameras": ["gate", "drone"],
    "sources": [
        {"name": "gate-morning", "file": "morning.mp4", "start_time": "2026-05-04T09:00:00+00:00"},
        {"name": "drone-DJI", "file": "DJI.mp4", "start_time": None},
    ],
}


def seen(tracklet_id, *, camid=0, times=(12.5, 13.0, 31.04)):
    frames = tuple(Frame(f"{number}.jpg", time_s=time_s) for number, time_s in enumerate(times))
    return Tracklet(tracklet_id=tracklet_id, frames=frames, pid=1, camid=camid, platform=Platform.GROUND)


def manifest(info):
    return Manifest(tracklets=(), sha256="", info=info)


def test_a_tracklet_of_a_build_is_told_by_camera_file_moment_and_clock(tmp_path):
    video = tmp_path / "a day" / "morning.mp4"
    assert find_sighting(seen("gate-morning-0007"), manifest(INFO), {"gate-morning": video}) == Sighting(
        camera="gate",
        file="morning.mp4",
        offset_s=(12.5, 31.04),
        clock=datetime(2026, 5, 4, 9, 0, 12, 500_000, tzinfo=UTC),
        video=video,
    )


def test_the_link_opens_the_video_at_the_moment(tmp_path):
    sighting = Sighting(camera="gate", file="a #1.mp4", offset_s=(12.5, 31.0), video=tmp_path / "a #1.mp4")
    assert sighting.link == f"{tmp_path.as_uri()}/a%20%231.mp4#t=12.50"
    assert Sighting(camera="gate", file="a.mp4").link is None


def test_without_a_start_there_is_no_clock_and_without_a_source_only_a_camera():
    unclocked = find_sighting(seen("drone-DJI-0001", camid=1), manifest(INFO), {})
    assert unclocked == Sighting(camera="drone", file="DJI.mp4", offset_s=(12.5, 31.04))
    foreign = find_sighting(seen("0001C3T0001", camid=2, times=(None,)), manifest({}), {})
    assert foreign == Sighting(camera="camera 2")


def test_the_videos_of_a_manifest_lie_in_the_first_folder_that_holds_them(tmp_path):
    for place in ("near/morning.mp4", "far/morning.mp4", "far/DJI.mp4"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).touch()
    places = (tmp_path / "near", tmp_path / "far")
    found = {"gate-morning": tmp_path / "near/morning.mp4", "drone-DJI": tmp_path / "far/DJI.mp4"}
    assert find_videos(manifest(INFO), places) == found
    assert find_videos(manifest({}), places) == {}


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ({"cameras": "gate"}, "a manifest's cameras are a list of names; got gate"),
        ({"sources": [7]}, r"a manifest's sources are objects with name and file; got \[7\]"),
        (
            {"sources": [{"name": "gate", "file": "a.mp4", "start_time": "noon"}]},
            "a source's start_time is a time such as 2026-05-04T09:00:00[+]02:00; got 'noon'",
        ),
    ],
)
def test_a_manifest_that_says_it_otherwise_is_refused(info, message):
    with pytest.raises(ManifestError, match=f"^{message}$"):
        find_sighting(seen("gate-0001"), manifest(info), {})
