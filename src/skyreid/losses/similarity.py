"""How alike an image feature and a text feature are: s(I, T) of paper Eq. 2, 4 and 7.

Paper and release disagree (METHOD section 11, row 1): the paper says cosine similarity, the release
computes the plain dot product of un-normalised features, without a temperature.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class DotProduct:
    """The release: features as they are."""


@dataclass(frozen=True, kw_only=True)
class CosineSimilarity:
    """The paper; it does not give a temperature, 0.01 is where CLIP's own training ends."""

    temperature: float = 0.01
    """The cosine is divided by it."""

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(f"temperature must be positive; got {self.temperature}")


Similarity = DotProduct | CosineSimilarity


def image_text_logits(
    images: Float[Tensor, "clip embed"], texts: Float[Tensor, "sentence embed"], similarity: Similarity
) -> Float[Tensor, "clip sentence"]:
    """Similarity of every image feature with every text feature; larger is closer."""
    if isinstance(similarity, CosineSimilarity):
        images, texts = functional.normalize(images), functional.normalize(texts)
        return images @ texts.T / similarity.temperature
    return images @ texts.T
