"""A checkpoint as what `build` asks while it cuts: people are embedded before their faces are covered."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from skyreid.checkpoint import weights_sha256
from skyreid.clips.frame_cache import resize
from skyreid.distributed import Processes
from skyreid.extraction.loading import load
from skyreid.feeding import Feeding
from skyreid.tracklet import Platform


class CuttingEmbedder:
    """A checkpoint that embeds pictures in memory; what it saw reaches no disk.

    Raises:
        CheckpointError: not a checkpoint, or a damaged one.
    """

    def __init__(self, checkpoint: Path) -> None:
        self._embedder = load(checkpoint, device=Processes().device)
        self._model = weights_sha256(checkpoint)

    @property
    def model(self) -> str:
        """The sha256 of its weights."""
        return self._model

    @property
    def feeding(self) -> Feeding:
        """How the checkpoint says that it is fed."""
        return self._embedder.feeding

    def kept(self, crop: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "tall wide 3"]:
        """Give the crop at the size that the model sees."""
        return resize(crop, self.feeding.image_size)

    def embed(self, crops: Sequence[UInt8[np.ndarray, "height width 3"]], platform: Platform) -> list[float]:
        """Embed all crops of one person by the clips that the checkpoint asks for."""
        (embedding,) = self._embedder.embed_tracklets([list(crops)], platform).tolist()
        return embedding
