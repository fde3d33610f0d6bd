"""The table of what was embedded while cutting; a file of its own, since tables bring PyTorch to builds without one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from skyreid.building.built_manifest import BuildInfo
from skyreid.building.crops.cropping import TrackletEmbedder
from skyreid.datasets.data_hash import pictures_sha256
from skyreid.retrieval.embedding_table import EmbeddingTable, save_table
from skyreid.tracklet import Tracklet


def write_table_of_unmasked(
    path: Path, info: BuildInfo, tracklets: Sequence[Tracklet], embedder: TrackletEmbedder, *, manifest_path: Path
) -> None:
    """Write what was embedded while cutting; the table names the masked crops and says that more was seen.

    Nothing is written where nobody was found.
    """
    by_id = {tracklet.tracklet_id: tracklet.embedding for source in info.finished for tracklet in source.tracklets}
    if not by_id:
        return
    table = EmbeddingTable(
        embeddings=np.array([by_id[tracklet.tracklet_id] for tracklet in tracklets], np.float32),
        pids=np.array([tracklet.pid for tracklet in tracklets], np.int64),
        camids=np.array([tracklet.camid for tracklet in tracklets], np.int64),
        platforms=np.array([tracklet.platform.number for tracklet in tracklets], np.int64),
        tracklet_ids=np.array([tracklet.tracklet_id for tracklet in tracklets], np.str_),
        pictures=np.array([pictures_sha256(tracklet) for tracklet in tracklets], "S64"),
        manifest=str(manifest_path.resolve()),
        model=embedder.model,
        feeding=embedder.feeding,
        seen_unmasked=info.masking is not None,
    )
    save_table(path, table)
