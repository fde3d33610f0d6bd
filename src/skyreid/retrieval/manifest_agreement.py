"""Whether a table says of its tracklets what their manifest says."""

import numpy as np
from jaxtyping import Int64

from skyreid.datasets.manifest import Manifest
from skyreid.errors import TableError
from skyreid.retrieval.embedding_table import PER_FRAME, EmbeddingTable


def check_against_manifest(table: EmbeddingTable, manifest: Manifest) -> None:
    """Refuse a table whose pids, camids or platforms are not those of the manifest.

    The table may hold some of the manifest's tracklets only, in any order.

    Raises:
        TableError: a tracklet that the manifest does not list, or a value that differs.
    """
    listed = {tracklet.tracklet_id: tracklet for tracklet in manifest.tracklets}
    ids = table.tracklet_ids.astype(str).tolist()
    if unlisted := [tracklet_id for tracklet_id in ids if tracklet_id not in listed]:
        raise TableError(
            f"every tracklet of a table must stand in its manifest; {unlisted[0]!r} does not"
            + (f", nor do {len(unlisted) - 1} others" if len(unlisted) > 1 else "")
        )
    tracklets = [listed[tracklet_id] for tracklet_id in ids]
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


def _is_per_frame(
    given: Int64[np.ndarray, " tracklet"],
    true: Int64[np.ndarray, " tracklet"],
    num_frames: Int64[np.ndarray, " tracklet"],
) -> bool:
    """Whether the values are those of the tracklets, each repeated for its frames, or for those of a clip."""
    repetitions = [num_frames, *range(2, int(num_frames.max()) + 1)]
    return any(np.array_equal(np.repeat(true, each)[: given.size], given) for each in repetitions)
