"""What is known about a published benchmark: how to read it, what must be in it, and on which terms."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from skyreid.datasets.survey import Survey
from skyreid.errors import DatasetError


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Numbers of things in a benchmark; None where nobody has published, or nothing was found."""

    identities: int | None = None
    """Distinct people: neither junk nor the distractors of a test set."""
    tracklets: int | None = None
    """All that the distribution lists, junk and people outside the split included."""
    images: int | None = None
    """Listed frames that are there."""
    train_identities: int | None = None
    test_identities: int | None = None
    train_tracklets: int | None = None
    query_tracklets: int | None = None
    gallery_tracklets: int | None = None
    """Without junk, and without the queries."""


@dataclass(frozen=True, kw_only=True)
class PaperRow:
    """A benchmark's column in Table 1 of the paper; it counts the collection, not always what one downloads."""

    identities: int
    tracklets: int
    images: int
    average_duration_s: float
    camera_views: int
    camera_working_mode: str


@dataclass(frozen=True, kw_only=True)
class BenchmarkFormat:
    """One readable benchmark."""

    survey: Callable[[Path, int], Survey]
    """Parses the root folder by the number of the split, with all findings; raises DatasetError where a file of the
    layout is missing or is not what it should be."""
    published: Counts
    """What an intact copy must hold; only numbers that somebody has published."""
    paper_row: PaperRow | None = None
    lists_frames: bool = True
    """False: a tracklet is whatever files are there; only a gap in their numbers tells that one is missing."""
    pid_of_name: Callable[[str], int | None] | None = None
    """Identity that a frame's name tells, where the layout does not check it anyway."""
    num_splits: int
    cameras: int | None
    """Camera views; None where the data decide."""
    seconds_per_frame: float | None = None
    """Time from one frame of a tracklet to the next; None where it is not known."""
    terms: str
    """Licence or way of access, in one sentence."""
    source: str
    """Citation."""
    files: tuple[str, ...]
    """Files and folders that lie under the root; those of another benchmark lie under none of this."""
    layout: str
    """The files expected under the root, in words."""


def check_split(name: str, split: int, num_splits: int) -> None:
    """Refuse a split number that the benchmark does not have.

    Raises:
        DatasetError: naming the numbers it has.
    """
    if not 0 <= split < num_splits:
        raise DatasetError(f"{name}: split must be from 0 to {num_splits - 1}; got {split}")
