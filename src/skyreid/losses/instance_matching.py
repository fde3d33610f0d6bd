"""Online instance matching: identities are classified by a table of their own past features.

Source: T. Xiao et al., Joint Detection and Identification Feature Learning for Person Search, CVPR 2017;
GRL trains with it. The table learns by its updates and gets no gradient.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional


def instance_matching(
    features: Float[Tensor, "row dim"],
    labels: Int[Tensor, " row"],
    table: Float[Tensor, "identity dim"],
    *,
    scale: float = 30.0,
) -> Float[Tensor, ""]:
    """Cross-entropy of the similarities with the table, times `scale`; features and table are normalised.

    The table may be updated before the backward pass: what that needs is kept.
    """
    return functional.cross_entropy(scale * features @ table.detach().clone().T, labels)


@torch.no_grad()
def update_table(
    table: Float[Tensor, "identity dim"],
    features: Float[Tensor, "row dim"],
    labels: Int[Tensor, " row"],
    *,
    momentum: float = 0.5,
) -> None:
    """Move, row after row, the table's entry of each label towards its feature, in place."""
    for feature, label in zip(features, labels.tolist(), strict=True):
        table[label] = functional.normalize(momentum * table[label] + (1 - momentum) * feature, dim=0)
