"""What every model of ours offers to extraction: normalised clips in, embeddings out."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Encoder(Protocol):
    """A model whose embeddings can be extracted, ranked and scored."""

    @property
    def embed_dim(self) -> int:
        """Length of one embedding."""
        ...

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the frames it eats."""
        ...

    def embed(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"]
    ) -> Float[Tensor, "clip embed"]:
        """Embed normalised clips; a platform is its index, or UNKNOWN_PLATFORM."""
        ...
