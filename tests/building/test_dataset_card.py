import pytest

from skyreid.building.dataset_card import dataset_card
from skyreid.datasets.statistics import BenchmarkStatistics
from skyreid.tracklet import Platform
from tests.building.finished_builds import info

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
