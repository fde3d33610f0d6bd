"""G2A-VReID: 2,788 people, each seen once by a ground camera and once by a drone 20 to 60 m up."""

from pathlib import Path

from skyreid.datasets.benchmarks.benchmark_format import BenchmarkFormat, Counts, PaperRow, check_split
from skyreid.datasets.benchmarks.mars_layout import MARS_FILES, survey_mars_layout
from skyreid.datasets.protocol import GROUND_TO_AERIAL
from skyreid.datasets.survey import FindingKind, Survey
from skyreid.tracklet import PLATFORMS, Platform

SECONDS_PER_FRAME = 0.5
"""Paper section 3.1."""


def platform_of_camid(camid: int) -> Platform | None:
    """Say which platform carries a camera (from 0): 0 is the ground camera, 1 the drone.

    Neither the paper nor the release names them. The paper says that the queries come from the ground, so
    the camera of the queries is the ground camera; that all queries have camid 0 is checked on reading.
    """
    return PLATFORMS[camid] if 0 <= camid < len(PLATFORMS) else None


def survey(root: Path, split: int = 0) -> Survey:
    """Parse G2A-VReID (v1); the ground asks, the drone's tracklets are searched.

    A query that is not of camid 0 is a finding.

    Source: paper sections 3 and 5.1; METHOD section 8.
    """
    check_split("g2a-vreid", split, num_splits=1)
    found = survey_mars_layout("g2a-vreid", root, platform_of_camid=platform_of_camid, protocol=GROUND_TO_AERIAL)
    for tracklet in found.query:
        if tracklet.platform is not Platform.GROUND:
            found.report(
                FindingKind.WRONG_QUERY,
                f"query {tracklet.tracklet_id}",
                f"queries must come from the ground camera (camid 0); this one has camid {tracklet.camid}",
            )
    return found


FORMAT = BenchmarkFormat(
    survey=survey,
    published=Counts(
        identities=2_788,
        tracklets=5_576,
        images=185_907,
        train_identities=930,
        test_identities=1_858,
    ),
    paper_row=PaperRow(
        identities=2_788,
        tracklets=5_576,
        images=185_907,
        average_duration_s=16.7,
        camera_views=2,
        camera_working_mode="ground & sky moving",
    ),
    num_splits=1,
    cameras=2,
    seconds_per_frame=SECONDS_PER_FRAME,
    terms=(
        "Academic use only, on the terms of the authors' release agreement: no redistribution in whole or in "
        "part, no commercial use; from https://github.com/FHR-L/G2A-VReID."
    ),
    source=(
        "Zhang et al., Cross-Platform Video Person ReID: A New Benchmark Dataset and Adaptation Approach, ECCV 2024"
    ),
    files=MARS_FILES,
    layout=(
        "The MARS layout: bbox_train/ and bbox_test/ with one folder per identity of crops whose name starts "
        "like 0001C1 (ground) or 0001C2 (drone); info/ with train_name.txt, test_name.txt, "
        "tracks_train_info.mat, tracks_test_info.mat and query_IDX.mat."
    ),
)
