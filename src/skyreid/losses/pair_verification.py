"""Do a probe and a gallery clip show one identity? Asked of every probe with every gallery clip of a batch."""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional


def pair_verification(
    logits: Float[Tensor, "probe gallery"], probe_labels: Int[Tensor, " probe"], gallery_labels: Int[Tensor, " gallery"]
) -> Float[Tensor, ""]:
    """Binary cross-entropy over all pairs; the logits are log-odds of "the same"."""
    is_same = probe_labels[:, None] == gallery_labels[None, :]
    return functional.binary_cross_entropy_with_logits(logits, is_same.to(logits.dtype))
