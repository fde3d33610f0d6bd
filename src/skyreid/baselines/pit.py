"""PiT: a transformer looks at the whole body, at strips down and across, and at a grid of patches.

Source: X. Zang et al., Multi-direction and Multi-scale Pyramid in Transformer for Video-based Pedestrian
Retrieval, IEEE Transactions on Industrial Informatics 2022. Original: deropty/PiT, GPL-2.0; written anew
from a description of what it computes.

The last block of ViT-B/16 is copied into four layers of a pyramid. Each cuts the patches of a frame in its
own way and lets the class token look at one part at a time; a part's feature is the mean over the frames.
Until then every frame is on its own: tokens never look across frames.

`PitConfig.unused_members` is the released quirk that can be turned off.

Deviation: the platform stands for the camera. A grid of patches that does not divide evenly, at another size
than 256 x 128, is divided as evenly as it can be. What is left out by chance in training is left out for all
frames of a clip alike, which the description does not say.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.baselines.baseline import PAPER_SIZE, Baseline, PositionTable, Preset, PublishedNames, refuse_other_clips
from skyreid.baselines.parts import PlatformEmbedding, make_classifier, make_neck
from skyreid.errors import SettingError
from skyreid.losses import TripletConfig, batch_hard_triplet
from skyreid.models.transformer import Mlp

DIVISIONS = ((1, 1), (3, 1), (1, 2), (3, 2))
"""Of each layer of the pyramid: parts down and across."""
PARTS = [down * across for down, across in DIVISIONS]
PLATFORM_WEIGHT = 3.0
IMAGENET_CLASSES = 1000
TRIPLET = TripletConfig(form="soft", distance="euclidean")
DIM = 768
HEADS = 12
BLOCKS = 12
PATCH = 16
STRIDE = 12
NORM_EPS = 1e-6
LARGEST_DROP = 0.1
"""Of the last block; the probability rises linearly from 0 in the first."""
PUBLISHED_GRID = (14, 14)
_TENSORS = ("weight", "bias")
_OF_BLOCK = {
    "norm1": "norm_attention",
    "attn.qkv": "attention.query_key_value",
    "attn.proj": "attention.out",
    "norm2": "norm_mlp",
    "mlp.fc1": "mlp.expand",
    "mlp.fc2": "mlp.contract",
}
"""timm's names for what a block has, and ours."""


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


class ViTFrames(nn.Module):
    """The trunk: frames of clips to tokens by all blocks of ViT-B/16 but the last, which the pyramid has copies of.

    The class token comes first.

    Source: A. Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021, in timm's form (pre-norm blocks, packed
    query, key and value), with the overlapping patches of S. He et al., TransReID, ICCV 2021.

    Args:
        image_size: (height, width) of the frames, one patch or more.
    """

    def __init__(self, image_size: tuple[int, int]) -> None:
        super().__init__()
        rows, columns = patch_grid(image_size)
        self.patches = nn.Conv2d(3, DIM, PATCH, STRIDE)
        self.class_token = nn.Parameter(torch.empty(1, 1, DIM))
        self.position_table = nn.Parameter(torch.empty(1, 1 + rows * columns, DIM))
        for table in (self.class_token, self.position_table):
            nn.init.trunc_normal_(table, std=0.02)
        self.blocks = nn.ModuleList(ViTBlock(_drop(block)) for block in range(BLOCKS - 1))

    def forward(
        self, frames: Float[Tensor, "clip frame channel height width"], added: Float[Tensor, "clip dim"]
    ) -> Float[Tensor, "clip frame token dim"]:
        """Encode normalised frames.

        Args:
            frames: of the size that it was built for.
            added: to every token of a clip before the first block.
        """
        clips, num_frames = frames.shape[:2]
        patches = rearrange(
            self.patches(rearrange(frames, "clip frame c h w -> (clip frame) c h w")),
            "(clip frame) dim row column -> clip frame (row column) dim",
            clip=clips,
        )
        class_tokens = repeat(self.class_token, "1 1 dim -> clip frame 1 dim", clip=clips, frame=num_frames)
        tokens = torch.cat([class_tokens.to(patches.dtype), patches], dim=2) + self.position_table
        tokens = tokens + rearrange(added, "clip dim -> clip 1 1 dim")
        for block in self.blocks:
            tokens = block(tokens)
        return tokens


def make_last_block() -> nn.Sequential:
    """The block that `ViTFrames` lacks, and the LayerNorm that follows it."""
    return nn.Sequential(ViTBlock(_drop(BLOCKS - 1)), nn.LayerNorm(DIM, eps=NORM_EPS))


class ViTBlock(nn.Module):
    """Attention and perceptron, each behind its LayerNorm and beside a short cut.

    Args:
        drop: probability that a branch is left out in training.
    """

    def __init__(self, drop: float) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(DIM, eps=NORM_EPS)
        self.attention = PackedAttention()
        self.norm_mlp = nn.LayerNorm(DIM, eps=NORM_EPS)
        self.mlp = Mlp(DIM, activation="gelu")
        self.drop_path = DropPath(drop)
        for linear in (*self.attention.children(), self.mlp.expand, self.mlp.contract):
            assert isinstance(linear, nn.Linear)
            nn.init.trunc_normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)

    def forward(
        self, tokens: Float[Tensor, "clip frame token dim"], *, keep: int | None = None
    ) -> Float[Tensor, "clip frame kept dim"]:
        """Return the first `keep` tokens only (default all): of the last block, the class token is all that is read."""
        attended = self.attention(
            rearrange(self.norm_attention(tokens), "clip frame token dim -> (clip frame) token dim"), keep=keep
        )
        stream = tokens[:, :, :keep] + self.drop_path(
            rearrange(attended, "(clip frame) token dim -> clip frame token dim", clip=tokens.shape[0])
        )
        return stream + self.drop_path(self.mlp(self.norm_mlp(stream)))


class PackedAttention(nn.Module):
    """Tokens attend to each other; one projection gives query, key and value, as in the published weights."""

    def __init__(self) -> None:
        super().__init__()
        self.query_key_value = nn.Linear(DIM, 3 * DIM)
        self.out = nn.Linear(DIM, DIM)

    def forward(self, tokens: Float[Tensor, "image token dim"], *, keep: int | None) -> Float[Tensor, "image kept dim"]:
        query, key, value = rearrange(
            self.query_key_value(tokens),
            "image token (three head dim) -> three image head token dim",
            three=3,
            head=HEADS,
        )
        mixed = functional.scaled_dot_product_attention(query[:, :, :keep], key, value)
        return self.out(rearrange(mixed, "image head token dim -> image token (head dim)"))


class DropPath(nn.Module):
    """Leaves a branch out for some of the clips, all frames of a clip alike, and strengthens it in the others."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, branch: Float[Tensor, "clip frame token dim"]) -> Float[Tensor, "clip frame token dim"]:
        kept = functional.dropout(branch.new_ones(branch.shape[0], 1, 1, 1), self.probability, self.training)
        return branch * kept


def _drop(block: int) -> float:
    return LARGEST_DROP * block / (BLOCKS - 1)


def patch_grid(image_size: tuple[int, int]) -> tuple[int, int]:
    """Patches down and across; not positive where a frame does not hold one."""
    height, width = image_size
    return (height - PATCH) // STRIDE + 1, (width - PATCH) // STRIDE + 1


def vit_names(trunk: str, last_blocks: tuple[str, ...], grid: tuple[int, int]) -> PublishedNames:
    """The names that timm gives the tensors of ViT-B/16, and where they belong.

    Args:
        trunk: the place of a `ViTFrames`.
        last_blocks: the places of what `make_last_block` made.
        grid: patches down and across.
    """
    targets: dict[str, tuple[str, ...]] = {
        "cls_token": (f"{trunk}.class_token",),
        "pos_embed": (f"{trunk}.position_table",),
    }
    for tensor in _TENSORS:
        targets[f"patch_embed.proj.{tensor}"] = (f"{trunk}.patches.{tensor}",)
        targets[f"norm.{tensor}"] = tuple(f"{place}.1.{tensor}" for place in last_blocks)
        for block in range(BLOCKS):
            places = (f"{trunk}.blocks.{block}",) if block < BLOCKS - 1 else tuple(f"{last}.0" for last in last_blocks)
            for theirs, ours in _OF_BLOCK.items():
                targets[f"blocks.{block}.{theirs}.{tensor}"] = tuple(f"{place}.{ours}.{tensor}" for place in places)
    return PublishedNames(
        targets=targets,
        dropped={f"head.{tensor}": "the classifier of ImageNet" for tensor in _TENSORS},
        position_table=PositionTable(name="pos_embed", grid=PUBLISHED_GRID, target=grid),
    )
