"""What plain colour can do: the mean colour of six horizontal stripes, no learning.

The least that a model has to beat, printed beside every score on simulated people.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, UInt8

from skyreid.clips.frame_reading import read_resized
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.tracklet import PLATFORMS, Tracklet

STRIPES = 6
_FEWEST = 3
"""Tracklets whose mean and spread say something of their camera."""
_SIZE = (48, 24)
_MIDDLE = slice(6, 18)
"""Columns where the person is rather than the ground."""


def embed_colours(tracklets: Sequence[Tracklet]) -> EmbeddingTable:
    """Embed tracklets by lightness and two colour differences of each stripe, averaged over the frames.

    Every number is standardised among the tracklets of one platform, which takes the difference of the
    cameras' light and white balance away as far as a linear change can. Where a platform has fewer than three
    tracklets, all are standardised together; fewer than three in all stay as they are.

    Raises:
        MissingFrameError: a frame is missing or unreadable.
    """
    platforms = np.array([tracklet.platform.number for tracklet in tracklets], dtype=np.int64)
    colours = np.array(
        [np.mean([_stripes(read_resized(frame, _SIZE)) for frame in t.frames], axis=0) for t in tracklets]
    )
    groups = [platforms == platform.number for platform in PLATFORMS if platform.number in platforms]
    if min(map(np.count_nonzero, groups), default=0) < _FEWEST:
        groups = [np.ones(len(tracklets), dtype=bool)] if len(tracklets) >= _FEWEST else []
    for rows in groups:
        colours[rows] = (colours[rows] - colours[rows].mean(axis=0)) / (colours[rows].std(axis=0) + 1e-3)
    colours[~colours.any(axis=1)] = 1.0  # the very mean of all: it resembles nobody more than others
    return EmbeddingTable(
        embeddings=colours.astype(np.float32),
        pids=np.array([tracklet.pid for tracklet in tracklets], dtype=np.int64),
        camids=np.array([tracklet.camid for tracklet in tracklets], dtype=np.int64),
        platforms=platforms,
        tracklet_ids=np.array([tracklet.tracklet_id for tracklet in tracklets], dtype=np.str_),
    )


def _stripes(frame: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, " number"]:
    red, green, blue = np.moveaxis(frame[:, _MIDDLE].astype(np.float32) / 255, 2, 0)
    opponent = np.stack([(red + green + blue) / 3, red - green, 0.5 * (red + green) - blue])
    return opponent.reshape(3, STRIPES, -1).mean(axis=2).ravel()
