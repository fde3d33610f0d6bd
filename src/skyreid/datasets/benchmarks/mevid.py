"""MEVID: 158 people in 598 outfits, 33 ground cameras indoors and outdoors; the one set anybody may download."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from skyreid.datasets.benchmarks.benchmark_format import BenchmarkFormat, Counts, check_split
from skyreid.datasets.benchmarks.name_table import NameTable, add_test, add_train, read_names, tracklets_of_table
from skyreid.datasets.protocol import CROSS_CAMERA
from skyreid.datasets.survey import Survey, read_lines, require_files
from skyreid.errors import DatasetError
from skyreid.tracklet import Platform

NAME = "mevid"
QUERY_FILE = "query_IDX.txt"
HALVES = ("train", "test")
FILES = (*(f for half in HALVES for f in (f"{half}_name.txt", f"track_{half}_info.txt", f"bbox_{half}")), QUERY_FILE)

_CROP_NAME = re.compile(r"(?P<pid>\d{4})O\d+C(?P<camera>\d+)T\d+F\d+\.jpg")
_NUM_COLUMNS = 5
"""Start, end, person, outfit, camera."""


def survey(root: Path, split: int = 0) -> Survey:
    """Parse MEVID. A camid is the camera's number in the MEVA collection (330, 424, ...), not a position.

    Outfits are part of the crop names and are not kept: skyreid has no clothes-changing protocol.

    Source: the dataset's README. It counts rows and names from 0, and its own example (`0 9` = from line 0 to
    image 9) makes the ranges inclusive, as the single-frame tracklets in it demand.
    """
    check_split(NAME, split, num_splits=1)
    require_files(NAME, root, FILES)
    found = Survey(name=NAME, root=root, protocol=CROSS_CAMERA, image_trees=[root / f"bbox_{half}" for half in HALVES])
    train, test = (
        tracklets_of_table(
            found,
            NameTable(
                half=half,
                image_dir=f"bbox_{half}",
                names=read_names(root / f"{half}_name.txt"),
                rows=_read_numbers(root / f"track_{half}_info.txt", _NUM_COLUMNS)[:, [0, 1, 2, 4]],
            ),
            pid_and_camid_of_name=_pid_and_camid,
            platform_of_camid=_platform,
        )
        for half in HALVES
    )
    add_train(found, train)
    add_test(found, test, _read_numbers(root / QUERY_FILE, 1)[:, 0].tolist())
    return found


def _read_numbers(path: Path, num_columns: int) -> Int64[np.ndarray, "row column"]:
    """Read whole numbers in columns; the distribution writes them as 9.000000000000000000e+00."""
    rows: list[list[float]] = []
    for number, line in enumerate(read_lines(path), start=1):
        try:
            values = [float(word) for word in line.split()]
        except ValueError:
            values = []
        if len(values) != num_columns or not all(value.is_integer() for value in values):
            raise DatasetError(f"{path}: line {number} must be {num_columns} whole numbers; got {line!r}")
        rows.append(values)
    return np.array(rows, dtype=np.float64).reshape(len(rows), num_columns).astype(np.int64)


def _pid_and_camid(name: str) -> tuple[int, int] | None:
    match = _CROP_NAME.fullmatch(name)
    return (int(match["pid"]), int(match["camera"])) if match else None


def _platform(camid: int) -> Platform | None:
    return Platform.GROUND if camid >= 0 else None


FORMAT = BenchmarkFormat(
    survey=survey,
    published=Counts(
        identities=158,
        tracklets=8_092,
        train_identities=104,
        test_identities=54,
        train_tracklets=6_338,
        query_tracklets=316,
        gallery_tracklets=1_438,
    ),
    num_splits=1,
    cameras=33,
    terms="CC BY 4.0, as part of the MEVA collection; from https://mevadata.org.",
    source="Davila et al., MEVID: Multi-view Extended Videos with Identities, WACV 2023",
    files=FILES,
    layout=(
        "bbox_train/ and bbox_test/ with one folder per person (0201, ...) of crops like "
        "0201O003C330T004F00192.jpg; beside them train_name.txt, test_name.txt, track_train_info.txt, "
        "track_test_info.txt and query_IDX.txt."
    ),
)
