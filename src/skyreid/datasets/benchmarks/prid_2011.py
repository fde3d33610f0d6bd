"""PRID 2011 (multi-shot): two ground cameras over a street, 200 people seen by both, ten splits."""

from pathlib import Path

from skyreid.datasets.benchmarks.benchmark_format import BenchmarkFormat, Counts, PaperRow, check_split
from skyreid.datasets.benchmarks.two_camera_folders import add_person, number_at_end
from skyreid.datasets.protocol import CROSS_CAMERA
from skyreid.datasets.survey import FindingKind, Survey, require_files
from skyreid.errors import DatasetError
from skyreid.files.strict_json import read_json

NAME = "prid-2011"
NUM_SPLITS = 10
NUM_SHARED_PEOPLE = 200
"""Only people 1 to 200 are the same in both cameras; above that, equal numbers are different people."""
SPLIT_FILE = "splits_prid2011.json"
CAMERA_DIRS = ("multi_shot/cam_a", "multi_shot/cam_b")
FILES = (SPLIT_FILE, *CAMERA_DIRS)


def survey(root: Path, split: int = 0) -> Survey:
    """Parse one of the ten splits of PRID 2011: camera A of the test people asks, camera B is searched.

    Source: METHOD section 8; the dataset's page (people above 200). Deviations: frames are sorted, and a pid
    is the number in the folder's name.
    """
    check_split(NAME, split, NUM_SPLITS)
    require_files(NAME, root, FILES)
    found = Survey(name=NAME, root=root, protocol=CROSS_CAMERA)
    train, test = _split(found, split)
    unused = [
        person for person in found.names_in(f"{root}/{CAMERA_DIRS[0]}").difference(train, test) if _is_shared(person)
    ]
    sides = (
        (train, found.train, found.train),
        (test, found.query, found.gallery),
        (unused, found.left_out, found.left_out),
    )
    for people, in_camera_a, in_camera_b in sides:
        for person in sorted(people):
            add_person(found, person, CAMERA_DIRS, (in_camera_a, in_camera_b), index_from_name=False)
            found.image_trees += [root / camera_dir / person for camera_dir in CAMERA_DIRS]
    return found


def _split(found: Survey, split: int) -> tuple[list[str], list[str]]:
    """Names of the folders of the people who train and test."""
    path = found.root / SPLIT_FILE
    try:
        splits = read_json(path)
        sides = list(splits[split]["train"]), list(splits[split]["test"])
    except (ValueError, LookupError, TypeError) as error:
        raise DatasetError(
            f"{path} must be a JSON list of at least {split + 1} splits with the lists train and test: {error!r}"
        ) from error
    usable: tuple[list[str], list[str]] = ([], [])
    for names, side in zip(sides, usable, strict=True):
        for name in names:
            if not isinstance(name, str) or "/" in name or not _is_shared(name):
                found.report(
                    FindingKind.INCONSISTENT,
                    SPLIT_FILE,
                    f"people 1 to {NUM_SHARED_PEOPLE} are in both cameras; split {split} names {name!r}",
                )
            elif name in (*usable[0], *usable[1]):
                found.report(FindingKind.OVERLAP, SPLIT_FILE, f"split {split} names {name!r} twice")
            else:
                side.append(name)
    return usable


def _is_shared(person: str) -> bool:
    return 1 <= (number_at_end(person) or 0) <= NUM_SHARED_PEOPLE


FORMAT = BenchmarkFormat(
    survey=survey,
    lists_frames=False,
    published=Counts(identities=200, tracklets=400, images=40_033, train_identities=89, test_identities=89),
    paper_row=PaperRow(
        identities=200,
        tracklets=400,
        images=40_033,
        average_duration_s=3.3,
        camera_views=2,
        camera_working_mode="ground fixed",
    ),
    num_splits=NUM_SPLITS,
    cameras=2,
    seconds_per_frame=1 / 30,  # as Table 1 reckons: 100.1 frames are 3.3 s
    terms="Research use; from the Institute of Computer Graphics and Vision, TU Graz.",
    source="Hirzer et al., Person Re-Identification by Descriptive and Discriminative Classification, SCIA 2011",
    files=FILES,
    layout=(
        "multi_shot/cam_a and multi_shot/cam_b with one folder per person (person_0001, ...) of .png frames; "
        "splits_prid2011.json, a list of ten splits {'train': [folders], 'test': [folders]} of the 178 people "
        "with long enough tracklets."
    ),
)
