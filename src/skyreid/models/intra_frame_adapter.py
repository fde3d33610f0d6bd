"""Intra-frame adapter (IFA): a narrow second path beside each MLP, for one token at a time.

Source: paper section 4.3, Eq. 13–14.
Deviation: the paper writes GELU, the release computes QuickGELU (METHOD section 11, row 10);
`activation` chooses. Neither text gives an initialisation (row 9): PyTorch's default for
nn.Linear, as in the release, unless `zero_init`.
"""

from jaxtyping import Float
from torch import Tensor, nn

from skyreid.models.transformer import Activation, make_activation


class IntraFrameAdapter(nn.Module):
    """Bottleneck over channels. Returns the residual only; the block adds it.

    Args:
        dim: channels of the transformer block the adapter sits in.
        bottleneck: channels inside the adapter (the paper's alpha).
        activation: "quick-gelu" (release) or "gelu" (paper).
        zero_init: start as the zero function, so that the adapted model starts as the pretrained one.
    """

    def __init__(
        self, dim: int, *, bottleneck: int, activation: Activation = "quick-gelu", zero_init: bool = False
    ) -> None:
        super().__init__()
        self.down = nn.Linear(dim, bottleneck)
        self.activation = make_activation(activation)
        self.up = nn.Linear(bottleneck, dim)
        if zero_init:
            nn.init.zeros_(self.up.weight)
            nn.init.zeros_(self.up.bias)

    def forward(self, tokens: Float[Tensor, "*any dim"]) -> Float[Tensor, "*any dim"]:
        return self.up(self.activation(self.down(tokens)))
