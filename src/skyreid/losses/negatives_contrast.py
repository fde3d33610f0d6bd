"""Each positive against all negatives: the contrast that SINet's and BiCnet-TKS's losses share.

Unlike `supervised_contrastive`, the other positives of an anchor do not stand in the denominator.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def negatives_contrast(
    logits: Float[Tensor, "*group anchor other"],
    is_positive: Bool[Tensor, "*#group anchor other"],
    is_negative: Bool[Tensor, "*#group anchor other"],
) -> Float[Tensor, " *group"]:
    """Mean over all positives of -log(e^positive / (e^positive + sum over the anchor's negatives of e^negative))."""
    negatives = logits.masked_fill(~is_negative, -torch.inf).logsumexp(dim=-1, keepdim=True)
    losses = torch.logaddexp(logits, negatives) - logits
    return (losses * is_positive).sum(dim=(-2, -1)) / is_positive.sum(dim=(-2, -1))
