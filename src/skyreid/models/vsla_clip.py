"""VSLA-CLIP and FT-CLIP, whole: image tower, platform prompt, heads, text tower, identity prompt.

- FT-CLIP and every row of the paper's Tables 3, 4 and 5 are configurations of these same parts;
- the platform prompt and the adapters change the image tower only;
- the text side exists for training: embeddings never touch it.

Source: paper section 4; METHOD sections 2 and 3.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skyreid.errors import SettingError
from skyreid.models.identity_prompt import IdentityPrompt, IdentityPromptConfig
from skyreid.models.image_tower import ClipFeatures, ImageTower, ImageTowerConfig
from skyreid.models.platform_prompt import PlatformPrompt, PlatformPromptConfig
from skyreid.models.text_tower import TextTower, TextTowerConfig

TunedPart = Literal["adapters", "image-tower"]
HeadName = Literal["final", "joint"]


@dataclass(frozen=True, kw_only=True)
class VslaClipConfig:
    image: ImageTowerConfig = field(default_factory=ImageTowerConfig)
    text: TextTowerConfig = field(default_factory=TextTowerConfig)
    embed_dim: int = 512
    """Width of the space that image and text share."""
    platform_prompt: PlatformPromptConfig = field(default_factory=PlatformPromptConfig)
    identity_prompt: IdentityPromptConfig = field(default_factory=IdentityPromptConfig)

    def __post_init__(self) -> None:
        if self.platform_prompt.depth > self.image.layers:
            raise SettingError(
                "a platform prompt must not be deeper than the image tower; "
                f"got depth={self.platform_prompt.depth}, layers={self.image.layers}"
            )
        if self.identity_prompt.length > self.text.context_length:
            raise SettingError(
                "the sentence of an identity must fit the text tower's context; "
                f"got {self.identity_prompt.length} tokens, context_length={self.text.context_length}"
            )


class VideoEncoder(nn.Module):
    """The part that is used after training: image tower and platform prompt."""

    def __init__(self, config: VslaClipConfig) -> None:
        super().__init__()
        self.image_size = config.image.image_size
        self.embed_dim = config.image.width + config.embed_dim
        self.tower = ImageTower(config.image, embed_dim=config.embed_dim)
        prompt = config.platform_prompt
        self.platform_prompt = (
            PlatformPrompt(config.image.width, depth=prompt.depth, length=prompt.length) if prompt.depth else None
        )

    def forward(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"]
    ) -> ClipFeatures:
        prompts = self.platform_prompt(platforms) if self.platform_prompt is not None else None
        return self.tower(frames, prompts)

    def bare_features(self, frames: Float[Tensor, "clip frame channel height width"]) -> Float[Tensor, "clip embed"]:
        """Joint features of the CLIP tower without adapters and prompts: what stage 1 aligns text with."""
        return self.tower(frames, adapt=False).joint

    def embed(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"]
    ) -> Float[Tensor, "clip embed"]:
        """Un-normalised concat(final, joint): 768 + 512 in the paper's model."""
        features = self(frames, platforms)
        return torch.cat([features.final, features.joint], dim=1)


class IdentityHead(nn.Module):
    """Batch normalisation, then a linear classifier over the training identities; used in training only.

    Source: METHOD section 2, "Heads".

    The bias of the normalisation is never trained: `VslaClip.train_in_stage2` keeps it at 0.
    """

    def __init__(self, dim: int, *, num_identities: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dim)
        self.classifier = nn.Linear(dim, num_identities, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, features: Float[Tensor, "clip dim"]) -> Float[Tensor, "clip identity"]:
        return self.classifier(self.norm(features))


class VslaClip(nn.Module):
    """The whole model of both stages."""

    def __init__(self, config: VslaClipConfig, *, num_identities: int) -> None:
        super().__init__()
        self.config = config
        self.num_identities = num_identities
        self.encoder = VideoEncoder(config)
        self.head_final = IdentityHead(config.image.width, num_identities=num_identities)
        self.head_joint = IdentityHead(config.embed_dim, num_identities=num_identities)
        self.identity_prompt = IdentityPrompt(
            config.identity_prompt, num_identities=num_identities, dim=config.text.width
        )
        self.text_tower = TextTower(config.text, embed_dim=config.embed_dim)

    def text_features(self, labels: Int[Tensor, " sentence"]) -> Float[Tensor, "sentence embed"]:
        """Text features of training labels, not normalised."""
        return self.text_tower(self.identity_prompt(labels))

    @property
    def heads(self) -> dict[HeadName, IdentityHead]:
        """The classifiers of training identities, by the feature that they classify."""
        return {"final": self.head_final, "joint": self.head_joint}

    def names_of_stage1(self) -> set[str]:
        """Name the parameters that stage 1 trains: the identity prompt."""
        return self._names_in(self.identity_prompt)

    def names_of_stage2(self, tuned: TunedPart, heads: Collection[HeadName]) -> set[str]:
        """Name the parameters that stage 2 trains: what is `tuned`, the platform prompt and `heads`."""
        tower = self.encoder.tower
        parts: list[nn.Module] = [tower] if tuned == "image-tower" else [*chain(*tower.adapters())]
        if self.encoder.platform_prompt is not None:
            parts.append(self.encoder.platform_prompt)
        # The bias of a head's normalisation stays 0, so that the features stay centred.
        return self._names_in(*parts, *(self.heads[name] for name in heads)) - {
            f"head_{name}.norm.bias" for name in heads
        }

    def train_in_stage1(self) -> None:
        """Let gradients flow into what stage 1 trains and nothing else."""
        self._train_only(self.names_of_stage1())

    def train_in_stage2(self, tuned: TunedPart, heads: Collection[HeadName]) -> None:
        """Let gradients flow into what stage 2 trains and nothing else."""
        self._train_only(self.names_of_stage2(tuned, heads))

    def _names_in(self, *parts: nn.Module) -> set[str]:
        wanted = {id(parameter) for part in parts for parameter in part.parameters()}
        return {name for name, parameter in self.named_parameters() if id(parameter) in wanted}

    def _train_only(self, names: set[str]) -> None:
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name in names)
