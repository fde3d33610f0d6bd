"""Contrastive loss of whole clips, which BiCnet-TKS was released with in place of the triplet loss for LS-VID."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from skyreid.losses.negatives_contrast import negatives_contrast


def clip_contrast(
    features: Float[Tensor, "clip dim"], labels: Int[Tensor, " clip"], *, scale: float = 16.0
) -> Float[Tensor, ""]:
    """Each clip finds the other clips of its identity among those of others, by the cosine times `scale`."""
    normed = functional.normalize(features)
    is_same = labels[:, None] == labels[None, :]
    is_itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    return negatives_contrast(scale * normed @ normed.T, is_same & ~is_itself, ~is_same)
