"""A model of ours around tensors that came from elsewhere."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import isqrt
from typing import TypeVar

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, cat, nn
from torch.nn import functional

from skyreid.models.image_tower import ImageTowerConfig
from skyreid.models.text_tower import TextTowerConfig
from skyreid.models.tower_pair import BARE, TowerPair
from skyreid.models.transformer import Activation
from skyreid.models.vsla_clip import VslaClipConfig
from skyreid.pretrained.foreign_state import ForeignState
from skyreid.pretrained.importer import Imported
from skyreid.pretrained.openai_names import BLOCKS, image_tower_names, text_tower_names, unpack

Model = TypeVar("Model", bound=nn.Module)
IMAGE_SIZE = (256, 128)
"""(height, width) that the method's frames have (METHOD section 1)."""
LOGIT_SCALE = {"logit_scale": "CLIP's temperature; the losses here have their own, which the recipes set"}
TOKEN_EMBEDDING = "token_embedding.weight"
OTHER_ARCHITECTURES = {
    "visual.layer1.": "a ResNet image tower",
    "visual.trunk.": "an image tower of timm",
    "visual.attn_pool.": "an attention-pooled image tower (CoCa, SigLIP)",
    "visual.transformer.resblocks.0.ls_1.": "an image tower with layer scale",
    "text.": "a text tower of another library",
    "text_decoder.": "a text decoder (CoCa)",
}
"""What key names betray of models whose towers are not ours."""
OTHER_HEAD_WIDTHS = {1280: "ViT-H (heads of 80)", 1408: "ViT-g (heads of 88)", 1664: "ViT-bigG (heads of 104)"}
"""Image tower widths of the published CLIPs whose heads are not 64 wide."""


def assemble(state: ForeignState, build: Callable[[], Model], weights: Mapping[str, Tensor]) -> Model:
    """Build a model and give it `weights`, copied to its own dtypes (float32; BatchNorm counts in int64).

    The model is built without memory first: sizes that a hostile file claims cost nothing before
    every shape has been compared.

    Args:
        state: where the weights come from; a refusal names it.
        build: makes the model; sizes that it refuses are the file's.
        weights: under our names, all of them.

    Raises:
        CheckpointError: shapes that do not fit, numbers that are not finite, integers where weights
            belong.
    """
    with torch.device("meta"), state.blamed():
        model = build()
    own = model.state_dict()
    converted = {}
    for name, tensor in weights.items():
        wanted = own[name]
        if tensor.shape != wanted.shape:
            raise state.refusal(f"{name} has shape {list(tensor.shape)}; the other tensors want {list(wanted.shape)}")
        if wanted.is_floating_point() and not tensor.is_floating_point():
            raise state.refusal(f"{name} must hold floating-point numbers; got {tensor.dtype}")
        if not torch.isfinite(tensor).all():
            raise state.refusal(f"{name} holds numbers that are not finite")
        converted[name] = tensor.detach().to(wanted.dtype, copy=True, memory_format=torch.contiguous_format)
    model.load_state_dict(converted, strict=True, assign=True)
    return model


def assemble_pair(
    state: ForeignState,
    *,
    image_prefix: str,
    text_prefix: str,
    dropped: Mapping[str, str],
    image_size: tuple[int, int] | None,
    activation: Activation = "quick-gelu",
) -> Imported[TowerPair]:
    """Account for every key, read the sizes off the shapes, resize the position table.

    Args:
        state: OpenAI's names under the prefixes; the token embedding without one.
        image_prefix: of the image tower.
        text_prefix: of the text tower.
        dropped: keys that may be there and are not used, with the reasons.
        image_size: (height, width) of our frames; None = 256 x 128.
        activation: of both towers.

    Raises:
        CheckpointError: another architecture, keys or shapes that do not add up.
    """
    for prefix, architecture in OTHER_ARCHITECTURES.items():
        if any(name.startswith(prefix) for name in state.tensors):
            raise state.refusal(f"has {architecture} ({prefix}*); only ViT image towers with CLIP's text tower fit")
    sizes = image_sizes(state, image_prefix)
    text = text_config(state, text_prefix)
    names = (
        image_tower_names(image_prefix, layers=sizes.layers)
        | text_tower_names(text_prefix, layers=text.layers)
        | {TOKEN_EMBEDDING: (TOKEN_EMBEDDING,)}
    )
    left_out = state.account(mapped=names, dropped=dropped)
    vocabulary, _ = state.shape(TOKEN_EMBEDDING, axes=2)
    with state.blamed():
        config = VslaClipConfig(
            image=ImageTowerConfig(
                image_size=image_size or IMAGE_SIZE,
                patch_size=sizes.patch_size,
                stride=sizes.patch_size,
                width=sizes.width,
                layers=sizes.layers,
                activation=activation,
                adapters=BARE,
            ),
            text=replace(text, activation=activation),
            embed_dim=sizes.embed_dim,
        )
    weights: dict[str, Tensor] = {}
    with state.blamed():
        for name, ours in names.items():
            weights |= unpack(state.tensors[name], ours, name=name)
    table = "encoder.tower.position_table"
    weights[table] = resize_position_table(
        weights[table].float(), grid=square_grid(state, patches=sizes.patches), target=config.image.grid
    )
    module = assemble(state, lambda: TowerPair(config, vocabulary=vocabulary), weights)
    return Imported(module=module, mapped=len(names), dropped=left_out)


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


def resize_position_table(
    table: Float[Tensor, "position dim"], *, grid: tuple[int, int], target: tuple[int, int]
) -> Float[Tensor, "resized dim"]:
    """Resize the grid of a table bilinearly; row 0, the class token's, stays.

    Args:
        table: row 0, then the grid row by row.
        grid: (rows, columns) of `table`.
        target: (rows, columns) wanted.

    Source: METHOD section 10 (align_corners False, no antialias).
    """
    patches = rearrange(table[1:], "(row column) dim -> 1 dim row column", row=grid[0], column=grid[1])
    resized = functional.interpolate(patches, size=target, mode="bilinear", align_corners=False)
    return cat([table[:1], rearrange(resized, "1 dim row column -> (row column) dim")])
