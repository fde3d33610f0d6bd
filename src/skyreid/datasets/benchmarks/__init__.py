"""The benchmarks that skyreid reads: one file each, with a `FORMAT` that stands in `BENCHMARKS`; and what they share.

A reader fills a `Survey` (`datasets/survey.py`) with tracklets and with everything that is wrong. `mars_layout`,
`name_table`, `two_camera_folders` and `mat_file` are ways to keep tracklets that several benchmarks have in common.
"""

from pathlib import Path

from skyreid.arguments import find_named
from skyreid.datasets.benchmarks import (
    g2a_vreid,
    g2a_vreid_v2,
    ilids_vid,
    ls_vid,
    manifest_benchmark,
    mars,
    mevid,
    prid_2011,
)
from skyreid.datasets.benchmarks.benchmark_format import BenchmarkFormat
from skyreid.datasets.survey import require_files
from skyreid.errors import DatasetError
from skyreid.files.file_kinds import kind_at
from skyreid.files.regular_file import names_in

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
