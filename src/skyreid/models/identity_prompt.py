"""Identity prompt: the sentence that stage 1 learns for every identity.

    paper (section 4.2, Eq. 5):  [start] P1..P8  S1..S4  P9..P16  "." [end]
    CLIP-ReID (section 4.1):     [start] "a photo of a"  X1..X4  "person" "." [end]

S and X belong to one identity, P is shared by all, the words and marks never change: they are rows
of CLIP's token embedding (METHOD section 3).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from einops import repeat
from jaxtyping import Float, Int
from torch import Tensor, nn

START, END = "<start>", "<end>"
SENTENCES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "shared-prompt": ((START,), (".", END)),
    "clip-reid": ((START, "a", "photo", "of", "a"), ("person", ".", END)),
}
"""Words before and after the learned part."""
CLIP_TOKENS = {START: 49406, "a": 320, "photo": 1125, "of": 539, "person": 2533, ".": 269, END: 49407}
"""Numbers of these words in CLIP's own tokenizer."""


@dataclass(frozen=True, kw_only=True)
class IdentityPromptConfig:
    sentence: Literal["shared-prompt", "clip-reid"] = "shared-prompt"
    """The paper's learned sentence, or CLIP-ReID's fixed words."""
    identity_length: int = 4
    """Tokens of one identity (M; not in the paper, 4 in the release)."""
    shared_length: int = 8
    """Shared tokens on each side (n/2; not in the paper, 8 in the release); unused by "clip-reid"."""

    @property
    def shared_each_side(self) -> int:
        """Shared tokens that the sentence really has on each side."""
        return self.shared_length if self.sentence == "shared-prompt" else 0

    @property
    def length(self) -> int:
        """Tokens of the whole sentence."""
        before, after = SENTENCES[self.sentence]
        return len(before) + self.identity_length + 2 * self.shared_each_side + len(after)


class IdentityPrompt(nn.Module):
    """Training labels to embedded sentences."""

    def __init__(self, config: IdentityPromptConfig, *, num_identities: int, dim: int) -> None:
        super().__init__()
        before, after = SENTENCES[config.sentence]
        shared = config.shared_each_side
        # Random until a pretrained token embedding fills them in: a stand-in of CLIP's own scale.
        self.register_buffer("fixed_before", 0.02 * torch.randn(len(before), dim))
        self.register_buffer("fixed_after", 0.02 * torch.randn(len(after), dim))
        self.shared_before = nn.Parameter(0.02 * torch.randn(shared, dim))
        self.shared_after = nn.Parameter(0.02 * torch.randn(shared, dim))
        self.identity = nn.Parameter(0.02 * torch.randn(num_identities, config.identity_length, dim))

    def forward(self, labels: Int[Tensor, " sentence"]) -> Float[Tensor, "sentence token dim"]:
        """Lay the sentence of each label out, from the start mark to the end-of-text token."""
        before = torch.cat([self.get_buffer("fixed_before"), self.shared_before])
        after = torch.cat([self.shared_after, self.get_buffer("fixed_after")])
        count = len(labels)
        return torch.cat(
            [
                repeat(before, "token dim -> sentence token dim", sentence=count),
                self.identity[labels],
                repeat(after, "token dim -> sentence token dim", sentence=count),
            ],
            dim=1,
        )
