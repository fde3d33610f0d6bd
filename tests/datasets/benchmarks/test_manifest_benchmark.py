import pytest

from skyreid.datasets.benchmarks import manifest_benchmark
from skyreid.datasets.manifest import read_manifest, write_manifest
from skyreid.errors import ManifestError, MissingFrameError
from skyreid.tracklet import Platform


def test_the_ground_asks_and_the_drone_is_searched(miniature):
    benchmark = manifest_benchmark.survey(miniature("manifest")).benchmark()
    assert benchmark.train == ()
    assert [t.tracklet_id for t in benchmark.query] == ["ground-1"]
    assert [t.tracklet_id for t in benchmark.gallery] == ["aerial-1", "aerial-2"]
    assert benchmark.protocol.name == "ground-to-aerial"


def test_with_one_platform_all_are_searched(miniature):
    root = miniature("manifest")
    tracklets = read_manifest(root / "manifest.jsonl").tracklets
    write_manifest(root / "manifest.jsonl", [t for t in tracklets if t.platform is Platform.AERIAL])
    benchmark = manifest_benchmark.survey(root).benchmark()
    assert benchmark.query == ()
    assert [t.tracklet_id for t in benchmark.gallery] == ["aerial-1", "aerial-2"]
    assert benchmark.protocol.name == "cross-camera"


def test_what_is_measured_while_building_is_what_is_read_later(miniature):
    root = miniature("manifest")
    assert manifest_benchmark.as_benchmark(read_manifest(root / "manifest.jsonl").tracklets) == (
        manifest_benchmark.survey(root).benchmark()
    )


def test_a_missing_frame_is_named(miniature):
    root = miniature("manifest")
    (root / "crops/aerial-2/000001.jpg").unlink()
    with pytest.raises(MissingFrameError, match=r"1 of 9 listed frames are missing .* crops/aerial-2/000001\.jpg"):
        manifest_benchmark.survey(root).benchmark()


def test_a_damaged_manifest_is_refused(miniature):
    root = miniature("manifest")
    (root / "manifest.jsonl").write_bytes(b"{}\n")
    with pytest.raises(ManifestError):
        manifest_benchmark.survey(root).benchmark()
