import json
from pathlib import Path

from skyreid.building.built_manifest import masking_report
from skyreid.tracklet import Platform
from tests.building.finished_builds import HEAD, info


def test_a_pid_is_a_person_when_all_sources_are_annotated():
    built = info()
    assert built.identities == "annotated"
    tracklets = built.tracklets(Path("out"))
    assert [(t.tracklet_id, t.pid, t.camid, t.platform) for t in tracklets] == [
        ("gate-gate-0001", 4, 0, Platform.GROUND),
        ("gate-gate-0002", 9, 0, Platform.GROUND),
        ("drone-drone-0001", 9, 1, Platform.AERIAL),
        ("drone-drone-0002", 30, 1, Platform.AERIAL),
    ]
    assert tracklets[0].frames[1].path == "out/crops/gate-gate-0001/000005.jpg"


def test_a_pid_is_a_tracklet_when_one_source_is_not():
    built = info(is_annotated=False)
    assert built.identities == "per-tracklet"
    assert [t.pid for t in built.tracklets(Path("out"))] == [1, 2, 3, 4]


def test_the_manifest_names_the_sources_with_their_times():
    written = json.loads(json.dumps(info(terms="research").to_json()))
    assert [source["start_time"] for source in written["sources"]] == ["2026-05-04T09:00:00+00:00", None]
    assert [source["file"] for source in written["sources"]] == ["gate.mp4", "drone.mp4"]
    assert (written["terms"], written["consent"], written["simulated"]) == ("research", "not stated", False)
    assert info(is_simulated=True).to_json()["simulated"] is True


def test_the_masking_report_tells_what_was_painted_where():
    report = json.loads(json.dumps(masking_report(info())))
    assert report == {
        "style": "grey",
        "detector": "cascade",
        "faces": 12,
        "followed": 6,
        "fallback": 4,
        "detector_card": "finds bright squares",
        "detector_recall": {"expected": 6, "missed": 2},
        "crops": 8,
        "regions": {
            tracklet_id: {"0": [list(HEAD)]}
            for tracklet_id in ("gate-gate-0001", "gate-gate-0002", "drone-drone-0001", "drone-drone-0002")
        },
    }


def test_a_build_that_masked_nothing_says_so():
    report = masking_report(info(masking=False))
    assert (report["style"], report["detector"]) == ("none", "none")
