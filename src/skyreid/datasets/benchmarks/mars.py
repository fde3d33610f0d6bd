"""MARS: 1,261 pedestrians on a campus, six ground cameras, tracklets found by a detector and a tracker."""

from pathlib import Path

from skyreid.datasets.benchmarks.benchmark_format import BenchmarkFormat, Counts, PaperRow, check_split
from skyreid.datasets.benchmarks.mars_layout import MARS_FILES, survey_mars_layout
from skyreid.datasets.protocol import MARS
from skyreid.datasets.survey import Survey
from skyreid.tracklet import Platform

NUM_CAMERAS = 6


def survey(root: Path, split: int = 0) -> Survey:
    """Parse MARS; its protocol puts the queries into the gallery, or 140 of them have no match.

    Source: METHOD sections 8 and 9.
    """
    check_split("mars", split, num_splits=1)
    return survey_mars_layout("mars", root, platform_of_camid=_platform, protocol=MARS)


def _platform(camid: int) -> Platform | None:
    return Platform.GROUND if 0 <= camid < NUM_CAMERAS else None


FORMAT = BenchmarkFormat(
    survey=survey,
    # What the download holds, which is not what Table 1 says (20,715 tracklets, 1,067,516 images). The 12,180
    # test tracklets are 1,980 queries, 9,330 of the gallery and 870 of junk.
    published=Counts(
        tracklets=20_478,
        images=1_191_003,
        train_identities=625,
        train_tracklets=8_298,
        query_tracklets=1_980,
        gallery_tracklets=9_330,
    ),
    paper_row=PaperRow(
        identities=1_261,
        tracklets=20_715,
        images=1_067_516,
        average_duration_s=5.6,
        camera_views=6,
        camera_working_mode="ground fixed",
    ),
    num_splits=1,
    cameras=NUM_CAMERAS,
    terms="Research use; downloaded from the authors, the info folder from their MARS-evaluation repository.",
    source="Zheng et al., MARS: A Video Benchmark for Large-Scale Person Re-identification, ECCV 2016",
    files=MARS_FILES,
    layout=(
        "bbox_train/ and bbox_test/ with one folder per identity (0001, ..., 0000 distractors, 00-1 junk) of "
        "crops like 0001C1T0001F001.jpg; info/ with train_name.txt, test_name.txt, tracks_train_info.mat, "
        "tracks_test_info.mat and query_IDX.mat."
    ),
)
