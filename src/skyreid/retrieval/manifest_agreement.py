"""Whether a table says of its tracklets what their manifest says."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from jaxtyping import Int64

from skyreid.datasets.data_hash import pictures_sha256
from skyreid.datasets.manifest import Manifest
from skyreid.errors import TableError
from skyreid.files.regular_file import shortened
from skyreid.retrieval.table_rows import PER_FRAME, TableRows
from skyreid.tracklet import Tracklet

SomeTable = TypeVar("SomeTable", bound=TableRows)
_REMEDY = "embed the folder again by 'skyreid embed'"


def check_against_manifest(table: TableRows, manifest: Manifest) -> None:
    """Refuse a table whose pids, camids, platforms or pictures are not those of the manifest.

    The table may hold some of the manifest's tracklets only, in any order.

    Raises:
        TableError: a tracklet that the manifest does not list, or a value that differs.
    """
    tracklets = tracklets_of(table, manifest.tracklets)
    ids = [tracklet.tracklet_id for tracklet in tracklets]
    num_frames = np.array([len(tracklet.frames) for tracklet in tracklets], dtype=np.int64)
    expected = {
        "pids": [tracklet.pid for tracklet in tracklets],
        "camids": [tracklet.camid for tracklet in tracklets],
        "platforms": [tracklet.platform.number for tracklet in tracklets],
    }
    for name, values in expected.items():
        true, given = np.array(values, dtype=np.int64), getattr(table, name)
        wrong = np.flatnonzero(given != true)
        if wrong.size:
            row = int(wrong[0])
            others = f"; {wrong.size} such rows" if wrong.size > 1 else ""
            raise TableError(
                f"{name}, row {row} (tracklet {ids[row]}): the manifest says {true[row]}; got {given[row]}{others}"
                + (PER_FRAME if _is_per_frame(given, true, num_frames) else "")
            )
    if table.pictures is not None:
        _check_pictures(table, tracklets)


def with_listed_pictures(table: SomeTable, manifest: Manifest) -> SomeTable:
    """Check a table against its manifest, and let one of another program know the pictures that the manifest lists.

    Raises:
        TableError: the table contradicts the manifest; see `check_against_manifest`.
    """
    check_against_manifest(table, manifest)
    pictures = [pictures_sha256(tracklet) for tracklet in tracklets_of(table, manifest.tracklets)]
    if table.pictures is not None or None in pictures:
        return table
    return replace(table, pictures=np.array(pictures, dtype="S64"))


def check_same_pictures(table: TableRows, tracklets: Sequence[Tracklet]) -> None:
    """Refuse a table that was made from other pictures than those of a folder now; links may have changed the pids.

    A table of another program, which names no manifest, says nothing of pictures and is taken as it is.

    Raises:
        TableError: a tracklet is not in the folder or shows something else there, or `skyreid embed` 0.1 made the
            table, which did not note what it saw.
    """
    ours = tracklets_of(table, tracklets, remedy=f"; {_REMEDY}")
    if table.pictures is not None:
        _check_pictures(table, ours)
    elif table.manifest is not None and any(pictures_sha256(tracklet) is not None for tracklet in ours):
        raise TableError(f"the table was made by skyreid 0.1, which did not note the pictures that it saw; {_REMEDY}")


def tracklets_of(table: TableRows, tracklets: Sequence[Tracklet], *, remedy: str = "") -> list[Tracklet]:
    """Look up the tracklet of each row of a table.

    Raises:
        TableError: one is not among the given ones.
    """
    listed = {tracklet.tracklet_id: tracklet for tracklet in tracklets}
    ids = table.tracklet_ids.astype(str).tolist()
    if unlisted := [tracklet_id for tracklet_id in ids if tracklet_id not in listed]:
        others = f", nor do {len(unlisted) - 1} others" if len(unlisted) > 1 else ""
        raise TableError(
            f"every tracklet of a table must stand in its manifest; {unlisted[0]!r} does not{others}{remedy}"
        )
    return [listed[tracklet_id] for tracklet_id in ids]


def _check_pictures(table: TableRows, tracklets: Sequence[Tracklet]) -> None:
    assert table.pictures is not None
    seen = [str(sha256, "ascii", "replace") for sha256 in table.pictures.tolist()]
    now = [pictures_sha256(tracklet) for tracklet in tracklets]
    changed = [row for row in range(len(seen)) if now[row] not in (seen[row], None)]
    if changed:
        row = changed[0]
        raise TableError(
            f"the table was made from other pictures: those of {tracklets[row].tracklet_id!r} had the sha256 "
            f"{shortened(seen[row])}, the manifest lists {shortened(str(now[row]))} ({len(changed)} of {len(seen)} "
            f"tracklets differ); {_REMEDY}"
        )


def _is_per_frame(
    given: Int64[np.ndarray, " tracklet"],
    true: Int64[np.ndarray, " tracklet"],
    num_frames: Int64[np.ndarray, " tracklet"],
) -> bool:
    """Whether the values are those of the tracklets, each repeated for its frames, or for those of a clip."""
    repetitions = [num_frames, *range(2, int(num_frames.max()) + 1)]
    return any(np.array_equal(np.repeat(true, each)[: given.size], given) for each in repetitions)
