from datetime import UTC, datetime

import numpy as np
import pytest

from skyreid.building.linking.presence import (
    OverlapConflict,
    clock_seconds,
    overlap_conflicts,
    plausibilities,
    presences,
)
from skyreid.errors import ManifestError
from skyreid.tracklet import Frame, Platform, Tracklet
from tests.building.linking.folders import INFO, seen


def test_a_clock_is_the_video_s_start_and_the_frame_s_time():
    found = presences([seen("gate-a-0001", 5, 9), seen("roof-a-0001", 0, 1), seen("door-a-0001", 3, 4)], INFO)
    assert found["gate-a-0001"].clock == (
        datetime(2026, 5, 4, 9, 0, 5, tzinfo=UTC),
        datetime(2026, 5, 4, 9, 0, 9, tzinfo=UTC),
    )
    assert found["roof-a-0001"].clock[0] == datetime(2026, 5, 4, 9, 0, 10, tzinfo=UTC)
    assert found["door-a-0001"].clock is None
    assert found["door-a-0001"].seconds == (3, 4)


@pytest.mark.parametrize(
    ("first_s", "last_s", "expected"),
    [
        (0, 8, 2 ** (-2 / 30)),  # leaves 2 s before the roof's 09:00:10
        (0, 10, 1.0),
        (12, 13, 1.0),
        (45, 46, 0.5),  # comes 30 s after the roof's 09:00:15
        (75, 99, 0.25),
    ],
)
def test_plausibility_halves_with_every_tolerance_of_absence(first_s, last_s, expected):
    found = presences([seen("gate-a-0001", first_s, last_s), seen("roof-a-0001", 0, 5)], INFO)
    gate, roof = clock_seconds([found["gate-a-0001"]]), clock_seconds([found["roof-a-0001"]])
    assert plausibilities(gate, roof, clock_tolerance_s=30.0) == pytest.approx(np.array([expected]), abs=1e-6)
    assert plausibilities(roof, gate, clock_tolerance_s=30.0) == pytest.approx(np.array([expected]), abs=1e-6)


def test_without_a_clock_nothing_is_known():
    timeless = Tracklet(tracklet_id="gate-a-0001", frames=(Frame("x.png"),), pid=1, camid=0, platform=Platform.GROUND)
    found = presences([timeless, seen("door-a-0001"), seen("roof-a-0001")], INFO)
    without, roof = (
        clock_seconds([found["gate-a-0001"], found["door-a-0001"]]),
        clock_seconds(2 * [found["roof-a-0001"]]),
    )
    assert np.isnan(plausibilities(without, roof, clock_tolerance_s=30.0)).all()


def test_two_tracklets_of_one_person_in_one_camera_at_one_time_are_a_conflict():
    tracklets = [
        seen("gate-a-0001", 0, 2, pid=5),
        seen("gate-a-0002", 2, 3, pid=5),  # a crop of the same moment
        seen("gate-a-0003", 4, 5, pid=5),
        seen("gate-a-0004", 0, 5, pid=6),
        seen("roof-a-0001", 0, 5, pid=5),
        seen("door-a-0001", 0, 5, pid=5),
    ]
    assert overlap_conflicts(tracklets, presences(tracklets, INFO)) == [
        OverlapConflict(pid=5, tracklets=("gate-a-0001", "gate-a-0002"))
    ]


def test_a_moment_is_shared_in_whichever_order_two_tracklets_are_listed():
    later_first = [seen("gate-a-0001", 2, 3), seen("gate-a-0002", 0, 2)]
    assert len(overlap_conflicts(later_first, presences(later_first, INFO))) == 1


def test_videos_of_one_camera_are_compared_by_its_clock():
    together = [seen("gate-a-0001", 58, 70), seen("gate-b-0001", 5, 6)]  # 09:01:05 is in both
    assert len(overlap_conflicts(together, presences(together, INFO))) == 1
    apart = [seen("gate-a-0001", 0, 4), seen("gate-b-0001", 0, 4)]
    assert overlap_conflicts(apart, presences(apart, INFO)) == []
    unknown = {**INFO, "sources": [{**source, "start_time": None} for source in INFO["sources"]]}
    assert overlap_conflicts(together, presences(together, unknown)) == []


@pytest.mark.parametrize(
    ("info", "refusal"),
    [
        ({}, "the manifest lists no sources; only a folder that 'skyreid build' made can be linked"),
        ({"sources": [{"file": "a.mp4"}]}, "a source of the manifest has a name; got {'file': 'a.mp4'}"),
        ({"sources": [{"name": "roof-a"}]}, "tracklet 'gate-a-0001' is of none of the manifest's sources"),
        (
            {"sources": [{"name": "gate-a", "start_time": "2026-05-04T09:00"}]},
            "source 'gate-a': start_time must be ISO 8601 with a zone; got '2026-05-04T09:00'",
        ),
        (
            {"sources": [{"name": "gate-a", "start_time": 9}]},
            "source 'gate-a': start_time must be ISO 8601 with a zone; got 9",
        ),
    ],
)
def test_a_manifest_that_the_build_did_not_write_is_refused(info, refusal):
    with pytest.raises(ManifestError) as raised:
        presences([seen("gate-a-0001")], info)
    assert str(raised.value).startswith(refusal)


def test_an_older_manifest_without_start_times_is_taken():
    found = presences([seen("gate-a-0001")], {"sources": [{"name": "gate-a"}]})
    assert found["gate-a-0001"].video_start is None
