"""Supervised contrastive loss: each row should find all columns of its own identity.

Source: paper Eq. 2, after CLIP-ReID. With rows = images it is L_i2t, with rows = texts L_t2i.
"""

from jaxtyping import Float, Int
from torch import Tensor


def supervised_contrastive(
    logits: Float[Tensor, "row column"], row_labels: Int[Tensor, " row"], column_labels: Int[Tensor, " column"]
) -> Float[Tensor, ""]:
    """Mean over rows of the mean, over the row's positives, of -log softmax.

    Every row must have a positive: both sides come from the same batch.
    """
    is_positive = (row_labels[:, None] == column_labels[None, :]).to(logits.dtype)
    log_probability = logits.log_softmax(dim=1)
    return -((log_probability * is_positive).sum(dim=1) / is_positive.sum(dim=1)).mean()
