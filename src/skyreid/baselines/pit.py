"""PiT: a transformer looks at the whole body, at strips down and across, and at a grid of patches.

Source: X. Zang et al., Multi-direction and Multi-scale Pyramid in Transformer for Video-based Pedestrian
Retrieval, IEEE Transactions on Industrial Informatics 2022. Original: deropty/PiT, GPL-2.0; written anew
from a description of what it computes.

The last block of ViT-B/16 is copied into four layers of a pyramid. Each cuts the patches of a frame in its
own way and lets the class token look at one part at a time; a part's feature is the mean over the frames.

`PitConfig.unused_members` is the released quirk that can be turned off.

Deviation: the platform stands for the camera. A grid of patches that does not divide evenly, at another size
than 256 x 128, is divided as evenly as it can be. What is left out by chance in training is left out for all
frames of a clip alike, which the description does not say.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.baselines.baseline import PAPER_SIZE, Baseline, Preset
from skyreid.baselines.clip_size import refuse_other_clips
from skyreid.baselines.heads import make_classifier, make_neck
from skyreid.baselines.platform_embedding import PlatformEmbedding
from skyreid.baselines.published_names import PublishedNames
from skyreid.baselines.vit_frames import DIM, ViTFrames, make_last_block, patch_grid, vit_names
from skyreid.errors import SettingError
from skyreid.losses.triplet import TripletConfig, batch_hard_triplet

DIVISIONS = ((1, 1), (3, 1), (1, 2), (3, 2))
"""Of each layer of the pyramid: parts down and across."""
PARTS = [down * across for down, across in DIVISIONS]
PLATFORM_WEIGHT = 3.0
IMAGENET_CLASSES = 1000
TRIPLET = TripletConfig(form="soft", distance="euclidean")


@dataclass(frozen=True, kw_only=True)
class PitConfig:
    num_classes: int
    """Training identities."""
    image_size: tuple[int, int] = PAPER_SIZE
    """(height, width) of the frames."""
    unused_members: bool = True
    """Members that the release builds and nothing reads: a thirteenth block, a LayerNorm and a classifier.
    With them the released weights all have a place and the parameters are as many."""

    def __post_init__(self) -> None:
        rows, columns = patch_grid(self.image_size)
        down, across = (max(counts) for counts in zip(*DIVISIONS, strict=True))
        if rows < down or columns < across:
            height, width = self.image_size
            raise SettingError(
                f"pit: a frame is divided into {down} parts down and {across} across, so it holds as many patches; "
                f"got {height} x {width} pixels (40 x 28 is the least)"
            )


class Pit(Baseline):
    """Clips of any length and of the size that it was built for, with their platforms."""

    training_only = ("necks.", "classifiers.", "unused.")

    def __init__(self, config: PitConfig) -> None:
        super().__init__()
        self.embed_dim = DIM * sum(PARTS)
        self.image_size = config.image_size
        self.grid = patch_grid(config.image_size)
        self.trunk = ViTFrames(config.image_size)
        self.platform = PlatformEmbedding(DIM)
        last = make_last_block()
        self.pyramid = nn.ModuleList(deepcopy(last) for _ in DIVISIONS)
        self.necks = nn.ModuleList(make_neck(DIM, trains_bias=False) for _ in range(sum(PARTS)))
        self.classifiers = nn.ModuleList(
            make_classifier(DIM, config.num_classes, bias=False) for _ in range(sum(PARTS))
        )
        self.unused = nn.ModuleDict()
        if config.unused_members:
            self.unused["last"] = make_last_block()
            self.unused["classifier"] = nn.Linear(DIM, IMAGENET_CLASSES)

    def forward(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"] | None = None
    ) -> dict[str, Tensor]:
        refuse_other_clips("pit", frames, frames=frames.shape[1], image_size=self.image_size)
        tokens = self.trunk(frames, PLATFORM_WEIGHT * self.platform(platforms, clips=frames.shape[0]))
        features = torch.stack(
            [
                self._look(layer, tokens, part)
                for layer, (down, across) in zip(self.pyramid, DIVISIONS, strict=True)
                for part in self._parts(tokens, down, across)
            ],
            dim=1,
        )
        if not self.training:
            return {"embedding": rearrange(features, "clip part dim -> clip (part dim)")}
        logits = [
            classifier(neck(feature))
            for feature, neck, classifier in zip(features.unbind(dim=1), self.necks, self.classifiers, strict=True)
        ]
        return {"features": features, "logits": torch.stack(logits, dim=1)}

    def _parts(
        self, tokens: Float[Tensor, "clip frame token dim"], down: int, across: int
    ) -> list[Float[Tensor, "clip frame patch dim"]]:
        """The patches of each part, parts line by line."""
        rows, _ = self.grid
        patches = rearrange(tokens[:, :, 1:], "clip frame (row column) dim -> clip frame row column dim", row=rows)
        return [
            rearrange(part, "clip frame row column dim -> clip frame (row column) dim")
            for strip in patches.tensor_split(down, dim=2)
            for part in strip.tensor_split(across, dim=3)
        ]

    @staticmethod
    def _look(
        layer: nn.Module, tokens: Float[Tensor, "clip frame token dim"], part: Float[Tensor, "clip frame patch dim"]
    ) -> Float[Tensor, "clip dim"]:
        """What the class token makes of one part."""
        block, norm = layer.children()
        return norm(block(torch.cat([tokens[:, :, :1], part], dim=2), keep=1)[:, :, 0]).mean(dim=1)

    def losses(self, outputs: Mapping[str, Tensor], labels: Int[Tensor, " clip"]) -> dict[str, Float[Tensor, ""]]:
        identity = [functional.cross_entropy(logits, labels) for logits in outputs["logits"].unbind(dim=1)]
        triplet = [batch_hard_triplet(feature, labels, TRIPLET) for feature in outputs["features"].unbind(dim=1)]
        return {"identity": _mean_over_layers(identity), "triplet": _mean_over_layers(triplet)}

    def published_names(self) -> PublishedNames:
        return vit_names("trunk", tuple(f"pyramid.{layer}" for layer in range(len(DIVISIONS))), self.grid)


def _mean_over_layers(of_parts: list[Float[Tensor, ""]]) -> Float[Tensor, ""]:
    """The mean over the pyramid of the means over the parts of a layer."""
    return torch.stack([layer.mean() for layer in torch.stack(of_parts).split(PARTS)]).mean()


def build_pit(
    *, num_classes: int, frames: int, preset: Preset = "release", image_size: tuple[int, int] = PAPER_SIZE
) -> Pit:
    """PiT; clips of any length, so `frames` changes nothing. The clean preset computes the same."""
    return Pit(PitConfig(num_classes=num_classes, image_size=image_size, unused_members=preset == "release"))
