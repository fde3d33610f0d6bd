"""ViFi-CLIP as its authors publish it (muzairkhattak/ViFi-CLIP): a training checkpoint.

The weights stand under "model". The token embedding was frozen and kept out of the model, so the file
lacks it, and OpenAI's table is the right one (METHOD section 10): it comes from a second file.
"""

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from skyreid.errors import CheckpointError
from skyreid.feeding import IMAGENET
from skyreid.models.tower_pair import TowerPair
from skyreid.pretrained.assembling import LOGIT_SCALE, TOKEN_EMBEDDING, assemble_pair
from skyreid.pretrained.foreign_state import read_untrusted_state
from skyreid.pretrained.huggingface import HF_TOKEN_EMBEDDING
from skyreid.pretrained.importer import Imported, ImportOptions

IMAGE = "image_encoder."
LANDMARK = f"{IMAGE}conv1.weight"
ASSUMED = "frames normalised by ImageNet's mean and standard deviation, as video models usually are"
DROPPED = LOGIT_SCALE | {
    "prompt_learner.complete_text_embeddings": "the embedded names of the actions it was trained on",
}


def read(file: Path, options: ImportOptions) -> Imported[TowerPair]:
    """Read the checkpoint, and the token embedding from the file that the options name.

    Raises:
        CheckpointError: no file with a token embedding is named, or it has none.
    """
    options.refuse_all_but("image_size", "token_embedding")
    if options.token_embedding is None:
        raise CheckpointError(
            f"{file}: a ViFi-CLIP file has no token embedding; OpenAI's is the right one: name OpenAI's ViT-B-16.pt "
            "(or its Hugging Face file) with --token-embedding"
        )
    state = read_untrusted_state(file, landmark=LANDMARK, inside=options.inside)
    tensors = {**state.tensors, TOKEN_EMBEDDING: _token_embedding(options.token_embedding)}
    imported = assemble_pair(
        replace(state, tensors=tensors),
        image_prefix=IMAGE,
        text_prefix="text_encoder.",
        dropped=DROPPED,
        image_size=options.image_size,
    )
    return replace(imported, normalization=IMAGENET, assumed=(ASSUMED,))


def _token_embedding(file: Path) -> Tensor:
    """Take one tensor out of a file; the rest of that file is on purpose not used."""
    state = read_untrusted_state(file, landmark=TOKEN_EMBEDDING)
    for name in (TOKEN_EMBEDDING, HF_TOKEN_EMBEDDING):
        if name in state.tensors:
            return state.tensors[name]
    raise state.refusal(f"has no token embedding ({TOKEN_EMBEDDING} or {HF_TOKEN_EMBEDDING})")
