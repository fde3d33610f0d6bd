"""Who embeds people as they are seen before their faces are covered: while cutting, in memory only."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from skyreid.feeding import Feeding
from skyreid.tracklet import Platform


@runtime_checkable
class TrackletEmbedder(Protocol):
    """Embeds whole tracklets from pictures in memory; see `extraction.embed_while_cutting`."""

    @property
    def model(self) -> str:
        """The sha256 of its weights."""
        ...

    @property
    def feeding(self) -> Feeding:
        """How they are fed."""
        ...

    def kept(self, crop: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "tall wide 3"]:
        """Give what is kept of a crop until its tracklet ends: the crop at the size that the model sees."""
        ...

    def embed(self, crops: Sequence[UInt8[np.ndarray, "height width 3"]], platform: Platform) -> list[float]:
        """Embed all crops of one person, in time order."""
        ...
