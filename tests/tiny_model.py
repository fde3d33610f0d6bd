"""A VSLA-CLIP that is built in milliseconds and in which nothing is zero or one by initialisation."""

import torch
from torch import nn

from skyreid.models.identity_prompt import IdentityPromptConfig
from skyreid.models.image_tower import AdapterConfig, ImageTowerConfig
from skyreid.models.platform_prompt import PlatformPromptConfig
from skyreid.models.text_tower import TextTowerConfig
from skyreid.models.vsla_clip import VslaClip, VslaClipConfig

IMAGE_SIZE = (24, 16)
ADAPTERS = AdapterConfig(intra_frame=16, cross_frame=128)
NO_ADAPTERS = AdapterConfig(intra_frame=None, cross_frame=None)


def tiny_image_config(*, adapters=ADAPTERS, activation="quick-gelu") -> ImageTowerConfig:
    return ImageTowerConfig(
        image_size=IMAGE_SIZE,
        patch_size=8,
        stride=8,
        width=128,
        layers=3,
        activation=activation,
        adapters=adapters,
    )


def tiny_config(*, adapters=ADAPTERS, prompt_depth=2, sentence="shared-prompt") -> VslaClipConfig:
    return VslaClipConfig(
        image=tiny_image_config(adapters=adapters),
        text=TextTowerConfig(width=64, layers=2, context_length=30),
        embed_dim=32,
        platform_prompt=PlatformPromptConfig(depth=prompt_depth, length=2),
        identity_prompt=IdentityPromptConfig(sentence=sentence),
    )


def tiny_model(config=None, *, num_identities=5, seed=0) -> VslaClip:
    """The same model for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = VslaClip(config or tiny_config(), num_identities=num_identities)
    return randomized(model, seed=seed)


def randomized(module: nn.Module, *, seed=0) -> nn.Module:
    """Draw every parameter: a bias that stays zero would hide that nobody adds it."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            values = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() < 2:
                parameter.copy_(0.2 * values + (1.0 if name.endswith("weight") else 0.0))
            else:
                parameter.copy_(values * parameter.shape[-1] ** -0.5)
    return module.eval()


def drawn(*shape: int, seed=1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
