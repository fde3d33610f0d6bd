"""A model as what `build` asks while it cuts: people are embedded before their faces are covered."""

from collections.abc import Sequence
from os import PathLike

import numpy as np
from jaxtyping import UInt8

from skyreid.clips.frame_cache import resize
from skyreid.extraction.loading import load
from skyreid.feeding import Feeding
from skyreid.processes.distributed import Processes
from skyreid.processes.progress import Progress, silent
from skyreid.tracklet import Platform


class CuttingEmbedder:
    """A model that embeds pictures in memory; what it saw reaches no disk.

    Args:
        model: as `load` takes it.
        progress: hears of published weights that are fetched.

    Raises:
        SkyreidError: as `load`.
    """

    def __init__(self, model: str | PathLike[str], *, progress: Progress = silent) -> None:
        self._embedder = load(model, device=Processes().device, progress=progress)

    @property
    def model(self) -> str:
        """The sha256 of its weights."""
        assert self._embedder.model is not None, "`load` tells it"
        return self._embedder.model

    @property
    def feeding(self) -> Feeding:
        """How the model is fed."""
        return self._embedder.feeding

    def kept(self, crop: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "tall wide 3"]:
        """Give the crop at the size that the model sees."""
        return resize(crop, self.feeding.image_size)

    def embed(self, crops: Sequence[UInt8[np.ndarray, "height width 3"]], platform: Platform) -> list[float]:
        """Embed all crops of one person by the clips that the model asks for."""
        (embedding,) = self._embedder.embed_tracklets([list(crops)], platform).tolist()
        return embedding
