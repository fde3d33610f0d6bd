"""A pretrained pair of ours from a state dict in OpenAI's names, whatever prefixes they stand under."""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from skyreid.models.image_tower import ImageTowerConfig
from skyreid.models.mlp import Activation
from skyreid.models.tower_pair import BARE, TowerPair
from skyreid.models.vsla_clip import VslaClipConfig
from skyreid.pretrained.assembling import assemble
from skyreid.pretrained.foreign_state import ForeignState
from skyreid.pretrained.importer import Imported
from skyreid.pretrained.openai_names import image_tower_names, text_tower_names, unpack
from skyreid.pretrained.position_table import resize_position_table
from skyreid.pretrained.sizes import image_sizes, square_grid, text_config

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
