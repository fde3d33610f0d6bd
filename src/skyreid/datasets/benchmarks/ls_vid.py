"""LS-VID: 3,772 people, 15 ground cameras indoors and outdoors, four days."""

import math
import re
from bisect import bisect_left
from functools import partial
from itertools import islice, takewhile
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Shaped

from skyreid.datasets.benchmarks.benchmark_format import BenchmarkFormat, Counts, PaperRow, check_split
from skyreid.datasets.protocol import CROSS_CAMERA
from skyreid.datasets.survey import FindingKind, Survey, read_lines, require_files
from skyreid.errors import DatasetError
from skyreid.files.regular_file import open_regular
from skyreid.tracklet import Frame, Platform, Tracklet

NUM_CAMERAS = 15
TRAIN_FILE = "list_sequence/list_seq_train.txt"
TEST_FILE = "list_sequence/list_seq_test.txt"
QUERY_FILE = "test/data/info_test.mat"
FILES = (TRAIN_FILE, TEST_FILE, QUERY_FILE)
QUERY_KEY = "query"
RELEASE_PIECE_FRAMES = 48
"""METHOD section 8: the released program trains on pieces of this length; the paper does not say so."""

_MOST_CHUNK = 2**20
"""Numbers that are unpacked at once; files of few rows may be stored in larger pieces than they fill."""
_LINE = re.compile(r"(?P<prefix>\S.*?)\s+(?P<pid>\d+)\s*")


def survey(root: Path, split: int = 0, *, training_piece_frames: int | None = None) -> Survey:
    """Parse LS-VID. The validation people are not used.

    Args:
        root: the folder that holds list_sequence/.
        split: 0, the only one.
        training_piece_frames: cut every training tracklet in pieces of so many frames, the last of which
            takes the remainder; None = whole tracklets. Pieces have ids like train-00007#2.

    Source: METHOD section 8. Deviation: pids are integers; nothing is cached in the root.
    """
    if training_piece_frames is not None and training_piece_frames < 1:
        raise ValueError(f"training_piece_frames must be at least 1; got {training_piece_frames}")
    name = "ls-vid" if training_piece_frames is None else f"ls-vid-{training_piece_frames}"
    check_split(name, split, num_splits=1)
    require_files(name, root, FILES)
    found = Survey(name=name, root=root, protocol=CROSS_CAMERA)
    owners: dict[str, str] = {}
    train = _tracklets(found, TRAIN_FILE, "train", owners)
    test = _tracklets(found, TEST_FILE, "test", owners)
    found.image_trees = [Path(folder) for folder in sorted({path.rpartition("/")[0] for path in found.listed})]
    found.train = [piece for t in train if t for piece in _pieces(t, training_piece_frames)]
    asking = _query_rows(found, len(test))
    for row, tracklet in enumerate(test):
        if tracklet is not None:
            (found.query if row in asking else found.gallery).append(tracklet)
    return found


def _tracklets(found: Survey, file: str, half: str, owners: dict[str, str]) -> list[Tracklet | None]:
    """Parse lines of `<path prefix> <pid>`; the frames are the files that start with the prefix, sorted."""
    tracklets: list[Tracklet | None] = []
    in_folder: dict[str, list[str]] = {}
    for row, line in enumerate(read_lines(found.root / file)):
        subject = f"{half} row {row}"
        match = _LINE.fullmatch(line)
        if match is None:
            raise DatasetError(f"{found.root / file}: line {row + 1} must be '<path prefix> <pid>'; got {line!r}")
        below, _, start = match["prefix"].lstrip("/").rpartition("/")
        if ".." in below.split("/"):
            raise DatasetError(f"{found.root / file}: line {row + 1} leaves the root: {line!r}")
        folder = f"{found.root}/{below}" if below else str(found.root)
        if folder not in in_folder:
            in_folder[folder] = sorted(found.names_in(folder))
        names = _starting_with(in_folder[folder], start)
        tracklets.append(_tracklet(found, folder, names, f"{half}-{row:05d}", int(match["pid"]), subject))
        if not names:
            found.report(FindingKind.MISSING_FILE, match["prefix"], "no frame starts with this prefix")
        for name in names:
            owner = owners.setdefault(f"{folder}/{name}", subject)
            if owner != subject:
                found.report(FindingKind.OVERLAP, subject, f"{name} belongs to {owner} as well")
                break
    return tracklets


def _starting_with(names: list[str], start: str) -> list[str]:
    """Find the names with this start in a sorted list."""
    first = bisect_left(names, start)
    return list(takewhile(lambda name: name.startswith(start), islice(names, first, None)))


def _tracklet(
    found: Survey, folder: str, names: list[str], tracklet_id: str, pid: int, subject: str
) -> Tracklet | None:
    """Build the tracklet of these frames; None when there is none or when their camera is unclear."""
    frames = tuple(Frame(found.list_image(folder, name)) for name in names)
    cameras = sorted({_camera(name) for name in names})
    if not frames:
        return None
    if len(cameras) > 1:
        found.report(FindingKind.INCONSISTENT, subject, f"its frames name {len(cameras)} cameras, {names[0]} first")
        return None
    if not 1 <= cameras[0] <= NUM_CAMERAS:
        found.report(
            FindingKind.INDEX_OUT_OF_RANGE,
            subject,
            f"the third '_' field of {names[0]} must be a camera from 1 to {NUM_CAMERAS}",
        )
        return None
    return Tracklet(tracklet_id=tracklet_id, frames=frames, pid=pid, camid=cameras[0] - 1, platform=Platform.GROUND)


def _camera(name: str) -> int:
    """Camera number from 1 in a frame's name; 0 when there is none."""
    fields = Path(name).stem.split("_")
    return int(fields[2]) if len(fields) > 2 and fields[2].isdecimal() else 0


def _pid(name: str) -> int | None:
    """Identity in a frame's name: the first '_' field."""
    start = name.partition("_")[0]
    return int(start) if start.isdecimal() else None


def _pieces(tracklet: Tracklet, piece_frames: int | None) -> list[Tracklet]:
    if piece_frames is None:
        return [tracklet]
    starts = [number * piece_frames for number in range(max(len(tracklet.frames) // piece_frames, 1))]
    ends = [*starts[1:], len(tracklet.frames)]
    return [
        Tracklet(
            tracklet_id=f"{tracklet.tracklet_id}#{number}",
            frames=tracklet.frames[start:end],
            pid=tracklet.pid,
            camid=tracklet.camid,
            platform=tracklet.platform,
        )
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def _query_rows(found: Survey, num_rows: int) -> set[int]:
    """Read the 1-based test rows that ask, as a set of rows from 0."""
    path = found.root / QUERY_FILE
    try:
        with open_regular(path), h5py.File(path, "r") as file:  # HDF5 would wait at a pipe
            content = _one_row(file, path, most=num_rows)
    except DatasetError:
        raise
    except (OSError, KeyError, ValueError, RuntimeError) as error:  # as h5py says it of a damaged file
        raise DatasetError(f"{path} must be an HDF5 file with the dataset {QUERY_KEY}: {error}") from error
    if not (content[0] == np.trunc(content[0])).all():
        raise DatasetError(f"{path}: {QUERY_KEY} must hold whole row numbers; got {content[0].tolist()[:5]}")
    rows: set[int] = set()
    for row in (content[0].astype(np.int64) - 1).tolist():
        if not 0 <= row < num_rows:
            found.report(FindingKind.INDEX_OUT_OF_RANGE, f"query row {row}", f"the test list has {num_rows} rows")
        elif row in rows:
            found.report(FindingKind.OVERLAP, f"query row {row}", "stands twice among the queries")
        rows.add(row)
    return rows


def _one_row(file: h5py.File, path: Path, *, most: int) -> Shaped[np.ndarray, "1 query"]:
    """Read the query numbers from this very file, after its claims about them were looked at."""
    link, stored = file.get(QUERY_KEY, getlink=True), file[QUERY_KEY]
    if not isinstance(link, h5py.HardLink) or not isinstance(stored, h5py.Dataset):
        raise DatasetError(f"{path}: {QUERY_KEY} must be a dataset of the file itself; got {type(link).__name__}")
    if stored.external or stored.is_virtual:
        raise DatasetError(f"{path}: {QUERY_KEY} must lie in the file itself; it names other files")
    if stored.ndim != 2 or stored.shape[0] != 1 or stored.dtype.kind not in "iuf":
        raise DatasetError(f"{path}: {QUERY_KEY} must be one row of numbers; got {stored.dtype} {stored.shape}")
    size = math.prod(stored.shape)
    longest = max(size, math.prod(stored.chunks or (0,)))  # a chunk is unpacked whole
    if size > most or longest > max(most, _MOST_CHUNK):
        raise DatasetError(f"{path}: {QUERY_KEY} claims {longest:,} numbers; the test list has {most:,} rows")
    return np.asarray(stored)


def _format(training_piece_frames: int | None, training_note: str) -> BenchmarkFormat:
    return BenchmarkFormat(
        survey=partial(survey, training_piece_frames=training_piece_frames),
        # Table 1 counts the 200 people of the validation set too, which this reader does not use.
        lists_frames=False,
        pid_of_name=_pid,
        published=Counts(train_identities=842, test_identities=2_730),
        paper_row=PaperRow(
            identities=3_772,
            tracklets=14_943,
            images=2_982_685,
            average_duration_s=6.7,
            camera_views=15,
            camera_working_mode="ground fixed",
        ),
        num_splits=1,
        cameras=NUM_CAMERAS,
        seconds_per_frame=1 / 30,  # as Table 1 reckons: 199.6 frames are 6.7 s
        terms="Research use after a signed release agreement, by e-mail to the authors.",
        source="Li et al., Global-Local Temporal Representations for Video Person Re-Identification, ICCV 2019",
        files=FILES,
        layout=(
            "list_sequence/list_seq_train.txt and list_seq_test.txt with lines '<path prefix> <pid>'; the frames "
            "are the files that start with a prefix, their third '_' field is the camera; test/data/info_test.mat "
            f"(HDF5) with the 1-based query rows. {training_note}"
        ),
    )


FORMAT = _format(None, "Training tracklets are whole.")
FORMAT_48 = _format(
    RELEASE_PIECE_FRAMES,
    f"Training tracklets are cut in pieces of {RELEASE_PIECE_FRAMES} frames, as the released program does.",
)
