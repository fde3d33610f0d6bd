"""Someone's benchmark on disk → `Benchmark(train, query, gallery, protocol)`; verification; statistics."""

from os import PathLike
from pathlib import Path

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
from skyreid.datasets.benchmark_format import BenchmarkFormat, check_split
from skyreid.datasets.manifest_benchmark import with_listed_hashes
from skyreid.datasets.parsing.survey import require_files
from skyreid.errors import DatasetError
from skyreid.file_kinds import kind_at
from skyreid.folder_listing import names_in

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


def require_layout(name: str, root: Path) -> None:
    """Refuse a folder that lacks a file of a benchmark's layout, and say where the benchmark is, or what this is.

    Raises:
        DatasetError: naming all that are missing.
    """
    try:
        require_files(name, root, find_format(name).files)
    except DatasetError as error:
        raise DatasetError(f"{error}; {_instead(name, root)}") from None


def _instead(name: str, root: Path) -> str:
    kind = kind_at(root)
    if kind is None or not root.is_dir():
        return "nothing lies there" if kind is None else f"it is {kind.name}"
    near = [root.parent, *(root / entry for entry in names_in(root) if (root / entry).is_dir())]
    for folder in near:
        if _holds(folder, name):
            return f"they lie under {folder}: name that folder"
    for folder in (root, *near):
        if others := [other for other in BENCHMARKS if _holds(folder, other)]:
            is_here = f"{'it' if folder == root else folder} has the layout of {' and '.join(others)}"
            return f"{is_here}: name that benchmark" + ("" if folder == root else " and that folder")
    if any((root / file).exists() for file in BENCHMARKS[name].files):
        return "is everything unpacked? docs/data-and-weights.md says where each benchmark comes from"
    return f"it is {kind.name}{f': {kind.use}' if kind.use else ''}; name the folder that holds them by --root"


def _holds(folder: Path, name: str) -> bool:
    return all((folder / file).exists() for file in BENCHMARKS[name].files)


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
    benchmark = form.read(folder, split)
    return benchmark if name == "manifest" else with_listed_hashes(benchmark, folder)
