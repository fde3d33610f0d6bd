"""How alike an image feature and a text feature are: s(I, T) of paper Eq. 2, 4 and 7.

Paper and release disagree (METHOD section 11, row 1): the paper says cosine similarity and gives no
temperature, the release computes the plain dot product of un-normalised features.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def image_text_logits(
    images: Float[Tensor, "clip embed"], texts: Float[Tensor, "sentence embed"], *, cosine_temperature: float | None
) -> Float[Tensor, "clip sentence"]:
    """Similarity of every image feature with every text feature; larger is closer.

    Args:
        images: not normalised.
        texts: not normalised.
        cosine_temperature: the cosine divided by it; None = the plain dot product.
    """
    if cosine_temperature is None:
        return images @ texts.T
    return functional.normalize(images) @ functional.normalize(texts).T / cosine_temperature
