import re
from dataclasses import replace

import numpy as np
import pytest

from skyreid.datasets.manifest import Manifest
from skyreid.errors import TableError
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.retrieval.manifest_agreement import check_against_manifest
from skyreid.tracklet import Frame, Platform, Tracklet

NUM_FRAMES = (3, 1, 4, 2)
TRACKLETS = tuple(
    Tracklet(
        tracklet_id=f"t{row}",
        frames=tuple(Frame(path=f"{row}_{frame}.jpg") for frame in range(num_frames)),
        pid=10 + row,
        camid=row % 3,
        platform=(Platform.GROUND, Platform.AERIAL)[row % 2],
    )
    for row, num_frames in enumerate(NUM_FRAMES)
)
MANIFEST = Manifest(tracklets=TRACKLETS, sha256="0" * 64, info={})


def table() -> EmbeddingTable:
    return EmbeddingTable(
        embeddings=np.ones((4, 2), dtype=np.float32),
        pids=np.array([10, 11, 12, 13]),
        camids=np.array([0, 1, 2, 0]),
        platforms=np.array([0, 1, 0, 1]),
        tracklet_ids=np.array(["t0", "t1", "t2", "t3"]),
    )


@pytest.mark.parametrize("rows", [[True] * 4, [False, True, False, True]])
def test_a_table_that_says_what_the_manifest_says_is_accepted(rows):
    check_against_manifest(table().select(np.array(rows)), MANIFEST)


@pytest.mark.parametrize("frames_each", [NUM_FRAMES, 2, 3])
@pytest.mark.parametrize(("name", "first"), [("pids", 10), ("camids", 0)])
def test_values_taken_from_a_list_by_frame_are_refused_by_the_name_of_the_mistake(name, first, frames_each):
    by_frame = np.repeat(getattr(table(), name), frames_each)[:4]
    message = (
        rf"^{name}, row 1 \(tracklet t1\): the manifest says {first + 1}; got {first}; 3 such rows: one value per "
        r"frame instead of one per tracklet\? .* outside the loop over its frames$"
    )
    with pytest.raises(TableError, match=message):
        check_against_manifest(replace(table(), **{name: by_frame}), MANIFEST)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"camids": np.array([0, 1, 2, 2])}, "camids, row 3 (tracklet t3): the manifest says 0; got 2"),
        ({"pids": np.array([10, 11, 13, 12])},
         "pids, row 2 (tracklet t2): the manifest says 12; got 13; 2 such rows"),
        ({"platforms": np.array([1, 1, 0, 1])}, "platforms, row 0 (tracklet t0): the manifest says 0; got 1"),
        ({"tracklet_ids": np.array(["t0", "x", "y", "t3"])},
         "every tracklet of a table must stand in its manifest; 'x' does not, nor do 1 others"),
    ],
)  # fmt: skip
def test_a_table_that_says_something_else_is_refused(changes, message):
    with pytest.raises(TableError, match=f"^{re.escape(message)}$"):
        check_against_manifest(replace(table(), **changes), MANIFEST)
