"""The parts of TCLNet: temporal saliency boosting (TSB) and erasing (TSE).

Source: R. Hou et al., Temporal Complementary Learning for Video Person Re-identification, ECCV 2020.
"""

from copy import deepcopy

import torch
from einops import einsum, rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from skyreid.baselines.resnet50_frames import EXPANSION, STAGE_WIDTHS, make_stage

GROUP = 4
"""Frames that see each other."""
PAIR = 2
"""Frames of which the second looks where the first did not."""
SHARPNESS = 5.0
ERASED_ROWS = 3


class SaliencyBoosting(nn.Module):
    """Tells a frame what the other frames of its clip show that is like it; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.out = _told(channels)

    def forward(
        self, features: Float[Tensor, "image channel height width"], num_frames: int
    ) -> Float[Tensor, "image channel height width"]:
        query = functional.normalize(features.mean(dim=(2, 3)), dim=1)
        # Mean over squares of 2 x 2 with a border of zeros; the last row and column hang over and are dropped.
        memory = functional.avg_pool2d(features, 2, stride=1, padding=1)[..., :-1, :-1]
        queries = rearrange(query, "(clip frame) channel -> clip frame channel", frame=num_frames)
        memories, values = (
            rearrange(part, "(clip frame) channel height width -> clip frame (height width) channel", frame=num_frames)
            for part in (functional.normalize(memory, dim=1), features)
        )
        scores = SHARPNESS * einsum(
            queries, memories, "clip asking channel, clip frame position channel -> clip asking frame position"
        )
        itself = torch.eye(num_frames, dtype=torch.bool, device=features.device)[..., None]
        scores = scores.masked_fill(itself, -torch.inf)
        share = rearrange(scores, "clip asking frame position -> clip asking (frame position)").softmax(dim=-1)
        seen = share @ rearrange(values, "clip frame position channel -> clip (frame position) channel")
        return features + self.out(rearrange(seen, "clip asking channel -> (clip asking) channel"))[..., None, None]


class SaliencyErasing(nn.Module):
    """Stage 4 for a pair of frames, and what is erased from the second of them before."""

    def __init__(self) -> None:
        super().__init__()
        self.channels, out_channels = (EXPANSION * width for width in STAGE_WIDTHS[2:])
        stage = make_stage(4)
        self.shared = stage[:-1]
        self.branches = nn.ModuleList([stage[-1], deepcopy(stage[-1])])
        self.reduce = nn.Linear(out_channels, self.channels, bias=False)
        self.out = _told(self.channels)

    def forward(self, pair: Float[Tensor, "clip 2 channel height width"]) -> Float[Tensor, "clip 2 out_channel"]:
        """Give the largest features of either frame."""
        first, second = pair.unbind(dim=1)
        everywhere = torch.ones_like(first[:, 0], dtype=torch.bool)
        first_out = self._stage(0, first, everywhere, torch.zeros_like(first[:, 0]))
        # The first frame says where to look, and is not taught to say it.
        salient = self.reduce(first_out.detach().mean(dim=(2, 3)))
        score = einsum(salient, second, "clip channel, clip channel height width -> clip height width")
        score = score / self.channels**0.5
        kept = _rows_to_keep(score)[..., None].expand_as(score)
        second_out = self._stage(1, second, kept, score)
        return torch.stack([first_out.amax(dim=(2, 3)), second_out.amax(dim=(2, 3))], dim=1)

    def _stage(
        self,
        branch: int,
        features: Float[Tensor, "clip channel height width"],
        kept: Bool[Tensor, "clip height width"],
        score: Float[Tensor, "clip height width"],
    ) -> Float[Tensor, "clip out_channel height width"]:
        share = score.masked_fill(~kept, -torch.inf).flatten(1).softmax(dim=1)
        seen = einsum(features.flatten(2), share, "clip channel position, clip position -> clip channel")
        features = features * kept[:, None] + self.out(seen)[..., None, None]
        return self.branches[branch](self.shared(features, 1), 1)


def _rows_to_keep(score: Float[Tensor, "clip height width"]) -> Bool[Tensor, "clip height"]:
    """All rows but the three neighbouring ones that score most together."""
    height = score.shape[1]
    rows = torch.arange(height, device=score.device)
    is_near = (rows[:, None] - rows[None, :]).abs() <= ERASED_ROWS // 2
    centre = (score.mean(dim=2) @ is_near.to(score.dtype)).argmax(dim=1)
    return ~is_near[centre]


def _told(channels: int) -> nn.Sequential:
    """A linear map and a normalisation that starts at 0, so that what it adds to is left as it is."""
    norm = nn.BatchNorm1d(channels)
    nn.init.zeros_(norm.weight)
    return nn.Sequential(nn.Linear(channels, channels), norm)
