"""The configuration of a model of the authors' program, read off its checkpoint.

Two things a file does not tell:

- the grid of patches: taken to be twice as high as wide (256 x 128 pixels are 16 x 8 patches);
- whether the adapters were used: an FT-CLIP checkpoint carries adapters that never ran, under the
  same names. The user says so; the platform prompt then goes too, since the authors' program
  ignores it without adapters (METHOD section 2).
"""

from skyreid.models.identity_prompt import IdentityPromptConfig
from skyreid.models.image_tower import AdapterConfig, ImageTowerConfig
from skyreid.models.platform_prompt import PlatformPromptConfig
from skyreid.models.tower_pair import BARE
from skyreid.models.vsla_clip import VslaClipConfig
from skyreid.pretrained.foreign_state import ForeignState
from skyreid.pretrained.importer import Adapters
from skyreid.pretrained.openai_names import BLOCKS
from skyreid.pretrained.sizes import image_sizes, standing_grid, text_config
from skyreid.tracklet import PLATFORMS

IMAGE = "image_encoder."
TEXT = "text_encoder."
SUFFIX = "prompt_learner.token_suffix"


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
