import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.datasets import read_benchmark
from skyreid.datasets.benchmarks import BENCHMARKS
from skyreid.datasets.statistics import PAPER_CROP_WIDTHS, _distributions, _in_paper_range, benchmark_statistics
from skyreid.datasets.verification import verify
from skyreid.errors import MissingFrameError
from skyreid.tracklet import Platform


def test_the_row_of_table_1_is_counted(miniature):
    statistics = benchmark_statistics(read_benchmark("g2a-vreid", miniature("g2a-vreid")))
    assert (statistics.identities, statistics.tracklets, statistics.images) == (3, 6, 20)
    assert statistics.average_duration_s == pytest.approx(20 / 6 * 0.5)
    assert (statistics.camera_views, statistics.camera_working_mode) == (2, "ground & sky moving")
    assert {name: vars(part) for name, part in statistics.parts.items()} == {
        "train": {"identities": 1, "tracklets": 2, "images": 6},
        "query": {"identities": 2, "tracklets": 2, "images": 6},
        "gallery": {"identities": 2, "tracklets": 2, "images": 8},
    }


@pytest.mark.parametrize("name", BENCHMARKS)
def test_table_1_reckons_durations_with_the_seconds_per_frame_of_the_format(name):
    form = BENCHMARKS[name]
    if form.paper_row and form.seconds_per_frame:
        row = form.paper_row
        seconds = row.images / row.tracklets * form.seconds_per_frame
        assert seconds == pytest.approx(row.average_duration_s, abs=0.051)


def test_distractors_are_tracklets_but_not_people(miniature):
    statistics = benchmark_statistics(read_benchmark("mars", miniature("mars")))
    assert (statistics.identities, statistics.tracklets) == (4, 8)
    assert statistics.average_duration_s is None


def test_times_decide_over_the_frame_rate(miniature):
    benchmark = read_benchmark("manifest", miniature("manifest"))
    assert benchmark_statistics(benchmark).average_duration_s == 1.0
    first = benchmark.query[0]
    untimed = replace(first, frames=tuple(replace(frame, time_s=None) for frame in first.frames))
    assert benchmark_statistics(replace(benchmark, query=(untimed,))).average_duration_s is None


def test_lengths_and_widths_are_told_by_platform(miniature):
    statistics = benchmark_statistics(read_benchmark("g2a-vreid", miniature("g2a-vreid")))
    ground, aerial = (statistics.crop_widths[platform] for platform in Platform)
    assert (ground.num, ground.minimum, ground.maximum) == (8, 8, 8)
    assert (aerial.num, aerial.minimum, aerial.maximum) == (12, 16, 16)
    assert statistics.sequence_lengths[Platform.GROUND].histogram == (0, 0, 1, 2)
    assert statistics.sequence_lengths[Platform.AERIAL].histogram == (0, 0, 0, 0, 3)


def test_the_share_of_widths_in_the_papers_range_is_told(miniature):
    statistics = benchmark_statistics(read_benchmark("g2a-vreid", miniature("g2a-vreid")))
    assert statistics.crop_widths_in_paper_range == {Platform.GROUND: 0.0, Platform.AERIAL: 1.0}  # 8 and 16 pixels
    assert statistics.lines()[-2:] == [
        "ground               0.0% of the crops are 10 to 70 px wide, as in G2A-VReID",
        "aerial             100.0% of the crops are 5 to 35 px wide, as in G2A-VReID",
    ]


@given(st.dictionaries(st.sampled_from(Platform), st.lists(st.integers(1, 90), max_size=20)))
def test_shares_count_both_ends_of_the_range(widths):
    shares = _in_paper_range(widths)
    assert set(shares) == {platform for platform, group in widths.items() if group}
    for platform, share in shares.items():
        low, high = PAPER_CROP_WIDTHS[platform]
        assert share * len(widths[platform]) == pytest.approx(sum(w in range(low, high + 1) for w in widths[platform]))


def test_only_headers_are_read(miniature):
    root = miniature("manifest")
    path = root / "crops/ground-1/000001.jpg"
    path.write_bytes(path.read_bytes()[:-10])
    assert [finding.subject for finding in verify("manifest", root).findings] == ["crops/ground-1/000001.jpg"]
    assert benchmark_statistics(read_benchmark("manifest", root)).crop_widths[Platform.GROUND].mean == 10


def test_an_image_without_a_header_is_refused_by_name(miniature):
    root = miniature("manifest")
    benchmark = read_benchmark("manifest", root)
    (root / "crops/aerial-2/000001.jpg").write_bytes(b"")
    with pytest.raises(MissingFrameError, match=r"aerial-2/000001\.jpg: cannot be read as JPEG"):
        benchmark_statistics(benchmark)


@given(st.dictionaries(st.sampled_from(Platform), st.lists(st.integers(0, 5000), min_size=1, max_size=30), min_size=1))
def test_a_histogram_counts_like_a_slow_loop(values):
    distributions = _distributions(values)
    assert len({distribution.bin_width for distribution in distributions.values()}) == 1
    for platform, group in values.items():
        found = distributions[platform]
        slow = [0] * len(found.histogram)
        for value in group:
            slow[value // found.bin_width] += 1
        assert slow == list(found.histogram)
        assert sum(slow) == found.num == len(group)
        assert len(slow) <= 40
        assert found.percentiles["50"] == np.median(group)
        assert (found.minimum, found.maximum) == (min(group), max(group))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_has_statistics_that_become_lines_and_json(name, miniature):
    statistics = benchmark_statistics(read_benchmark(name, miniature(name)))
    content = json.loads(json.dumps(statistics.to_json()))
    assert content["images"] == statistics.images
    assert set(content["crop_widths"]) == {platform.value for platform in statistics.crop_widths}
    lines = statistics.lines()
    row = BENCHMARKS[name].paper_row
    assert ("Table 1" in lines[0]) == (row is not None)
    if row:
        assert f"{row.images:,}" in lines[3]


def test_the_lines_stand_beside_the_papers_row(miniature):
    lines = benchmark_statistics(read_benchmark("g2a-vreid", miniature("g2a-vreid"))).lines()
    assert lines[:7] == [
        "g2a-vreid                        here   Table 1",
        "identities                          3   2,788",
        "tracklets                           6   5,576",
        "images                             20   185,907",
        "average duration                1.7 s   16.7 s",
        "camera views                        2   2",
        "camera mode       ground & sky moving   ground & sky moving",
    ]
