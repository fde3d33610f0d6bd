import json
from dataclasses import replace
from pathlib import Path

import pytest

from skyreid.building.build_report import BuildReport, masking_report
from skyreid.building.dataset_card import dataset_card
from skyreid.building.source_report import SourceReport
from skyreid.datasets.statistics import BenchmarkStatistics
from skyreid.tracklet import Platform
from tests.building.finished_builds import HEAD, info

REPORT = BuildReport(
    manifest_path=Path("out/manifest.jsonl"),
    manifest_sha256="00ff",
    data_sha256="11ee",
    card_path=Path("out/dataset-card.md"),
    identities="annotated",
    sources=(
        SourceReport(
            name="C1-a",
            frames_read=20,
            boxes=866,
            boxes_interpolated=40,
            boxes_dropped={"outside": 2, "ignored": 0},
            tracklets=11,
            tracklets_dropped={"too-short": 3},
            tracks_dropped={"hidden": 1},
            crops=62,
            crops_dropped={"hidden": 4, "too-short": 3},
            faces_detected=1,
            faces_followed=6,
            faces_by_fallback=5,
            faces_expected=3,
            faces_missed=1,
        ),
    ),
)


def test_a_report_is_one_line_a_source_one_for_the_manifest_and_one_for_the_card():
    assert REPORT.lines() == [
        "C1-a: 11 tracklets of 62 crops from 866 boxes (40 more interpolated) and 20 sampled frames; "
        "1 faces found, 6 followed and 5 heads without one masked; left out: 2 boxes outside, 4 crops hidden, "
        "3 crops too-short, 3 tracklets too-short, 1 whole track hidden",
        "out/manifest.jsonl: identities annotated, data sha256 11ee",
        "out/dataset-card.md: what this data is; fill in terms and consent (skyreid build --help)",
    ]


def test_a_program_reads_the_same_as_json():
    read = json.loads(json.dumps(REPORT.to_json()))
    assert read["manifest_path"] == "out/manifest.jsonl"
    assert SourceReport(**read["sources"][0]) == REPORT.sources[0]


def test_who_found_the_people_is_said():
    (source,) = REPORT.sources
    both = replace(source, tracklets_found_by={"motion": 3, "detector": 8}, notes=["searched in 9 tiles"])
    assert replace(REPORT, sources=(both,)).lines()[1:3] == [
        "C1-a: tracklets found 8 by detector, 3 by motion",
        "C1-a: searched in 9 tiles",
    ]


def test_a_build_that_found_nobody_says_so():
    empty = replace(REPORT, sources=tuple(replace(source, tracklets=0) for source in REPORT.sources))
    assert "nobody was found: nothing can be embedded or searched" in empty.lines()


def test_whose_numbers_were_taken_is_said_and_what_the_user_should_know():
    """Kind B2: numbers have a scope, and the report prints which was taken."""
    told = replace(
        REPORT.sources[0],
        read_as="BoxMOT's results",
        identities_because="trackers number the tracks of one video",
        notes=["warning: a.txt: counts every second frame"],
    )
    lines = replace(REPORT, identities="per-tracklet", sources=(told,)).lines()
    assert lines[1:4] == [
        "C1-a: annotations read as BoxMOT's results; numbers are tracks of this video only (trackers number the tracks "
        "of one video)",
        "C1-a: warning: a.txt: counts every second frame",
        "nobody is known to be the same person in two videos: skyreid link tells, or identities=shared in a --source "
        "whose numbers are people",
    ]
    shared = replace(told, identities="shared", identities_because="the source says so", notes=[])
    lines = replace(REPORT, sources=(shared,)).lines()
    assert "numbers are people, the same in every video (the source says so)" in lines[1]
    assert len(lines) == 4


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


STATISTICS = BenchmarkStatistics(
    name="manifest",
    identities=3,
    tracklets=4,
    images=8,
    average_duration_s=0.5,
    camera_views=2,
    camera_working_mode=None,
    parts={},
    sequence_lengths={},
    crop_widths={},
    crop_widths_in_paper_range={Platform.GROUND: 0.9, Platform.AERIAL: 1.0},
    paper_row=None,
)


def card(identities="annotated", **of_the_build):
    return dataset_card(info(**of_the_build), STATISTICS, identities=identities)


def test_simulated_data_is_never_worded_as_real():
    simulated, filmed = card(is_simulated=True), card()
    assert simulated.splitlines()[:3] == [
        "# Simulated people, seen from the ground and from the air",
        "",
        "**Simulated data: every person here was drawn by a program. Nobody was filmed, and no score on this data says "
        "how well anything works on real footage.**",
    ]
    assert "footage by skyreid" not in simulated
    assert "imulated" not in filmed


def test_what_nobody_stated_is_not_stated():
    text = card(terms="Research | <b>only</b>\n# free for all")
    assert "- terms: Research \\| \\<b\\>only\\</b\\> # free for all\n" in text
    assert "- consent: not stated\n- contact: not stated\n\nWhat is not stated is not granted." in text
    everything = card(terms="research", consent="signed", contact="me@example.org")
    assert "not granted" not in everything


def test_counts_stand_beside_the_papers():
    text = card()
    assert "| identities | 3 | 2,788 |\n| tracklets | 4 | 5,576 |\n| images | 8 | 185,907 |" in text
    assert "| average duration | 0.5 s | 16.7 s |" in text
    assert "Of the ground crops, 90% are 10 to 70 pixels wide, as in G2A-VReID." in text
    assert "![Sequence lengths and crop widths](statistics.png)" in text


def test_sources_are_named_with_time_finder_and_hash():
    text = card()
    assert "| gate.mp4 | gate | ground | 2026-05-04T09:00:00+00:00 | annotations | gate-00ff |" in text
    assert "| drone.mp4 | drone | aerial | not stated | annotations | drone-00ff |" in text
    assert "somewhere" not in text


def test_what_was_left_out_is_told_by_reason():
    assert "| gate-gate | 2 | 4 | 2 boxes outside, 3 crops hidden |" in card()


@pytest.mark.parametrize(
    ("masking", "told"),
    [
        (
            True,
            "12 regions were covered (grey): 2 faces that the detector found (cascade), 6 found by their skin or in a "
            "frame before or after, and 4 heads of people large enough to be recognised on whom none was found.",
        ),
        (
            True,
            "The detector: finds bright squares. Where it found a face in the frames before and after, it found it in "
            "4 of 6.",
        ),
        (False, "**Faces are not masked.**"),
    ],
)
def test_masked_faces_are_counted(masking, told):
    assert told in card(masking=masking)


@pytest.mark.parametrize("identities", ["annotated", "linked", "per-tracklet"])
def test_nobody_takes_tracklets_for_people(identities):
    assert ("every tracklet is an identity" in card(identities)) is (identities == "per-tracklet")
