import json
from dataclasses import replace
from pathlib import Path

from skyreid.building.build_report import BuildReport, SourceReport

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
        "3 crops too-short, 3 tracklets too-short, 1 whole tracks hidden",
        "out/manifest.jsonl: identities annotated, data sha256 11ee",
        "out/dataset-card.md: what this data is; fill in terms and consent (skyreid build --help)",
    ]


def test_a_program_reads_the_same_as_json():
    read = json.loads(json.dumps(REPORT.to_json()))
    assert read["manifest_path"] == "out/manifest.jsonl"
    assert SourceReport(**read["sources"][0]) == REPORT.sources[0]


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
