"""The folder layout that MARS introduced and G2A-VReID took over: its names, a reader and a writer.

    info/train_name.txt         one crop name per line
    info/test_name.txt
    info/tracks_train_info.mat  track_train_info: rows (start, end, pid, camera), 1-based, inclusive
    info/tracks_test_info.mat   track_test_info: the same for the test names
    info/query_IDX.mat          query_IDX: 1-based rows of the test table that ask
    bbox_train/0001/0001C1T0001F001.jpg
    bbox_test/...
    written-by-skyreid.txt      only where we wrote the folder
    manifest.jsonl              the same, with what the layout has no place for: times, boxes, attributes

In a crop name `C` is the camera, `T` the tracklet counted per identity, `F` the frame counted per
tracklet; all from 1.

Source: METHOD section 8; the MARS distribution's own description.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from skyreid.datasets.benchmarks.mat_file import read_matrix, write_matrix
from skyreid.datasets.benchmarks.name_table import NameTable, add_test, add_train, read_names, tracklets_of_table
from skyreid.datasets.data_hash import read_unchanged
from skyreid.datasets.manifest import MANIFEST_FILE, write_manifest
from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.datasets.survey import Survey, require_files
from skyreid.errors import DatasetError, MissingFrameError
from skyreid.files.atomic_file import new_folder, sweep_leftovers
from skyreid.files.regular_file import bytes_sha256
from skyreid.processes.progress import Progress, silent
from skyreid.tracklet import DISTRACTOR_PID, JUNK_PID, Frame, Platform, Tracklet


@dataclass(frozen=True, kw_only=True)
class MarsHalf:
    """Where one half of the layout keeps its crops, its names and its tracklets."""

    image_dir: str
    name_file: str
    table_file: str
    table_key: str


TRAIN = MarsHalf(
    image_dir="bbox_train",
    name_file="info/train_name.txt",
    table_file="info/tracks_train_info.mat",
    table_key="track_train_info",
)
TEST = MarsHalf(
    image_dir="bbox_test",
    name_file="info/test_name.txt",
    table_file="info/tracks_test_info.mat",
    table_key="track_test_info",
)
QUERY_FILE = "info/query_IDX.mat"
QUERY_KEY = "query_IDX"
MARS_FILES = (
    TRAIN.name_file,
    TEST.name_file,
    TRAIN.table_file,
    TEST.table_file,
    QUERY_FILE,
    TRAIN.image_dir,
    TEST.image_dir,
)
JUNK_FOLDER = "00-1"
"""MARS writes the junk identity -1 as these four characters."""


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


OWN_FILE = "written-by-skyreid.txt"
"""Lies in every folder that we write, so that nobody takes it for the published benchmark."""
_OWN_TEXT = (
    "Written by skyreid in the layout of MARS and G2A-VReID. This is not the published benchmark: "
    "'skyreid data verify' compares none of its counts with published ones.\n"
)
_MAX_PID = 9999
_MAX_CAMID = 8


def write_mars_layout(
    root: Path,
    *,
    train: Sequence[Tracklet],
    query: Sequence[Tracklet],
    gallery: Sequence[Tracklet],
    info: Mapping[str, object] | None = None,
    progress: Progress = silent,
) -> None:
    """Write tracklets as a G2A-VReID / MARS folder that any program of the field can read.

    The crops are copied. The folder appears under its name only when it is complete, and the same
    tracklets give the same bytes. The test table lists the queries first, then the gallery. `info` goes into the
    header of the manifest.

    Raises:
        DatasetError: `root` is there already, or the layout cannot hold a tracklet: a pid that does not fit
            four digits, a camid above 8, a crop that is not a JPEG file, a training identity that is
            tested too or is junk.
        MissingFrameError: a crop to copy is not there.
        ChangedFrameError: it is another picture than the one that was listed.
    """
    sweep_leftovers(root.parent, root.name)  # also where the folder is complete, and only its writer's traces are left
    if root.exists():
        raise DatasetError(f"{root} must not exist yet: the layout is written as one new folder; remove or rename it")
    _refuse_what_does_not_fit(train, (*query, *gallery))
    with new_folder(root) as staging:
        (staging / "info").mkdir()
        total = sum(len(tracklet.frames) for tracklet in (*train, *query, *gallery))
        trained = _write_half(staging, TRAIN, train, progress, done=0, total=total)
        done = sum(len(tracklet.frames) for tracklet in train)
        tested = _write_half(staging, TEST, (*query, *gallery), progress, done=done, total=total)
        write_matrix(staging / QUERY_FILE, QUERY_KEY, np.arange(1, len(query) + 1, dtype=np.int32)[None, :])
        write_manifest(staging / MANIFEST_FILE, [*trained, *tested], info)
        (staging / OWN_FILE).write_text(_OWN_TEXT, encoding="ascii")


def _refuse_what_does_not_fit(train: Sequence[Tracklet], test: Sequence[Tracklet]) -> None:
    for tracklet in (*train, *test):
        if not JUNK_PID <= tracklet.pid <= _MAX_PID:
            raise DatasetError(
                f"tracklet {tracklet.tracklet_id!r}: a MARS crop name holds pids from 0 to {_MAX_PID} "
                f"(and -1 for junk); got {tracklet.pid}"
            )
        if not 0 <= tracklet.camid <= _MAX_CAMID:
            raise DatasetError(
                f"tracklet {tracklet.tracklet_id!r}: a MARS crop name holds camids from 0 to {_MAX_CAMID}; "
                f"got {tracklet.camid}"
            )
        for frame in tracklet.frames:
            if Path(frame.path).suffix.lower() not in (".jpg", ".jpeg"):
                raise DatasetError(
                    f"tracklet {tracklet.tracklet_id!r}: MARS crops are .jpg files; got {frame.path!r}; "
                    "save the crops as JPEG first"
                )
    for tracklet in train:
        if tracklet.pid in (JUNK_PID, DISTRACTOR_PID):
            raise DatasetError(
                f"tracklet {tracklet.tracklet_id!r}: a training identity has a pid from 1; got {tracklet.pid}"
            )
    shared = sorted({t.pid for t in train} & {t.pid for t in test})
    if shared:
        raise DatasetError(f"train and test identities must be disjoint; both have {shared[:5]}")


def _write_half(
    root: Path, half: MarsHalf, tracklets: Sequence[Tracklet], progress: Progress, *, done: int, total: int
) -> list[Tracklet]:
    """Copy the crops of one half, write its names and its table; returns the tracklets as they lie there."""
    names: list[str] = []
    written: list[Tracklet] = []
    rows = np.zeros((len(tracklets), 4), dtype=np.int32)
    numbers: Counter[int] = Counter()
    (root / half.image_dir).mkdir()
    for row, tracklet in enumerate(tracklets):
        pid = JUNK_FOLDER if tracklet.pid == JUNK_PID else f"{tracklet.pid:04d}"
        numbers[tracklet.pid] += 1
        folder = root / half.image_dir / pid
        folder.mkdir(exist_ok=True)
        start = len(names) + 1
        frames: list[Frame] = []
        for number, frame in enumerate(tracklet.frames, start=1):
            name = f"{pid}C{tracklet.camid + 1}T{numbers[tracklet.pid]:04d}F{number:03d}.jpg"
            try:
                crop = read_unchanged(frame)
            except FileNotFoundError as error:
                raise MissingFrameError(f"tracklet {tracklet.tracklet_id!r}: {frame.path!r} is not there") from error
            (folder / name).write_bytes(crop)
            names.append(name)
            frames.append(replace(frame, path=str(folder / name), sha256=bytes_sha256(crop)))
        written.append(replace(tracklet, frames=tuple(frames)))
        rows[row] = start, len(names), tracklet.pid, tracklet.camid + 1
        progress("copy crops", done + len(names), total, tracklet.tracklet_id)
    (root / half.name_file).write_text("".join(f"{name}\n" for name in names), encoding="ascii")
    write_matrix(root / half.table_file, half.table_key, rows)
    return written
