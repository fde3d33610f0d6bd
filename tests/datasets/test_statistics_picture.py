from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from skyreid.datasets import read_benchmark
from skyreid.datasets.statistics import benchmark_statistics
from skyreid.datasets.statistics_picture import draw_statistics
from skyreid.tracklet import Platform


def test_the_picture_shows_both_platforms(miniature, tmp_path):
    statistics = benchmark_statistics(read_benchmark("g2a-vreid", miniature("g2a-vreid")))
    draw_statistics(statistics, tmp_path / "g2a.png")
    with Image.open(tmp_path / "g2a.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert pixels.shape[1] > pixels.shape[0] > 500
    for colour in ((0xC2, 0x6A, 0x1B), (0x2B, 0x7B, 0xBA)):
        for half in (pixels[:, : pixels.shape[1] // 2], pixels[:, pixels.shape[1] // 2 :]):
            assert (abs(half - colour).max(axis=-1) < 8).sum() > 100


@pytest.mark.parametrize("platforms", [[Platform.GROUND], []])
def test_one_platform_or_none_can_be_drawn(miniature, tmp_path, platforms):
    benchmark = read_benchmark("manifest", miniature("manifest"))
    query = benchmark.query if platforms else ()
    draw_statistics(benchmark_statistics(replace(benchmark, query=query, gallery=())), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    for platform, colour in ((Platform.GROUND, (0xC2, 0x6A, 0x1B)), (Platform.AERIAL, (0x2B, 0x7B, 0xBA))):
        assert bool((abs(pixels - colour).max(axis=-1) < 8).any()) is (platform in platforms)


def test_the_same_statistics_give_the_same_bytes(miniature, tmp_path):
    statistics = benchmark_statistics(read_benchmark("manifest", miniature("manifest")))
    for name in ("a.png", "b.png"):
        draw_statistics(statistics, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_another_kind_of_picture_is_refused(miniature, tmp_path):
    statistics = benchmark_statistics(read_benchmark("manifest", miniature("manifest")))
    with pytest.raises(ValueError, match=r"^the picture is a .png file; got statistics\.pdf$"):
        draw_statistics(statistics, tmp_path / "statistics.pdf")
