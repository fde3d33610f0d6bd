"""The non-local block: every position is told of all others.

Source: X. Wang et al., Non-local Neural Networks, CVPR 2018: the embedded Gaussian, keys and values
sub-sampled. AP3D uses it over a whole clip, MGH within each frame. It starts as the identity.
"""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class NonLocal(nn.Module):
    """Attention over positions, added to the features.

    Args:
        channels: of the features; queries, keys and values have half as many.
        over_time: positions of all frames of a clip see each other; else of one frame.
    """

    def __init__(self, channels: int, *, over_time: bool) -> None:
        super().__init__()
        self.over_time = over_time
        self.query, self.key, self.value = (nn.Conv2d(channels, channels // 2, 1) for _ in range(3))
        self.pool = nn.MaxPool2d(2)
        self.out = nn.Conv2d(channels // 2, channels, 1)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(
        self, features: Float[Tensor, "image channel height width"], num_frames: int
    ) -> Float[Tensor, "image channel height width"]:
        height, width = features.shape[-2:]
        frame = num_frames if self.over_time else 1
        queries, keys, values = (
            rearrange(part, "(clip frame) dim height width -> clip (frame height width) dim", frame=frame)
            for part in (self.query(features), self.pool(self.key(features)), self.pool(self.value(features)))
        )
        seen = functional.scaled_dot_product_attention(queries, keys, values, scale=1.0)
        seen = rearrange(
            seen,
            "clip (frame height width) dim -> (clip frame) dim height width",
            frame=frame,
            height=height,
            width=width,
        )
        return features + self.norm(self.out(seen))
