"""Reading the folder layout that MARS and G2A-VReID share; `datasets/mars_layout.py` describes and writes it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from skyreid.datasets.mars_layout import JUNK_FOLDER, QUERY_FILE, QUERY_KEY, TEST, TRAIN, MarsHalf
from skyreid.datasets.parsing.mat_file import read_matrix
from skyreid.datasets.parsing.name_table import NameTable, add_test, add_train, read_names, tracklets_of_table
from skyreid.datasets.parsing.survey import Survey, require_files
from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.errors import DatasetError
from skyreid.tracklet import JUNK_PID, Platform

MARS_FILES = (
    TRAIN.name_file,
    TEST.name_file,
    TRAIN.table_file,
    TEST.table_file,
    QUERY_FILE,
    TRAIN.image_dir,
    TEST.image_dir,
)


def survey_mars_layout(
    name: str,
    root: Path,
    *,
    platform_of_camid: Callable[[int], Platform | None],
    protocol: EvaluationProtocol,
) -> Survey:
    """Parse a MARS layout: rows of pid -1 are left out, pid 0 stays in the gallery, camids count from 0.

    Raises:
        DatasetError: a file of the layout is missing or is not what it should be.

    Source: METHOD section 8.
    """
    require_files(name, root, MARS_FILES)
    survey = Survey(
        name=name, root=root, protocol=protocol, image_trees=[root / TRAIN.image_dir, root / TEST.image_dir]
    )
    train, test = (
        tracklets_of_table(
            survey,
            _read_half(root, label, half),
            pid_and_camid_of_name=_pid_and_camid,
            platform_of_camid=platform_of_camid,
        )
        for label, half in (("train", TRAIN), ("test", TEST))
    )
    add_train(survey, train)
    query_rows = read_matrix(root / QUERY_FILE, QUERY_KEY).reshape(-1) - 1
    add_test(survey, test, query_rows.tolist())
    return survey


def _read_half(root: Path, label: str, half: MarsHalf) -> NameTable:
    rows = read_matrix(root / half.table_file, half.table_key)
    if rows.shape[1] != 4:
        raise DatasetError(f"{root / half.table_file}: rows are (start, end, pid, camera); got {rows.shape[1]} columns")
    return NameTable(
        half=label,
        image_dir=half.image_dir,
        names=read_names(root / half.name_file),
        rows=rows - np.array([1, 1, 0, 1], dtype=np.int64),
    )


def _pid_and_camid(name: str) -> tuple[int, int] | None:
    """Characters 0-3 are the pid and character 5 the camera, whatever follows."""
    pid, camera = name[:4], name[5:6]
    if not camera.isdecimal() or not (pid == JUNK_FOLDER or pid.isdecimal()):
        return None
    return (JUNK_PID if pid == JUNK_FOLDER else int(pid)), int(camera) - 1
