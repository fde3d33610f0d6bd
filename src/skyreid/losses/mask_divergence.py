"""Attention masks of one image that look at the same place cost something.

Source: R. Hou et al., BiCnet-TKS: Learning Efficient Spatial-Temporal Representation for Video Person
Re-Identification, CVPR 2021.
"""

from collections.abc import Sequence
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor


def mask_divergence(masks: Sequence[Float[Tensor, "image position"]]) -> Float[Tensor, ""]:
    """Mean over pairs of masks of how far the Gram matrix of their square roots is from the identity.

    Args:
        masks: two or more, each a distribution over positions.
    """
    return torch.stack([_overlap(one, other) for one, other in combinations(masks, 2)]).mean()


def _overlap(one: Float[Tensor, "image position"], other: Float[Tensor, "image position"]) -> Float[Tensor, ""]:
    roots = torch.stack([one, other], dim=1).sqrt()
    gram = roots @ roots.mT - torch.eye(2, dtype=roots.dtype, device=roots.device)
    return (gram.flatten(1).norm(dim=1) / gram[0].numel()).mean()
