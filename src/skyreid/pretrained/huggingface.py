"""CLIP as Hugging Face's `CLIPModel` keeps it: `model.safetensors` or `pytorch_model.bin` of a folder.

The `config.json` of the same folder is read too: activation, heads and LayerNorm's epsilon are in no
tensor, and LAION's weights of the same names have another activation. The state is translated into
OpenAI's names and then read as OpenAI's.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from skyreid.errors import CheckpointError
from skyreid.models.clip_pair import ClipPair
from skyreid.models.text_tower import HEAD_WIDTH
from skyreid.pretrained.clip_names import BLOCKS
from skyreid.pretrained.foreign_state import ForeignState
from skyreid.pretrained.importer import Imported, ImportOptions
from skyreid.pretrained.pair_assembly import TOKEN_EMBEDDING, assemble_pair
from skyreid.pretrained.untrusted_file import read_untrusted_state

HF_TOKEN_EMBEDDING = "text_model.embeddings.token_embedding.weight"
LINEAR_LEAVES = ("weight", "bias")
BLOCK = {
    **{
        f"attn.in_proj_{leaf}": tuple(f"self_attn.{part}_proj.{leaf}" for part in ("q", "k", "v"))
        for leaf in LINEAR_LEAVES
    },
    **{
        f"{theirs}.{leaf}": (f"{hf}.{leaf}",)
        for theirs, hf in (
            ("attn.out_proj", "self_attn.out_proj"),
            ("ln_1", "layer_norm1"),
            ("mlp.c_fc", "mlp.fc1"),
            ("mlp.c_proj", "mlp.fc2"),
            ("ln_2", "layer_norm2"),
        )
        for leaf in LINEAR_LEAVES
    },
}
"""OpenAI's name to the names whose rows it packs."""
