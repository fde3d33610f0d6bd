"""Checkpoints of the authors' program (FHR-L/VSLA-CLIP).

Names and layouts: METHOD section 10. The configuration is read off the tensors, and two things a file does not tell:

- the grid of patches: taken to be twice as high as wide (256 x 128 pixels are 16 x 8 patches);
- whether the adapters were used: an FT-CLIP checkpoint carries adapters that never ran, under the same names. The user
  says so; the platform prompt then goes too, since the authors' program ignores it without adapters (METHOD section 2).
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from einops import EinopsError, rearrange
from torch import Tensor

from skyreid.errors import CheckpointError
from skyreid.feeding import IMAGENET
from skyreid.models.identity_prompt import SENTENCES, IdentityPromptConfig
from skyreid.models.image_tower import AdapterConfig, ImageTowerConfig
from skyreid.models.platform_prompt import PlatformPromptConfig
from skyreid.models.tower_pair import BARE
from skyreid.models.vsla_clip import VslaClip, VslaClipConfig
from skyreid.pretrained.assembling import assemble, image_sizes, standing_grid, text_config
from skyreid.pretrained.foreign_state import ForeignState, read_untrusted_state
from skyreid.pretrained.importer import Adapters, Imported, ImportOptions
from skyreid.pretrained.openai_names import (
    BLOCK,
    BLOCKS,
    Names,
    block_names,
    image_tower_names,
    text_tower_names,
    unpack,
)
from skyreid.tracklet import PLATFORMS

IMAGE = "image_encoder."
TEXT = "text_encoder."
SUFFIX = "prompt_learner.token_suffix"
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


def config_of_release(state: ForeignState, *, adapters: Adapters) -> VslaClipConfig:
    """Read every size off the shapes.

    Raises:
        CheckpointError: a tensor that tells a size is missing or contradicts another; cameras other
            than two; adapters that are said to be used but stand as they were initialised.
    """
    sizes = image_sizes(state, IMAGE)
    rows, columns = standing_grid(state, patches=sizes.patches)
    text = text_config(state, TEXT)
    if adapters == "used":
        _refuse_untouched_adapters(state, layers=sizes.layers)
    with state.blamed():
        return VslaClipConfig(
            image=ImageTowerConfig(
                image_size=(rows * sizes.patch_size, columns * sizes.patch_size),
                patch_size=sizes.patch_size,
                stride=sizes.patch_size,
                width=sizes.width,
                layers=sizes.layers,
                adapters=_adapters(state) if adapters == "used" else BARE,
            ),
            text=text,
            embed_dim=sizes.embed_dim,
            platform_prompt=_platform_prompt(state) if adapters == "used" else PlatformPromptConfig(),
            identity_prompt=_sentence(state, context_length=text.context_length),
        )


def _adapters(state: ForeignState) -> AdapterConfig:
    def bottleneck(adapter: str) -> int | None:
        name = f"{IMAGE}{BLOCKS}0.{adapter}.down.weight"
        return state.shape(name, axes=2)[0] if name in state.tensors else None

    return AdapterConfig(intra_frame=bottleneck("dat"), cross_frame=bottleneck("dat_cross"))


def _refuse_untouched_adapters(state: ForeignState, *, layers: int) -> None:
    """Attention biases start as exact zeros, and one step of training moves them all."""
    attention = "dat_cross.temporal_block.temporal_attn."
    biases = [
        state.tensors[name]
        for layer in range(layers)
        for leaf in ("in_proj_bias", "out_proj.bias")
        if (name := f"{IMAGE}{BLOCKS}{layer}.{attention}{leaf}") in state.tensors
    ]
    if biases and not any(bias.any() for bias in biases):
        raise state.refusal(
            "every attention bias of the cross-frame adapters is exactly 0, as it was initialised: the "
            "adapters were not trained (FT-CLIP or stage 1); import with adapters='unused' (--adapters unused)"
        )


def _platform_prompt(state: ForeignState) -> PlatformPromptConfig:
    if "cv_embed" not in state.tensors:
        return PlatformPromptConfig()
    depth, length, cameras, _ = state.shape("cv_embed", axes=4)
    if cameras != len(PLATFORMS):
        raise state.refusal(
            f"cv_embed must hold prompts of {len(PLATFORMS)} cameras, the first on the ground and the second "
            f"in the air; got {cameras} cameras"
        )
    return PlatformPromptConfig(depth=depth, length=length)


def _sentence(state: ForeignState, *, context_length: int) -> IdentityPromptConfig:
    """Tell which sentence was learned by the words before it: the start mark alone, or "A photo of a"."""
    words = state.shape("prompt_learner.token_prefix", axes=3)[1]
    identity = state.shape("prompt_learner.cls_ctx", axes=3)[1]
    after = state.shape(SUFFIX, axes=3)[1]
    shared = state.shape("prompt_learner.prefix_prompt", axes=3)[1] if words == 1 else 0
    if words not in (1, 5):
        raise state.refusal(f"prompt_learner.token_prefix must hold 1 word or 5; got {words}")
    if words + 2 * shared + identity + after != context_length:
        raise state.refusal(
            f"the learned sentence must fill the {context_length} positions of the text tower; its parts "
            f"are {words} + {shared} + {identity} + {shared} + {after} long"
        )
    if words == 1:
        return IdentityPromptConfig(sentence="shared-prompt", identity_length=identity, shared_length=shared)
    return IdentityPromptConfig(sentence="clip-reid", identity_length=identity)


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


def _in_our_layout(state: ForeignState, name: str) -> Tensor:
    tensor = state.tensors[name]
    if name not in LAYOUTS:
        return tensor
    theirs, ours = LAYOUTS[name]
    try:
        return rearrange(tensor, f"{theirs} -> {ours}")
    except EinopsError as error:
        raise state.refusal(f"{name} must be [{theirs}]; got shape {list(tensor.shape)}") from error
