"""Parts that several methods share: necks and classifiers, the non-local block, the platform embedding."""

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.models.platform_prompt import UNKNOWN_PLATFORM
from skyreid.tracklet import PLATFORMS


def make_neck(dim: int, *, trains_bias: bool, weight_std: float = 0.0) -> nn.BatchNorm1d:
    """Normalise features over the batch before they are classified and compared ("BN-neck").

    Args:
        dim: length of a feature.
        trains_bias: False keeps the bias at 0.
        weight_std: of the weights at the start, around 1.
    """
    neck = nn.BatchNorm1d(dim)
    nn.init.normal_(neck.weight, mean=1.0, std=weight_std)
    neck.bias.requires_grad_(trains_bias)
    return neck


def make_classifier(dim: int, num_classes: int, *, bias: bool) -> nn.Linear:
    """Classify features into the training identities; only training needs it."""
    classifier = nn.Linear(dim, num_classes, bias=bias)
    nn.init.normal_(classifier.weight, std=0.001)
    if bias:
        nn.init.zeros_(classifier.bias)
    return classifier


class NonLocal(nn.Module):
    """The non-local block: every position attends to all others; what it sees is added to the features.

    AP3D uses it over a whole clip, MGH within each frame. It starts as the identity.

    Args:
        channels: of the features; queries, keys and values have half as many.
        over_time: positions of all frames of a clip see each other; else of one frame.

    Source: X. Wang et al., Non-local Neural Networks, CVPR 2018: the embedded Gaussian, keys and values sub-sampled.
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


class PlatformEmbedding(nn.Module):
    """One learned vector per platform, which some transformers of the comparison add to their tokens.

    Args:
        dim: length of a vector.

    Source: S. He et al., TransReID: Transformer-based Object Re-Identification, ICCV 2021 ("side information
    embedding"), with the platform in the place of the camera: the paper's benchmark has one camera on each.
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
