"""CLIP as open_clip keeps it: OpenAI's names in a plain state dict, without the sizes.

The file does not say which activation it was trained with, and both kinds carry the same names:
OpenAI, MetaCLIP and DFN weights have QuickGELU, as the towers here compute; most LAION and DataComp
weights have GELU and would give wrong features without any sign of it. open_clip itself tells them
apart by the name of the architecture (`ViT-B-16-quickgelu`), and so the format is called
`open-clip-quickgelu`: whoever names it has said which.
"""

from pathlib import Path

from skyreid.models.clip_pair import ClipPair
from skyreid.pretrained.importer import Imported, ImportOptions
from skyreid.pretrained.openai import pair_from_openai
from skyreid.pretrained.untrusted_file import read_untrusted_state


def read(file: Path, options: ImportOptions) -> Imported[ClipPair]:
    """Read `open_clip_pytorch_model.bin` or `open_clip_model.safetensors` of a QuickGELU model."""
    options.refuse_all_but("image_size")
    return pair_from_openai(read_untrusted_state(file).without_prefix("module."), image_size=options.image_size)
