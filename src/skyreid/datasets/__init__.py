"""Someone's benchmark on disk → `Benchmark(train, query, gallery, protocol)`; verification; statistics."""

from os import PathLike

from skyreid.arguments import find_named, kind_of, path_of
from skyreid.datasets import (
    g2a_vreid,
    g2a_vreid_v2,
    ilids_vid,
    ls_vid,
    manifest_benchmark,
    mars,
    mevid,
    prid_2011,
)
from skyreid.datasets.benchmark import Benchmark
from skyreid.datasets.benchmark_format import BenchmarkFormat
from skyreid.datasets.manifest_benchmark import with_listed_hashes
from skyreid.errors import DatasetError

__all__ = ["BENCHMARKS", "Benchmark", "BenchmarkFormat", "find_format", "read_benchmark"]

BENCHMARKS: dict[str, BenchmarkFormat] = {
    "g2a-vreid": g2a_vreid.FORMAT,
    "g2a-vreid-v2": g2a_vreid_v2.FORMAT,
    "mars": mars.FORMAT,
    "ls-vid": ls_vid.FORMAT,
    "ls-vid-48": ls_vid.FORMAT_48,
    "ilids-vid": ilids_vid.FORMAT,
    "prid-2011": prid_2011.FORMAT,
    "mevid": mevid.FORMAT,
    "manifest": manifest_benchmark.FORMAT,
}


def find_format(name: str) -> BenchmarkFormat:
    """Look up a benchmark's format.

    Raises:
        DatasetError: there is no benchmark of this name; the message suggests one.
    """
    return find_named(name, BENCHMARKS, "benchmark", error=DatasetError)


def read_benchmark(name: str, root: str | PathLike[str], split: int = 0) -> Benchmark:
    """Read a benchmark by its name.

    Args:
        name: one of `skyreid data list`, such as "g2a-vreid" or "mars"; "manifest" is a folder that `skyreid build` or
            `skyreid export` wrote.
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
    benchmark = find_format(name).read(folder, split)
    return benchmark if name == "manifest" else with_listed_hashes(benchmark, folder)
