"""A manifest as a benchmark: what was built from one's own footage can be measured, verified and searched."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from skyreid.datasets.benchmark import Benchmark
from skyreid.datasets.benchmarks.benchmark_format import BenchmarkFormat, Counts, check_split
from skyreid.datasets.manifest import MANIFEST_FILE, read_manifest
from skyreid.datasets.protocol import CROSS_CAMERA, GROUND_TO_AERIAL
from skyreid.datasets.survey import Survey, require_files
from skyreid.tracklet import PLATFORMS, Platform, Tracklet


def survey(root: Path, split: int = 0) -> Survey:
    """Parse the manifest of a folder as a test set; nothing of it trains.

    With both platforms the ground asks and the drone's tracklets are searched. With one, all tracklets are
    searched and none asks.

    Raises:
        ManifestError: the manifest is damaged.
    """
    check_split("manifest", split, num_splits=1)
    require_files("manifest", root, (MANIFEST_FILE,))
    tracklets = read_manifest(root / MANIFEST_FILE).tracklets
    tested = as_benchmark(tracklets)
    found = Survey(
        name="manifest",
        root=root,
        protocol=tested.protocol,
        query=list(tested.query),
        gallery=list(tested.gallery),
    )
    for tracklet in tracklets:
        for frame in tracklet.frames:
            folder, _, name = frame.path.rpartition("/")
            found.list_image(folder, name)
    folders = {path.rpartition("/")[0] for path in found.listed} - {str(root)}
    found.image_trees = [Path(folder) for folder in sorted(folders)]
    return found


def as_benchmark(tracklets: Sequence[Tracklet]) -> Benchmark:
    """Give the tracklets of a manifest as the test set that `read` makes of them."""
    has_both = {tracklet.platform for tracklet in tracklets} == set(PLATFORMS)
    query = tuple(t for t in tracklets if has_both and t.platform is Platform.GROUND)
    return Benchmark(
        name="manifest",
        train=(),
        query=query,
        gallery=tuple(t for t in tracklets if not (has_both and t.platform is Platform.GROUND)),
        protocol=GROUND_TO_AERIAL if has_both else CROSS_CAMERA,
    )


def with_listed_hashes(benchmark: Benchmark, root: Path) -> Benchmark:
    """Give the frames of a benchmark the hashes that the manifest in its folder lists, if we wrote one there."""
    listed = listed_hashes(root)
    if not listed:
        return benchmark
    train, query, gallery = (
        tuple(
            replace(t, frames=tuple(replace(frame, sha256=listed.get(frame.path)) for frame in t.frames)) for t in part
        )
        for part in (benchmark.train, benchmark.query, benchmark.gallery)
    )
    return replace(benchmark, train=train, query=query, gallery=gallery)


def listed_hashes(root: Path) -> dict[str, str]:
    """Path of a frame to the hash that the manifest of a folder lists; nothing where there is no manifest."""
    if not (root / MANIFEST_FILE).is_file():
        return {}
    tracklets = read_manifest(root / MANIFEST_FILE).tracklets
    return {frame.path: frame.sha256 for t in tracklets for frame in t.frames if frame.sha256 is not None}


FORMAT = BenchmarkFormat(
    survey=survey,
    published=Counts(),
    num_splits=1,
    cameras=None,
    terms="Yours.",
    source="Footage of your own",
    files=(MANIFEST_FILE,),
    layout=f"{MANIFEST_FILE}, and the frames that it names below the same folder.",
)
