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

from skyreid.datasets.benchmarks.benchmark_format import BenchmarkFormat, Counts, check_split
from skyreid.datasets.benchmarks.g2a_vreid import platform_of_camid
from skyreid.datasets.benchmarks.mars_layout import MARS_FILES, survey_mars_layout
from skyreid.datasets.identity_split import IdentitySplit, divide_identities
from skyreid.datasets.protocol import GROUND_TO_AERIAL
from skyreid.datasets.survey import Survey
from skyreid.tracklet import Platform

NAME = "g2a-vreid-v2"
NUM_SPLITS = 10


def survey(root: Path, split: int = 0) -> Survey:
    """Parse G2A-VReID.v2, divided by the declared split of this number; writes nothing.

    The tracklets are dealt out anew; whoever has no identity goes to the gallery as a distractor.
    """
    check_split(NAME, split, NUM_SPLITS)
    found = _survey_undivided(root)
    everyone = sorted((*found.train, *found.query, *found.gallery), key=lambda tracklet: tracklet.tracklet_id)
    train_pids = set(_divide(found, split).train)
    tested = [t for t in everyone if t.pid not in train_pids]
    return replace(
        found,
        train=[t for t in everyone if t.pid in train_pids],
        query=[t for t in tested if t.pid > 0 and t.platform is Platform.GROUND],
        gallery=[t for t in tested if t.pid <= 0 or t.platform is Platform.AERIAL],
    )


def declared_split(root: Path, split: int = 0) -> IdentitySplit:
    """Give the split of this number, by which `read` divides the people; to be written and quoted."""
    check_split(NAME, split, NUM_SPLITS)
    return _divide(_survey_undivided(root), split)


def _survey_undivided(root: Path) -> Survey:
    return survey_mars_layout(NAME, root, platform_of_camid=platform_of_camid, protocol=GROUND_TO_AERIAL)


def _divide(found: Survey, split: int) -> IdentitySplit:
    pids = {tracklet.pid for tracklet in (*found.train, *found.query, *found.gallery) if tracklet.pid > 0}
    return divide_identities(pids, seed=split)


FORMAT = BenchmarkFormat(
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
