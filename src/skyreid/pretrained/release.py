"""Checkpoints of the authors' program (FHR-L/VSLA-CLIP), in and out.

Names and layouts: METHOD section 10.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from einops import EinopsError, rearrange
from torch import Tensor
from torch.nn import functional

from skyreid.errors import CheckpointError
from skyreid.feeding import IMAGENET
from skyreid.models.identity_prompt import SENTENCES
from skyreid.models.vsla_clip import VslaClip, VslaClipConfig
from skyreid.pretrained.assembling import assemble
from skyreid.pretrained.foreign_state import ForeignState
from skyreid.pretrained.importer import Adapters, Imported, ImportOptions
from skyreid.pretrained.openai_names import (
    BLOCK,
    OUR_BLOCKS,
    OUR_IMAGE_TOWER,
    OUR_TEXT_TOWER,
    Names,
    block_names,
    image_tower_names,
    pack,
    text_tower_names,
    unpack,
)
from skyreid.pretrained.release_config import IMAGE, SUFFIX, TEXT, config_of_release
from skyreid.pretrained.untrusted_file import read_untrusted_state

INTRA_FRAME: Names = {
    "dat.down.weight": ("intra_frame.down.weight",),
    "dat.down.bias": ("intra_frame.down.bias",),
    "dat.up.weight": ("intra_frame.up.weight",),
    "dat.up.bias": ("intra_frame.up.bias",),
}
CROSS_FRAME: Names = {
    "dat_cross.down.weight": ("cross_frame.down.weight",),
    "dat_cross.down.bias": ("cross_frame.down.bias",),
    "dat_cross.temporal_block.temporal_attn.in_proj_weight": (
        "cross_frame.attention.query.weight",
        "cross_frame.attention.key_value.weight",
    ),
    "dat_cross.temporal_block.temporal_attn.in_proj_bias": (
        "cross_frame.attention.query.bias",
        "cross_frame.attention.key_value.bias",
    ),
    "dat_cross.temporal_block.temporal_attn.out_proj.weight": ("cross_frame.attention.out.weight",),
    "dat_cross.temporal_block.temporal_attn.out_proj.bias": ("cross_frame.attention.out.bias",),
    "dat_cross.up.weight": ("cross_frame.up.weight",),
    "dat_cross.up.bias": ("cross_frame.up.bias",),
}
HEADS: Names = {
    f"{theirs}{suffix}.{leaf}": (f"{ours}.{leaf}",)
    for suffix, head in (("", "head_final"), ("_proj", "head_joint"))
    for theirs, ours, leaves in (
        ("classifier", f"{head}.classifier", ("weight",)),
        ("bottleneck", f"{head}.norm", ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")),
    )
    for leaf in leaves
}
PLATFORM_PROMPT: Names = {"cv_embed": ("encoder.platform_prompt.prompts",)}
SENTENCE: Names = {
    "prompt_learner.cls_ctx": ("identity_prompt.identity",),
    "prompt_learner.token_prefix": ("identity_prompt.fixed_before",),
    SUFFIX: ("identity_prompt.fixed_after",),
}
SHARED_PROMPTS: Names = {
    "prompt_learner.prefix_prompt": ("identity_prompt.shared_before",),
    "prompt_learner.suffix_prompt": ("identity_prompt.shared_after",),
}
LAYOUTS = {
    "cv_embed": ("depth length platform dim", "platform depth length dim"),
    "prompt_learner.token_prefix": ("1 token dim", "token dim"),
    SUFFIX: ("1 token dim", "token dim"),
    "prompt_learner.prefix_prompt": ("1 token dim", "token dim"),
    "prompt_learner.suffix_prompt": ("1 token dim", "token dim"),
}
"""Tensors that the release lays out differently: its axes, ours."""
LANDMARK = "prompt_learner.cls_ctx"
DROPPED = {"logit_scale": "CLIP's temperature; the release never multiplies by it"}


def model_from_release(state: Mapping[str, Tensor], *, adapters: Adapters = "used") -> VslaClip:
    """Rebuild the authors' trained model from its state dict, with or without the `module.` prefix.

    Args:
        state: the release's names and shapes.
        adapters: "unused" for FT-CLIP and stage-1 checkpoints: their adapters, and with them the
            platform prompt, never ran and are left out.

    Raises:
        CheckpointError: keys or shapes that do not add up; cameras other than one on the ground and
            one in the air; adapters that are said to be used but stand as they were initialised.
    """
    return _read_state(ForeignState(tensors=state, origin="release checkpoint"), adapters=adapters).module


def read(file: Path, options: ImportOptions) -> Imported[VslaClip]:
    """Read a checkpoint file of the release: `ViT-B-16_120.pth` and the like.

    Raises:
        CheckpointError: as `model_from_release`, or frames of a size that it was not trained for.
    """
    options.refuse_all_but("image_size", "adapters")
    state = read_untrusted_state(file, landmark=f"{IMAGE}conv1.weight", inside=options.inside)
    imported = _read_state(state, adapters=options.adapters)
    own = imported.module.config.image.image_size
    if options.image_size not in (None, own):
        raise CheckpointError(f"{file}: was trained for frames of {own}; asked for {options.image_size}")
    return imported


def release_names(config: VslaClipConfig) -> Names:
    """Release name to our parameter and buffer names, for the whole of a model of this configuration."""
    adapters = config.image.adapters
    block = BLOCK | (INTRA_FRAME if adapters.intra_frame else {}) | (CROSS_FRAME if adapters.cross_frame else {})
    return (
        image_tower_names(IMAGE, layers=config.image.layers, block=block)
        | text_tower_names(TEXT, layers=config.text.layers)
        | HEADS
        | SENTENCE
        | (PLATFORM_PROMPT if config.platform_prompt.depth else {})
        | (SHARED_PROMPTS if config.identity_prompt.sentence == "shared-prompt" else {})
    )


def to_release_state(named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Pack tensors under our names (weights, gradients; any part of a model) as the release has them.

    Of the fixed words the release stores all positions up to the end of its position table; those
    after the end-of-text token, which reach no feature, are zeros here.

    Raises:
        CheckpointError: a name that is none of ours; half of a packed tensor without the other;
            fixed words without the tensors that tell how long the sentence is.
    """
    # The CLIP-ReID sentence has no shared prompts: ours are empty, the release has none.
    empty = {ours for (ours,) in SHARED_PROMPTS.values() if ours in named and not named[ours].numel()}
    given = {name: tensor for name, tensor in named.items() if name not in empty}
    names = (
        image_tower_names(
            IMAGE,
            layers=_layers_up_to_last(given, OUR_IMAGE_TOWER + OUR_BLOCKS),
            block=BLOCK | INTRA_FRAME | CROSS_FRAME,
        )
        | text_tower_names(TEXT, layers=_layers_up_to_last(given, OUR_TEXT_TOWER + OUR_BLOCKS))
        | HEADS
        | PLATFORM_PROMPT
        | SENTENCE
        | SHARED_PROMPTS
    )
    packed = pack(given, names)
    for name, (theirs, ours) in LAYOUTS.items():
        if name in packed:
            packed[name] = rearrange(packed[name], f"{ours} -> {theirs}")
    if SUFFIX in packed:
        padding = _positions_after(packed) - packed[SUFFIX].shape[1]
        packed[SUFFIX] = functional.pad(packed[SUFFIX], (0, 0, 0, padding))
    return packed


def _read_state(state: ForeignState, *, adapters: Adapters) -> Imported[VslaClip]:
    config = config_of_release(state, adapters=adapters)
    names = release_names(config)
    reasons = dict(DROPPED)
    if adapters == "unused":
        dead = block_names(INTRA_FRAME | CROSS_FRAME, IMAGE, "", layers=config.image.layers) | PLATFORM_PROMPT
        reasons |= dict.fromkeys(dead, "adapters and platform prompt that never ran")
    dropped = state.account(mapped=names, dropped=reasons)
    num_identities, _ = state.shape("classifier.weight", axes=2)
    words_after = len(SENTENCES[config.identity_prompt.sentence][1])
    weights: dict[str, Tensor] = {}
    for name, ours in names.items():
        tensor = _in_our_layout(state, name)
        if name == SUFFIX:  # beyond the end-of-text token nothing reaches a feature
            tensor = tensor[:words_after]
        with state.blamed():
            weights |= unpack(tensor, ours, name=name)
    if config.identity_prompt.sentence == "clip-reid":  # our model keeps empty shared prompts for it
        weights |= {ours: torch.empty(0, config.text.width) for (ours,) in SHARED_PROMPTS.values()}
    module = assemble(state, lambda: VslaClip(config, num_identities=num_identities), weights)
    return Imported(module=module, mapped=len(names), dropped=dropped, normalization=IMAGENET)


def _in_our_layout(state: ForeignState, name: str) -> Tensor:
    tensor = state.tensors[name]
    if name not in LAYOUTS:
        return tensor
    theirs, ours = LAYOUTS[name]
    try:
        return rearrange(tensor, f"{theirs} -> {ours}")
    except EinopsError as error:
        raise state.refusal(f"{name} must be [{theirs}]; got shape {list(tensor.shape)}") from error


def _positions_after(packed: Mapping[str, Tensor]) -> int:
    """Positions of the text tower that follow the learned part of the sentence."""
    table = f"{TEXT}positional_embedding"
    needed = (table, "prompt_learner.token_prefix", "prompt_learner.cls_ctx")
    if absent := [name for name in needed if name not in packed]:
        raise CheckpointError(f"{SUFFIX} cannot be laid out without {', '.join(absent)}")
    before = sum(packed[name].shape[1] for name in (*needed[1:], *SHARED_PROMPTS) if name in packed)
    return packed[table].shape[0] - before


def _layers_up_to_last(named: Mapping[str, Tensor], prefix: str) -> int:
    numbers = [int(name.removeprefix(prefix).split(".", 1)[0]) for name in named if name.startswith(prefix)]
    return max(numbers, default=-1) + 1
