"""Someone's benchmark on disk → `Benchmark(train, query, gallery, protocol)`; verification; statistics."""

from os import PathLike

from skyreid.arguments import kind_of, path_of
from skyreid.datasets.benchmark import Benchmark
from skyreid.datasets.benchmarks import find_format, require_layout
from skyreid.datasets.benchmarks.benchmark_format import check_split
from skyreid.datasets.benchmarks.manifest_benchmark import with_listed_hashes
from skyreid.errors import DatasetError

__all__ = ["Benchmark", "read_benchmark"]


def read_benchmark(name: str, root: str | PathLike[str], split: int = 0) -> Benchmark:
    """Read a benchmark by its name.

    Args:
        name: one of `skyreid data list`, such as "g2a-vreid" or "mars"; "manifest" is a folder that `skyreid build` or
            `skyreid data export` wrote.
        root: its folder.
        split: of benchmarks with several splits, from 0.

    Returns:
        Tracklets to train on, to ask and to search, and the protocol that compares them. No picture is read.

    Raises:
        DatasetError: no such benchmark or split, or the folder is not what the format says
            (MissingFrameError: frames are missing).
        ManifestError: the manifest, or the one that we wrote beside a benchmark, is damaged.
    """
    folder = path_of(root, "the folder of a benchmark")
    if not isinstance(split, int):
        raise DatasetError(f"split is a number from 0; got {kind_of(split)}")
    form = find_format(name)
    check_split(name, split, form.num_splits)
    require_layout(name, folder)
    benchmark = form.survey(folder, split).benchmark()
    return benchmark if name == "manifest" else with_listed_hashes(benchmark, folder)
