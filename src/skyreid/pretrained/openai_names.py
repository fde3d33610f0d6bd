"""OpenAI's names of the CLIP parts and ours: the one table that every format is read through.

OpenAI's names are the common language of this folder: the release and ViFi-CLIP keep them under
a prefix, open_clip has the same, and the Hugging Face names are translated into them.
"""

from typing import TypeAlias

from torch import Tensor

Names: TypeAlias = dict[str, tuple[str, ...]]
"""Foreign name to our names. Two of ours are the rows of one foreign tensor: the query's third,
then the key's and the value's."""

BLOCK: Names = {
    "attn.in_proj_weight": ("attention.query.weight", "attention.key_value.weight"),
    "attn.in_proj_bias": ("attention.query.bias", "attention.key_value.bias"),
    "attn.out_proj.weight": ("attention.out.weight",),
    "attn.out_proj.bias": ("attention.out.bias",),
    "ln_1.weight": ("norm_attention.weight",),
    "ln_1.bias": ("norm_attention.bias",),
    "mlp.c_fc.weight": ("mlp.expand.weight",),
    "mlp.c_fc.bias": ("mlp.expand.bias",),
    "mlp.c_proj.weight": ("mlp.contract.weight",),
    "mlp.c_proj.bias": ("mlp.contract.bias",),
    "ln_2.weight": ("norm_mlp.weight",),
    "ln_2.bias": ("norm_mlp.bias",),
}
IMAGE_TOWER: Names = {
    "class_embedding": ("class_token",),
    "positional_embedding": ("position_table",),
    "proj": ("projection",),
    "conv1.weight": ("patches.weight",),
    "ln_pre.weight": ("norm_pre.weight",),
    "ln_pre.bias": ("norm_pre.bias",),
    "ln_post.weight": ("norm_post.weight",),
    "ln_post.bias": ("norm_post.bias",),
}
TEXT_TOWER: Names = {
    "positional_embedding": ("position_table",),
    "text_projection": ("projection",),
    "ln_final.weight": ("norm_final.weight",),
    "ln_final.bias": ("norm_final.bias",),
}
BLOCKS = "transformer.resblocks."
OUR_BLOCKS = "blocks."
OUR_IMAGE_TOWER = "encoder.tower."
OUR_TEXT_TOWER = "text_tower."


def image_tower_names(prefix: str, *, layers: int, block: Names = BLOCK) -> Names:
    """Names of a whole image tower that the file keeps under `prefix`; ours are those of a TowerPair."""
    return _prefixed(IMAGE_TOWER, prefix, OUR_IMAGE_TOWER) | block_names(block, prefix, OUR_IMAGE_TOWER, layers=layers)


def text_tower_names(prefix: str, *, layers: int) -> Names:
    """Names of a whole text tower that the file keeps under `prefix`; ours are those of a TowerPair."""
    return _prefixed(TEXT_TOWER, prefix, OUR_TEXT_TOWER) | block_names(BLOCK, prefix, OUR_TEXT_TOWER, layers=layers)


def block_names(block: Names, prefix: str, our_prefix: str, *, layers: int) -> Names:
    """Repeat the names of one transformer block for every layer."""
    names: Names = {}
    for layer in range(layers):
        names |= _prefixed(block, f"{prefix}{BLOCKS}{layer}.", f"{our_prefix}{OUR_BLOCKS}{layer}.")
    return names


def _prefixed(names: Names, prefix: str, our_prefix: str) -> Names:
    return {prefix + theirs: tuple(our_prefix + name for name in ours) for theirs, ours in names.items()}


def unpack(tensor: Tensor, ours: tuple[str, ...], *, name: str) -> dict[str, Tensor]:
    """Hand a foreign tensor out under our names.

    Raises:
        ValueError: a packed tensor whose rows are not three equal parts.
    """
    if len(ours) == 1:
        return {ours[0]: tensor}
    rows = len(tensor) if tensor.ndim else 0
    if rows == 0 or rows % 3:
        raise ValueError(f"{name} must hold query, key and value rows, a multiple of 3; got shape {list(tensor.shape)}")
    return dict(zip(ours, tensor.split([rows // 3, rows - rows // 3]), strict=True))
