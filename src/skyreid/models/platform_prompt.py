"""Platform-bridge prompt (PBP): learned tokens that tell the image tower which platform it looks through.

Source: paper section 4.4, Eq. 17; METHOD section 2 "PBP".
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skyreid.errors import SettingError
from skyreid.tracklet import PLATFORMS

UNKNOWN_PLATFORM = -1
"""Stands in an array of platform indices where nobody knows; the mean prompt is used."""


@dataclass(frozen=True, kw_only=True)
class PlatformPromptConfig:
    depth: int = 0
    """First blocks of the image tower that see a prompt (d); 0 = no prompt (the release's default). The
    paper's best is 3; the shipped setting has 9, switched off."""
    length: int = 16
    """Prompt tokens a block (l; paper's best 16, shipped setting 1)."""

    def __post_init__(self) -> None:
        if self.depth < 0 or self.length < 1:
            raise SettingError(f"a platform prompt has depth >= 0 and length >= 1; got {self.depth} x {self.length}")


class PlatformPrompt(nn.Module):
    """One set of prompt tokens per platform and block; set 0 is ground's, set 1 is aerial's."""

    def __init__(self, dim: int, *, depth: int, length: int) -> None:
        super().__init__()
        self.prompts = nn.Parameter(torch.empty(len(PLATFORMS), depth, length, dim))
        nn.init.trunc_normal_(self.prompts, std=0.02)

    def forward(self, platforms: Int[Tensor, " clip"]) -> Float[Tensor, "clip layer length dim"]:
        """Give every clip the prompts of its platform; UNKNOWN_PLATFORM gets the mean of the sets."""
        with_mean = torch.cat([self.prompts, self.prompts.mean(dim=0, keepdim=True)])
        return with_mean[platforms]
