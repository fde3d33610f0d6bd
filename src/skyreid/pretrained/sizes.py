"""The sizes of a CLIP pair, read off its tensors, so that nobody has to tell them or tells them wrongly.

Heads are the one size that no shape shows. They are 64 channels wide in every model whose towers
ours are; the few CLIPs where they are not are refused by their width.
"""

from dataclasses import dataclass
from math import isqrt

from skyreid.models.text_tower import TextTowerConfig
from skyreid.pretrained.foreign_state import ForeignState
from skyreid.pretrained.openai_names import BLOCKS

OTHER_HEAD_WIDTHS = {1280: "ViT-H (heads of 80)", 1408: "ViT-g (heads of 88)", 1664: "ViT-bigG (heads of 104)"}
"""Image tower widths of the published CLIPs whose heads are not 64 wide."""


@dataclass(frozen=True, kw_only=True)
class ImageSizes:
    width: int
    layers: int
    patch_size: int
    patches: int
    """Rows of the position table without the class token's."""
    embed_dim: int


def image_sizes(state: ForeignState, prefix: str) -> ImageSizes:
    """Read the sizes of the image tower under `prefix`, in OpenAI's names.

    Raises:
        CheckpointError: a tensor is missing or of the wrong kind; patches that are not square;
            heads that are not 64 wide.
    """
    width, _, *patch = state.shape(f"{prefix}conv1.weight", axes=4)
    if patch[0] != patch[1]:
        raise state.refusal(f"patches must be square; got {patch[0]} x {patch[1]}")
    if width in OTHER_HEAD_WIDTHS:
        raise state.refusal(f"is a {OTHER_HEAD_WIDTHS[width]}; the towers here have heads of 64")
    return ImageSizes(
        width=width,
        layers=state.count_layers(f"{prefix}{BLOCKS}"),
        patch_size=patch[0],
        patches=state.shape(f"{prefix}positional_embedding", axes=2)[0] - 1,
        embed_dim=state.shape(f"{prefix}proj", axes=2)[1],
    )


def text_config(state: ForeignState, prefix: str) -> TextTowerConfig:
    """Read the configuration of the text tower under `prefix`, in OpenAI's names.

    Raises:
        CheckpointError: a tensor is missing or of the wrong kind; a width that is no multiple of 64.
    """
    context_length, width = state.shape(f"{prefix}positional_embedding", axes=2)
    layers = state.count_layers(f"{prefix}{BLOCKS}")
    with state.blamed():
        return TextTowerConfig(width=width, layers=layers, context_length=context_length)


def square_grid(state: ForeignState, *, patches: int) -> tuple[int, int]:
    """Rows and columns of a pretrained CLIP, whose frames are square.

    Raises:
        CheckpointError: no square has that many patches.
    """
    side = isqrt(max(patches, 0))
    if side == 0 or side * side != patches:
        raise state.refusal(f"the patches of a pretrained CLIP form a square; got {patches} patches")
    return side, side


def standing_grid(state: ForeignState, *, patches: int) -> tuple[int, int]:
    """Rows and columns where the position table alone must tell: twice as high as wide, as 256 x 128 is.

    Raises:
        CheckpointError: no such grid has that many patches.
    """
    columns = isqrt(max(patches, 0) // 2)
    if columns == 0 or 2 * columns * columns != patches:
        raise state.refusal(f"the patches are taken to stand twice as high as wide; got {patches} patches")
    return 2 * columns, columns
