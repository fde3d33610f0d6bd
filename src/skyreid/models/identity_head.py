"""Identity head: batch normalisation, then a linear classifier over the training identities."""

from jaxtyping import Float
from torch import Tensor, nn


class IdentityHead(nn.Module):
    """Features to identity logits; used in training only (METHOD section 2 "Heads").

    The bias of the normalisation is never trained: `VslaClip.train_in_stage2` keeps it at 0.
    """

    def __init__(self, dim: int, *, num_identities: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dim)
        self.classifier = nn.Linear(dim, num_identities, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, features: Float[Tensor, "clip dim"]) -> Float[Tensor, "clip identity"]:
        return self.classifier(self.norm(features))
