"""A learned vector for the place of the camera, which some transformers of the comparison add to their tokens.

Source: S. He et al., TransReID: Transformer-based Object Re-Identification, ICCV 2021 ("side information
embedding"), with the platform in the place of the camera: the paper's benchmark has one camera on each.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skyreid.models.platform_prompt import UNKNOWN_PLATFORM
from skyreid.tracklet import PLATFORMS


class PlatformEmbedding(nn.Module):
    """One vector per platform.

    Args:
        dim: length of a vector.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.empty(len(PLATFORMS), dim))
        nn.init.trunc_normal_(self.vectors, std=0.02)

    def forward(self, platforms: Int[Tensor, " clip"] | None, *, clips: int) -> Float[Tensor, "clip dim"]:
        """Give each of `clips` the vector of its platform; UNKNOWN_PLATFORM gets their mean, as do all for None."""
        if platforms is None:
            platforms = torch.full((clips,), UNKNOWN_PLATFORM, device=self.vectors.device)
        with_mean = torch.cat([self.vectors, self.vectors.mean(dim=0, keepdim=True)])
        return with_mean[platforms]
