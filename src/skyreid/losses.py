"""Losses that several methods share: image against text, and the triplets of a batch.

A loss that one method uses stands in that method's file.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
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

    Source: s(I, T) of paper Eq. 2, 4 and 7. Paper and release disagree (METHOD section 11, row 1): the paper says
    cosine similarity and gives no temperature, the release computes the plain dot product of un-normalised features.
    """
    if cosine_temperature is None:
        return images @ texts.T
    return functional.normalize(images) @ functional.normalize(texts).T / cosine_temperature


def supervised_contrastive(
    logits: Float[Tensor, "row column"], row_labels: Int[Tensor, " row"], column_labels: Int[Tensor, " column"]
) -> Float[Tensor, ""]:
    """Mean over rows of the mean, over the row's positives, of -log softmax: a row finds all columns of its identity.

    Every row must have a positive: both sides come from the same batch.

    Source: paper Eq. 2, after CLIP-ReID. With rows = images it is L_i2t, with rows = texts L_t2i.
    """
    is_positive = (row_labels[:, None] == column_labels[None, :]).to(logits.dtype)
    log_probability = logits.log_softmax(dim=1)
    return -((log_probability * is_positive).sum(dim=1) / is_positive.sum(dim=1)).mean()


@dataclass(frozen=True, kw_only=True)
class TripletConfig:
    margin: float = 0.3
    """Theta; unused by "soft"."""
    form: Literal["hinge", "soft"] = "hinge"
    """max(0, d_p - d_n + margin), or log(1 + exp(d_p - d_n))."""
    distance: Literal["cosine", "euclidean"] = "cosine"
    """Minus the cosine (release), or the Euclidean distance of the features as they are."""


def batch_hard_triplet(
    features: Float[Tensor, "clip dim"], labels: Int[Tensor, " clip"], config: TripletConfig
) -> Float[Tensor, ""]:
    """Mean over anchors of the loss of the farthest positive and the nearest negative.

    The anchor counts among its own positives; an anchor without a negative gets the largest
    distance there is as its nearest one, as in the release.

    Source: paper Eq. 8. Paper and release disagree (METHOD section 11, row 3): the paper calls the
    margin soft and does not name the distance, the release takes a hinge at 0.3 on minus the cosine.
    """
    if config.distance == "cosine":
        normed = functional.normalize(features)
        distance, largest = -(normed @ normed.T), 1.0
    else:
        # The quicker way by a matrix product, PyTorch's choice above 25 clips, puts a clip 0.15 away from itself.
        exact = "donot_use_mm_for_euclid_dist"
        distance, largest = torch.cdist(features, features, compute_mode=exact), torch.inf
    is_same = labels[:, None] == labels[None, :]
    farthest_positive = distance.masked_fill(~is_same, -torch.inf).amax(dim=1)
    nearest_negative = distance.masked_fill(is_same, largest).amin(dim=1)
    gap = farthest_positive - nearest_negative
    return (functional.softplus(gap) if config.form == "soft" else functional.relu(gap + config.margin)).mean()
