"""iLIDS-VID: 300 people in an airport hall, two ground cameras, ten splits."""

import re
from pathlib import Path

from skyreid.datasets.benchmarks.benchmark_format import BenchmarkFormat, Counts, PaperRow, check_split
from skyreid.datasets.benchmarks.mat_file import read_matrix
from skyreid.datasets.benchmarks.two_camera_folders import add_person
from skyreid.datasets.protocol import CROSS_CAMERA
from skyreid.datasets.survey import FindingKind, Survey, require_files

NAME = "ilids-vid"
NUM_SPLITS = 10
CAMERA_DIRS = ("i-LIDS-VID/sequences/cam1", "i-LIDS-VID/sequences/cam2")
SPLIT_FILE = "train-test people splits/train_test_splits_ilidsvid.mat"
FILES = (*CAMERA_DIRS, SPLIT_FILE)
SPLIT_KEY = "ls_set"


def survey(root: Path, split: int = 0) -> Survey:
    """Parse one of the ten splits of iLIDS-VID: camera 1 of the test people asks, camera 2 is searched.

    Source: METHOD section 8. Deviations: the split's numbers count in the SORTED list of people (the released
    program takes the file system's order, so its splits differ from machine to machine), frames are sorted,
    and a pid is the number in the folder's name.
    """
    check_split(NAME, split, NUM_SPLITS)
    require_files(NAME, root, FILES)
    found = Survey(name=NAME, root=root, protocol=CROSS_CAMERA, image_trees=[root / folder for folder in CAMERA_DIRS])
    people = sorted(found.names_in(f"{root}/{CAMERA_DIRS[0]}"))
    numbers = _split_row(found, split, len(people))
    half = len(numbers) // 2
    for number in sorted(numbers[:half]):
        sides = (found.query, found.gallery)
        add_person(found, people[number], CAMERA_DIRS, sides, index_from_name=True)
    for number in sorted(numbers[half:]):
        sides = (found.train, found.train)
        add_person(found, people[number], CAMERA_DIRS, sides, index_from_name=True)
    return found


def _split_row(found: Survey, split: int, num_people: int) -> list[int]:
    """Numbers (from 0) of the people, the first half of which tests; only numbers that can be used."""
    table = read_matrix(found.root / SPLIT_FILE, SPLIT_KEY)
    if split >= table.shape[0]:
        found.report(
            FindingKind.INDEX_OUT_OF_RANGE, SPLIT_FILE, f"has {table.shape[0]} splits; split {split} was asked for"
        )
        return []
    row = (table[split] - 1).tolist()
    if len(row) != num_people:
        found.report(
            FindingKind.INCONSISTENT,
            SPLIT_FILE,
            f"divides {len(row)} people, {CAMERA_DIRS[0]} holds {num_people}; its numbers would mean others",
        )
    usable: list[int] = []
    for number in row:
        if not 0 <= number < num_people:
            detail = f"split {split} names person {number} (from 0) of {num_people}"
            found.report(FindingKind.INDEX_OUT_OF_RANGE, SPLIT_FILE, detail)
        elif number in usable:
            found.report(FindingKind.OVERLAP, SPLIT_FILE, f"split {split} names person {number} (from 0) twice")
        else:
            usable.append(number)
    return usable


def _pid(name: str) -> int | None:
    """Identity in a frame's name, cam1_person001_00317.png; the person's folder is called the same."""
    match = re.match(r"cam\d_person(\d+)_", name)
    return int(match[1]) if match else None


FORMAT = BenchmarkFormat(
    survey=survey,
    lists_frames=False,
    pid_of_name=_pid,
    published=Counts(identities=300, tracklets=600, images=42_460, train_identities=150, test_identities=150),
    paper_row=PaperRow(
        identities=300,
        tracklets=600,
        images=42_460,
        average_duration_s=2.4,
        camera_views=2,
        camera_working_mode="ground fixed",
    ),
    num_splits=NUM_SPLITS,
    cameras=2,
    seconds_per_frame=1 / 30,  # as Table 1 reckons: 70.8 frames are 2.4 s
    terms="Made from the UK Home Office i-LIDS data; research use on the authors' terms.",
    source="Wang et al., Person Re-Identification by Video Ranking, ECCV 2014",
    files=FILES,
    layout=(
        "i-LIDS-VID/sequences/cam1 and cam2 with one folder per person of .png frames; "
        "'train-test people splits/train_test_splits_ilidsvid.mat' with ls_set, one split of the people a row."
    ),
)
