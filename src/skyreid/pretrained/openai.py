"""CLIP in OpenAI's names: as OpenAI publishes it, and as open_clip keeps it.

OpenAI's file is a TorchScript archive (`ViT-B-16.pt`), or its plain state dict. open_clip's is a plain state dict
without the sizes, which does not say which activation it was trained with, and both kinds carry the same names:
OpenAI, MetaCLIP and DFN weights have QuickGELU; most LAION and DataComp weights have GELU. open_clip itself tells them
apart by the name of the architecture (`ViT-B-16-quickgelu`); here whoever imports says it, and what is assumed
otherwise is reported.
"""

from dataclasses import replace
from pathlib import Path

from skyreid.models.tower_pair import TowerPair
from skyreid.models.transformer import Activation
from skyreid.pretrained.assembling import LOGIT_SCALE, assemble_pair
from skyreid.pretrained.foreign_state import ForeignState, read_untrusted_state
from skyreid.pretrained.importer import Imported, ImportOptions

DROPPED = LOGIT_SCALE | dict.fromkeys(
    ("input_resolution", "context_length", "vocab_size"), "a size, which the shapes tell as well"
)
MASK = "attn_mask"
LANDMARK = "visual.conv1.weight"
ACTIVATION_ASSUMED = (
    "activation quick-gelu, as OpenAI's; if open_clip's name of the model lacks -quickgelu, say --activation gelu"
)
NORMALIZATION_ASSUMED = "frames normalised by OpenAI's mean and standard deviation, as open_clip's default is"


def read_openai(file: Path, options: ImportOptions) -> Imported[TowerPair]:
    """Read OpenAI's archive. The code inside it is neither run nor read."""
    options.refuse_all_but("image_size")
    state = read_untrusted_state(file, landmark=LANDMARK, inside=options.inside)
    return pair_from_openai(state, image_size=options.image_size)


def read_open_clip(file: Path, options: ImportOptions) -> Imported[TowerPair]:
    """Read `open_clip_pytorch_model.bin` or `open_clip_model.safetensors`."""
    options.refuse_all_but("image_size", "activation")
    state = read_untrusted_state(file, landmark=LANDMARK, inside=options.inside)
    imported = pair_from_openai(state, image_size=options.image_size, activation=options.activation or "quick-gelu")
    assumed = () if options.activation else (ACTIVATION_ASSUMED,)
    return replace(imported, assumed=(*assumed, NORMALIZATION_ASSUMED))


def pair_from_openai(
    state: ForeignState, *, image_size: tuple[int, int] | None, activation: Activation = "quick-gelu"
) -> Imported[TowerPair]:
    """Read a state dict in OpenAI's own names (`visual.*`, `transformer.*`, ...).

    Raises:
        CheckpointError: keys or shapes that do not add up.
    """
    masks = {name: "the causal mask, which is computed" for name in state.tensors if name.split(".")[-1] == MASK}
    return assemble_pair(
        state,
        image_prefix="visual.",
        text_prefix="",
        dropped=DROPPED | masks,
        image_size=image_size,
        activation=activation,
    )
