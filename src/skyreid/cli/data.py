"""`skyreid data`: benchmarks on disk, and a build written as one."""

from pathlib import Path
from typing import Literal

from skyreid.cli.terminal import Bars, File, Name, Note, show_result
from skyreid.errors import NO_TRACKLETS, NothingFoundError


def data_list(*, json: bool = False) -> None:
    """List the benchmarks that can be read.

    Args:
        json: print JSON.
    """
    from skyreid.datasets.benchmarks import BENCHMARKS

    lines = [f"{name:14} {entry.terms}" for name, entry in BENCHMARKS.items()]
    show_result(Note(lines, {name: {"terms": entry.terms} for name, entry in BENCHMARKS.items()}), json=json)


def data_verify(
    name: Name, root: Path | None = None, *, split: int = 0, decode_images: bool = True, json: bool = False
) -> int:
    """Check a benchmark against its published counts; name what is wrong.

    Args:
        name: of `skyreid data list`; or a folder, without --root, that `skyreid build` or `skyreid data export` wrote.
        root: folder of the benchmark.
        split: of benchmarks with several splits.
        decode_images: decode every image; --no-decode-images is quicker and finds less.
        json: print JSON.
    """
    from skyreid.datasets.verification import verify

    name, root = _benchmark(name, root)
    with Bars() as bars:
        verification = verify(name, root, split=split, decode_images=decode_images, progress=bars)
    show_result(verification, json=json)
    if not verification.tracklets and not verification.findings:
        raise NothingFoundError(f"{root}: {NO_TRACKLETS}")
    return 0 if verification.is_ok else 1


def data_split(root: Path, out: Path, *, split: int = 0, json: bool = False) -> None:
    """Write the split of G2A-VReID.v2 that we declare, with its hash.

    Quote the hash beside a score made with it.

    Args:
        root: folder of G2A-VReID.v2.
        out: JSON file to write.
        split: number of the split, which is its seed.
        json: print JSON.
    """
    from skyreid.datasets.benchmarks.g2a_vreid_v2 import declared_split
    from skyreid.datasets.identity_split import write_identity_split

    declared = declared_split(root, split)
    sha256 = write_identity_split(out, declared)
    train, test = len(declared.train), len(declared.test)
    said = f"{train} people train, {test} are tested: {out}, sha256 {sha256}"
    content = {"train_identities": train, "test_identities": test, "file": str(out), "sha256": sha256}
    show_result(Note([said], content), json=json)


def data_stats(
    name: Name, root: Path | None = None, *, split: int = 0, picture: Path | None = None, json: bool = False
) -> None:
    """Give the numbers of the paper's Table 1 and Fig. 2.

    And the distributions of section 3.3.

    Args:
        name: of `skyreid data list`; or a folder, without --root, that `skyreid build` or `skyreid data export` wrote.
        root: folder of the benchmark.
        split: of benchmarks with several splits.
        picture: PNG of the distributions to write.
        json: print JSON.
    """
    from skyreid.datasets import read_benchmark
    from skyreid.datasets.statistics import benchmark_statistics
    from skyreid.datasets.statistics_picture import draw_statistics

    name, root = _benchmark(name, root)
    with Bars() as bars:
        statistics = benchmark_statistics(read_benchmark(name, root, split=split), progress=bars)
    if picture is not None:
        draw_statistics(statistics, picture)
    show_result(statistics, json=json)
    if not statistics.tracklets:
        raise NothingFoundError(f"{root}: {NO_TRACKLETS}")


def _benchmark(name: str, root: Path | None) -> tuple[str, Path]:
    """The benchmark that is meant: by its name and folder, or by a folder that tells what it is."""
    from skyreid.datasets.benchmarks.mars_layout import QUERY_FILE
    from skyreid.datasets.manifest import MANIFEST_FILE
    from skyreid.errors import DatasetError
    from skyreid.files.file_kinds import kind_at

    if root is not None:
        return name, root
    folder = Path(name)
    for file, benchmark in ((QUERY_FILE, "g2a-vreid"), (MANIFEST_FILE, "manifest")):
        if (folder / file).is_file():
            return benchmark, folder
    kind = kind_at(folder)
    raise DatasetError(
        f"{name}: {'nothing lies there' if kind is None else f'it is {kind.name}'}, no folder with {MANIFEST_FILE} or "
        f"{QUERY_FILE}; name a benchmark and its folder: NAME --root FOLDER (skyreid data list)"
    )


def data_export(
    folder: File,
    out: Path,
    *,
    format: Literal["mot", "cvat", "g2a", "mars"],
    seed: int | None = None,
    json: bool = False,
) -> None:
    """Write a build as annotations or in a benchmark's layout.

    Args:
        folder: what `skyreid build` made.
        out: folder to write.
        format: mot or cvat, one file of boxes for each video; g2a or mars, crops and split.
        seed: of the split of g2a and mars; 0 when not given.
        json: print JSON.
    """
    with Bars() as bars:
        if format == "mot" or format == "cvat":
            from skyreid.building.export import export_annotations
            from skyreid.errors import SettingError

            if seed is not None:
                raise SettingError(f"--seed means nothing to --format {format}, which splits nobody")
            files = [str(path) for path in export_annotations(folder, out, format, progress=bars)]
            result = Note([f"written: {file}" for file in files], {"format": format, "files": files})
        else:
            from skyreid.building.export import export_layout

            result = export_layout(folder, out, layout=format, seed=seed or 0, progress=bars)
    show_result(result, json=json)
