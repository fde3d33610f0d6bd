"""CLIP as OpenAI publishes it: a TorchScript archive (`ViT-B-16.pt`), or its plain state dict."""

from pathlib import Path

from skyreid.models.mlp import Activation
from skyreid.models.tower_pair import TowerPair
from skyreid.pretrained.foreign_state import ForeignState
from skyreid.pretrained.importer import Imported, ImportOptions
from skyreid.pretrained.pair_assembly import LOGIT_SCALE, assemble_pair
from skyreid.pretrained.untrusted_file import read_untrusted_state

DROPPED = LOGIT_SCALE | dict.fromkeys(
    ("input_resolution", "context_length", "vocab_size"), "a size, which the shapes tell as well"
)
MASK = "attn_mask"
LANDMARK = "visual.conv1.weight"


def read(file: Path, options: ImportOptions) -> Imported[TowerPair]:
    """Read OpenAI's archive. The code inside it is neither run nor read."""
    options.refuse_all_but("image_size")
    state = read_untrusted_state(file, landmark=LANDMARK, inside=options.inside)
    return pair_from_openai(state, image_size=options.image_size)


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
