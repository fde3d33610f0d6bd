"""Cross-frame attention adapter (CFAA): each token position looks at itself in the other frames.

Source: paper section 4.3, Eq. 15–16. The number of heads is METHOD section 2's (bottleneck / 64).
Deviation: the frame axis is explicit, so one model serves clips of any length (the release fixes
the clip length when the model is built).
"""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from skyreid.errors import SettingError
from skyreid.models.transformer import SelfAttention

HEAD_WIDTH = 64


class CrossFrameAdapter(nn.Module):
    """Bottleneck that attends over the frames of one clip, separately for each token position.

    The frames are an unordered set here: there is no frame position code, so shuffling the
    frames of a clip shuffles the output in the same way. Clips never see each other.
    Returns the residual only; the block adds it to its own attention branch.

    Args:
        dim: channels of the transformer block the adapter sits in.
        bottleneck: channels inside the adapter (the paper's alpha); a multiple of 64.
        zero_init: start as the zero function, so that the adapted model starts as the pretrained one.

    Raises:
        SettingError: `bottleneck` is not a multiple of 64, the width of an attention head.
    """

    def __init__(self, dim: int, *, bottleneck: int, zero_init: bool = False) -> None:
        super().__init__()
        if bottleneck % HEAD_WIDTH:
            raise SettingError(f"cross-frame bottleneck must be a multiple of {HEAD_WIDTH}; got {bottleneck}")
        self.down = nn.Linear(dim, bottleneck)
        self.attention = SelfAttention(bottleneck, heads=bottleneck // HEAD_WIDTH)
        self.up = nn.Linear(bottleneck, dim)
        if zero_init:
            nn.init.zeros_(self.up.weight)
            nn.init.zeros_(self.up.bias)

    def forward(self, tokens: Float[Tensor, "clip frame token dim"]) -> Float[Tensor, "clip frame token dim"]:
        clips = tokens.shape[0]
        sequences = rearrange(self.down(tokens), "clip frame token inner -> (clip token) frame inner")
        mixed = self.attention(sequences)
        return self.up(rearrange(mixed, "(clip token) frame inner -> clip frame token inner", clip=clips))
