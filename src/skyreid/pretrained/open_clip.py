"""CLIP as open_clip keeps it: OpenAI's names in a plain state dict, without the sizes.

The file does not say which activation it was trained with, and both kinds carry the same names:
OpenAI, MetaCLIP and DFN weights have QuickGELU; most LAION and DataComp weights have GELU. open_clip
itself tells them apart by the name of the architecture (`ViT-B-16-quickgelu`); here whoever imports
says it, and what is assumed otherwise is reported.
"""

from dataclasses import replace
from pathlib import Path

from skyreid.models.tower_pair import TowerPair
from skyreid.pretrained.importer import Imported, ImportOptions
from skyreid.pretrained.openai import LANDMARK, pair_from_openai
from skyreid.pretrained.untrusted_file import read_untrusted_state

ACTIVATION_ASSUMED = (
    "activation quick-gelu, as OpenAI's; if open_clip's name of the model lacks -quickgelu, say --activation gelu"
)
NORMALIZATION_ASSUMED = "frames normalised by OpenAI's mean and standard deviation, as open_clip's default is"


def read(file: Path, options: ImportOptions) -> Imported[TowerPair]:
    """Read `open_clip_pytorch_model.bin` or `open_clip_model.safetensors`."""
    options.refuse_all_but("image_size", "activation")
    state = read_untrusted_state(file, landmark=LANDMARK, inside=options.inside)
    imported = pair_from_openai(state, image_size=options.image_size, activation=options.activation or "quick-gelu")
    assumed = () if options.activation else (ACTIVATION_ASSUMED,)
    return replace(imported, assumed=(*assumed, NORMALIZATION_ASSUMED))
