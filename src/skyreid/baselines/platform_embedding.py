"""A learned vector for the place of the camera, which some transformers of the comparison add to their tokens.

Source: S. He et al., TransReID: Transformer-based Object Re-Identification, ICCV 2021 ("side information
embedding"), with the platform in the place of the camera: the paper's benchmark has one camera on each.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skyreid.errors import SettingError
from skyreid.tracklet import PLATFORMS


class PlatformEmbedding(nn.Module):
    """One vector per platform.

    Args:
        method: named in the refusal.
        dim: length of a vector.
    """

    def __init__(self, method: str, dim: int) -> None:
        super().__init__()
        self.method = method
        self.vectors = nn.Parameter(torch.empty(len(PLATFORMS), dim))
        nn.init.trunc_normal_(self.vectors, std=0.02)

    def forward(self, platforms: Int[Tensor, " clip"] | None) -> Float[Tensor, "clip dim"]:
        """Give every clip the vector of its platform; UNKNOWN_PLATFORM gets their mean.

        Raises:
            SettingError: `platforms` is None.
        """
        if platforms is None:
            raise SettingError(
                f"{self.method}: this method is told the platform of every clip; got none "
                "(where nobody knows, say UNKNOWN_PLATFORM)"
            )
        with_mean = torch.cat([self.vectors, self.vectors.mean(dim=0, keepdim=True)])
        return with_mean[platforms]
