"""The two parts of SINet: salient-to-broad (SBM), and integration and distribution (IDM).

Source: S. Bai et al., Salient-to-Broad Transition for Video Person Re-identification, CVPR 2022.
"""

import torch
from einops import einsum, rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

GROUP = 4
"""Frames that the salient-to-broad part looks at together."""
REDUCTION = 16
GATE_REDUCTION = 4
KERNEL_SIDE = 3
SMALLEST_ATTENTION = 1e-4
SUPPRESSION = 5.0
EXCHANGED = 0.1
"""How much the two sides of a group tell each other."""
SMALLEST_SUPPRESSION = 1e-8
"""Keeps the mean over suppressed features finite where nothing is suppressed, which real features never meet."""


class IntegrationDistribution(nn.Module):
    """Every position of a clip is told of all others; starts as the identity.

    Args:
        channels: of the features.
        num_positions: frames x height x width of a clip, which are channels here.
    """

    def __init__(self, channels: int, num_positions: int) -> None:
        super().__init__()
        inner, inner_positions = channels // REDUCTION, num_positions // REDUCTION
        self.reduce_channels = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner))
        self.integrate = nn.Sequential(nn.Conv1d(num_positions, inner_positions, 1), nn.BatchNorm1d(inner_positions))
        self.distribute = nn.Conv1d(inner_positions, num_positions, 1)
        self.expand_channels = nn.Conv2d(inner, channels, 1)
        for parameter in self.expand_channels.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self, features: Float[Tensor, "image channel height width"], num_frames: int
    ) -> Float[Tensor, "image channel height width"]:
        height, width = features.shape[-2:]
        positions = rearrange(
            self.reduce_channels(features),
            "(clip frame) inner height width -> clip (frame height width) inner",
            frame=num_frames,
        )
        positions = positions + self.distribute(self.integrate(positions))
        told = rearrange(
            positions,
            "clip (frame height width) inner -> (clip frame) inner height width",
            height=height,
            width=width,
        )
        return functional.relu(features + self.expand_channels(told))


class SalientToBroad(nn.Module):
    """What the first frames of a group attend to is faded out of the others, so that these look elsewhere.

    Args:
        channels: of the features.
        num_salient: how many of the 4 frames of a group are the first.
    """

    def __init__(self, channels: int, num_salient: int) -> None:
        super().__init__()
        self.num_salient = num_salient
        self.gate = nn.Sequential(
            nn.Linear(channels, channels // GATE_REDUCTION),
            nn.ReLU(),
            nn.Linear(channels // GATE_REDUCTION, channels),
            nn.Sigmoid(),
        )
        self.attention = nn.Sequential(
            nn.Conv2d(channels, KERNEL_SIDE**2, 1), nn.BatchNorm2d(KERNEL_SIDE**2), nn.ReLU()
        )

    def forward(
        self, features: Float[Tensor, "image channel height width"], num_frames: int
    ) -> Float[Tensor, "image channel height width"]:
        groups = rearrange(
            features, "(group frame) channel height width -> group frame channel height width", frame=GROUP
        )
        gate = self._channel_gate(groups)[:, None, :, None, None]
        salient, rest = groups.split([self.num_salient, GROUP - self.num_salient], dim=1)
        kept = _kept(functional.relu(rest * gate), self._kernel(functional.relu(salient * gate)))
        faded = 1 - kept
        whole = (1, 3, 4)  # frame, height, width
        suppression = faded.mean(whole, keepdim=True).clamp_min(SMALLEST_SUPPRESSION)
        told = (faded * rest).mean(whole, keepdim=True) / suppression
        broadened = rest * kept + EXCHANGED * salient.mean(whole, keepdim=True)
        return rearrange(
            torch.cat([salient + EXCHANGED * told, broadened], dim=1),
            "group frame channel height width -> (group frame) channel height width",
        )

    def _channel_gate(
        self, groups: Float[Tensor, "group frame channel height width"]
    ) -> Float[Tensor, "group channel"]:
        """Weigh the channels; those whose mean is not larger inside the frame than over all of it are closed."""
        mean = groups.mean(dim=(1, 3, 4))
        is_central = groups[..., 1:-1, 1:-1].mean(dim=(1, 3, 4)) / (mean + 1e-8) > 1
        return self.gate(mean) * is_central

    def _kernel(self, salient: Float[Tensor, "group frame channel height width"]) -> Float[Tensor, "group channel tap"]:
        """Nine weighted means of the salient features, the taps of a 3 x 3 kernel."""
        images = rearrange(salient, "group frame channel height width -> (group frame) channel height width")
        attention = rearrange(
            self.attention(images),
            "(group frame) tap height width -> group tap (frame height width)",
            frame=self.num_salient,
        )
        attention = functional.normalize(functional.normalize(attention, p=1, dim=1), p=1, dim=2)
        positions = rearrange(salient, "group frame channel height width -> group channel (frame height width)")
        return einsum(positions, attention, "group channel position, group tap position -> group channel tap")


def _kept(
    features: Float[Tensor, "group frame channel height width"], kernel: Float[Tensor, "group channel tap"]
) -> Float[Tensor, "group frame 1 height width"]:
    """1 where the kernel of the group sees nothing above the average of the frame, less where it does."""
    height, width = features.shape[-2:]
    # A 3 x 3 correlation as nine 1 x 1 ones that are shifted afterwards: repeating the border commutes with them.
    responses = einsum(
        features, kernel, "group frame channel height width, group channel tap -> group frame tap height width"
    )
    padded = functional.pad(responses, (1, 1, 1, 1, 0, 0), mode="replicate")
    taps = [
        padded[:, :, KERNEL_SIDE * row + column, row : row + height, column : column + width]
        for row in range(KERNEL_SIDE)
        for column in range(KERNEL_SIDE)
    ]
    response = rearrange(torch.stack(taps).sum(0), "group frame height width -> group frame (height width)")
    attention = (response / KERNEL_SIDE**2).softmax(dim=-1).clamp_min(SMALLEST_ATTENTION)
    ratio = 1 / (height * width * attention)  # the average attention over that of the position
    kept = torch.exp(SUPPRESSION * (ratio.clamp_max(1) - 1))
    return rearrange(kept, "group frame (height width) -> group frame 1 height width", height=height)
