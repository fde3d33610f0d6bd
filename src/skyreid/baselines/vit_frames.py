"""ViT-B/16 over frames, with overlapping patches: the trunk of PiT.

Source: A. Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021, in timm's form (pre-norm blocks,
packed query, key and value), with the overlapping patches of S. He et al., TransReID, ICCV 2021.

Every frame is on its own: tokens never look across frames.
"""

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from skyreid.baselines.published_names import PositionTable, PublishedNames
from skyreid.models.mlp import Mlp

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


class ViTFrames(nn.Module):
    """Frames of clips to tokens, class token first, by all blocks but the last, which the method has copies of.

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


def _drop(block: int) -> float:
    return LARGEST_DROP * block / (BLOCKS - 1)
