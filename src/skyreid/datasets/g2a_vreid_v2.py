"""G2A-VReID.v2: 5,605 people in 13 scenes by day and night; published without a protocol.

What is known: the numbers in the authors' README (5,605 people, 11,282 tracklets, 2.54 million images).
What is not: the files. Neither the README nor a paper describes them, and nobody has published a result. This
reader expects the layout of version 1, camera numbers included, and refuses anything else by name.

Since there is no published split, ours is declared: people are divided 1 : 2 by `divide_identities`, the
number of the split being the seed. What the files call train and test is ignored. Quote the hash of the
split with every score (`write_identity_split`).
"""

from dataclasses import replace
from pathlib import Path

from skyreid.datasets.benchmark import Benchmark
from skyreid.datasets.benchmark_format import BenchmarkFormat, Counts, check_split
from skyreid.datasets.g2a_vreid import platform_of_camid
from skyreid.datasets.identity_split import IdentitySplit, divide_identities, read_identity_split
from skyreid.datasets.parsing.mars_reader import MARS_FILES, survey_mars_layout
from skyreid.datasets.parsing.survey import FindingKind, Survey
from skyreid.datasets.protocol import GROUND_TO_AERIAL
from skyreid.tracklet import Platform

NAME = "g2a-vreid-v2"
NUM_SPLITS = 10


def read(root: Path, split: int = 0) -> Benchmark:
    """Read G2A-VReID.v2, divided by the declared split of this number; writes nothing.

    Raises:
        DatasetError: the folder does not have the layout of version 1 (MissingFrameError: frames are missing).
    """
    return survey(root, split).benchmark()


def read_with_split_file(root: Path, split_file: Path) -> Benchmark:
    """Read G2A-VReID.v2, divided by a split file.

    Raises:
        DatasetError: as `read`; also when the split file is damaged or speaks of other people.
    """
    found = _survey_undivided(root)
    return _divide(found, read_identity_split(split_file)).benchmark()


def declared_split(root: Path, split: int = 0) -> IdentitySplit:
    """Give the split of this number, by which `read` divides the people; to be written and quoted."""
    check_split(NAME, split, NUM_SPLITS)
    return divide_identities(_pids(_survey_undivided(root)), seed=split)


def survey(root: Path, split: int = 0) -> Survey:
    """Parse G2A-VReID.v2 with all findings; see `read`."""
    check_split(NAME, split, NUM_SPLITS)
    found = _survey_undivided(root)
    return _divide(found, divide_identities(_pids(found), seed=split))


def _survey_undivided(root: Path) -> Survey:
    return survey_mars_layout(NAME, root, platform_of_camid=platform_of_camid, protocol=GROUND_TO_AERIAL)


def _pids(found: Survey) -> set[int]:
    return {tracklet.pid for tracklet in (*found.train, *found.query, *found.gallery) if tracklet.pid > 0}


def _divide(found: Survey, split: IdentitySplit) -> Survey:
    """Deal the tracklets out anew; whoever has no identity goes to the gallery as a distractor."""
    everyone = sorted((*found.train, *found.query, *found.gallery), key=lambda tracklet: tracklet.tracklet_id)
    pids = _pids(found)
    unknown = sorted(pids.symmetric_difference((*split.train, *split.test)))
    if unknown:
        found.report(
            FindingKind.INCONSISTENT,
            "split file",
            f"must divide exactly the {len(pids)} people of the data; only one of the two has {unknown[:5]}",
        )
    train_pids = set(split.train)
    test_pids = pids - train_pids
    return replace(
        found,
        train=[t for t in everyone if t.pid in train_pids],
        query=[t for t in everyone if t.pid in test_pids and t.platform is Platform.GROUND],
        gallery=[t for t in everyone if t.pid not in train_pids and (t.pid <= 0 or t.platform is Platform.AERIAL)],
    )


FORMAT = BenchmarkFormat(
    read=read,
    survey=survey,
    # The README says 2.54 million images, which is no count to check against.
    published=Counts(identities=5_605, tracklets=11_282),
    num_splits=NUM_SPLITS,
    cameras=2,
    terms="Non-profit academic research; from https://github.com/FHR-L/G2A-VReID.",
    source="https://github.com/FHR-L/G2A-VReID, README of July 2025",
    files=MARS_FILES,
    layout=(
        "Unknown; the layout of g2a-vreid is expected. The split of the files is ignored: people are divided "
        "1 : 2 by the number of the split."
    ),
)
