import re
from dataclasses import replace

import numpy as np
import pytest

from skyreid.datasets.data_hash import pictures_sha256
from skyreid.datasets.manifest import Manifest
from skyreid.errors import TableError
from skyreid.evaluation.results.protocol_card import tables_data_sha256
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.retrieval.manifest_agreement import check_against_manifest, check_same_pictures, with_listed_pictures
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


def hashed(digit="a"):
    """The tracklets, every frame with a hash."""
    return [replace(t, frames=tuple(replace(f, sha256=64 * digit) for f in t.frames)) for t in TRACKLETS]


def of_pictures(tracklets):
    pictures = np.array([pictures_sha256(tracklet) for tracklet in tracklets], dtype="S64")
    return replace(table(), pictures=pictures, manifest="manifest.jsonl")


def test_a_table_of_other_pictures_is_refused_with_both_hashes(tmp_path):
    """Kind B3 of the hostile hands: the table of a video that was replaced under its name."""
    then = hashed()
    now = [*then[:2], hashed("b")[2], then[3]]
    check_same_pictures(of_pictures(then), [replace(tracklet, pid=99) for tracklet in then])  # people may be linked
    message = (
        f"^the table was made from other pictures: those of 't2' had the sha256 {pictures_sha256(then[2])[:12]}, the "
        rf"manifest lists {pictures_sha256(now[2])[:12]} \(1 of 4 tracklets differ\); embed the folder again"
    )
    for check in (
        lambda: check_same_pictures(of_pictures(then), now),
        lambda: check_against_manifest(of_pictures(then), replace(MANIFEST, tracklets=tuple(now))),
    ):
        with pytest.raises(TableError, match=message):
            check()


def test_a_table_of_an_earlier_version_names_that_version():
    old = replace(table(), manifest="manifest.jsonl")
    with pytest.raises(TableError, match=r"made by skyreid 0\.1, which did not note the pictures that it saw; embed"):
        check_same_pictures(old, hashed())
    check_same_pictures(old, TRACKLETS)  # a manifest of that version
    check_same_pictures(table(), hashed())  # another program's


def test_a_table_of_another_program_gets_the_pictures_of_its_manifest():
    manifest = replace(MANIFEST, tracklets=tuple(hashed()))
    known = with_listed_pictures(table(), manifest)
    assert known.pictures.tolist() == of_pictures(hashed()).pictures.tolist()
    everybody = known.select(np.array([True, False, True, False])), known.select(np.array([False, True, False, True]))
    assert tables_data_sha256(*everybody) == tables_data_sha256(*everybody[::-1]) == manifest.data_sha256
    assert tables_data_sha256(table(), known) is None
    assert with_listed_pictures(table(), MANIFEST).pictures is None
