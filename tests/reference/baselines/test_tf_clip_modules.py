"""TF-CLIP's two modules, at small widths, against the stored outputs of the original; see README.md.

Our attention of frames has its query apart from key and value; the original packs the three, and so does PyTorch.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from einops import rearrange

from skyreid.baselines.tf_clip import MemoryDiffusion, SequencePrompt
from tests.reference.baselines.recipe import drawn_weights
from tests.reference.comparison import assert_all_close, compare

FOLDER = Path(__file__).parent / "tfclip_modules"
CLOSE = 1e-12
DIFFUSION = [
    ("^", "resblocks.0."),
    ("message_attention", "message_attn"),
    ("norm_message", "message_ln"),
    ("norm_attention", "ln_1"),
    ("norm_mlp", "ln_2"),
    (r"\.attention\.", ".attn."),
    (r"\.message\.", ".message_fc."),
    (r"\.expand\.", ".c_fc."),
    (r"\.contract\.", ".c_proj."),
    (r"\.(query|key_value)\.", ".in_proj_"),
    (r"\.out\.", ".out_proj."),
]
PROMPT = [
    (r"^seen\.", "memory_proj."),
    (r"^memories\.", "text_proj."),
    (r"^layers\.", "decoder."),
    (r"^out\.", "out_proj."),
    ("self_attention", "self_attn"),
    ("cross_attention", "cross_attn"),
    (r"\.(q|k|v)(uery|ey|alue)\.", r".\1_proj."),
    (r"attn\.out\.", "attn.proj."),
    ("norm_self", "norm1"),
    ("norm_cross", "norm2"),
    ("norm_mlp", "norm3"),
    (r"^unused\.", ""),
]
"""Regular expressions and their replacements, from our names to the stored ones."""


@pytest.fixture(scope="module")
def spec():
    return json.loads((FOLDER / "spec.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def stored():
    with np.load(FOLDER / "expected_f64.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays}


def filled(module, steps, keys):
    """Give the module the recipe's weights; also, the stored names that it has a use for."""
    shapes = {name: tuple(shape) for name, shape in keys}
    used = set()
    with torch.no_grad():
        for name, tensor in module.double().state_dict().items():
            theirs = name
            for pattern, replacement in steps:
                theirs = re.sub(pattern, replacement, theirs)
            weights = torch.from_numpy(drawn_weights(theirs, shapes[theirs]))
            if "in_proj" in theirs:
                third = len(weights) // 3
                weights = weights[:third] if ".query." in name else weights[third:]
            tensor.copy_(weights)
            used.add(theirs)
    return module.eval(), used


@torch.no_grad()
def test_memory_diffusion_matches_the_original(spec, stored):
    told = spec["tmd"]
    assert told["layers"] == 1
    module, used = filled(MemoryDiffusion(told["width"], heads=told["heads"]), DIFFUSION, told["keys"])
    tokens = rearrange(stored["tmd_in"], "token (clip frame) dim -> clip frame token dim", frame=told["T"])
    ours = rearrange(module(tokens), "clip frame token dim -> token (clip frame) dim")
    assert used == {name for name, _ in told["keys"]}
    assert_all_close([compare("memory diffusion", ours, stored["tmd_out"], CLOSE)])


@torch.no_grad()
def test_the_sequence_prompt_matches_the_original(spec, stored):
    told = spec["ssp"]
    module, used = filled(SequencePrompt(told["embed_dim"]), PROMPT, told["keys"])
    assert used == {name for name, _ in told["keys"]}
    assert_all_close(
        [compare("sequence prompt", module(stored["ssp_text"], stored["ssp_visual"]), stored["ssp_out"], CLOSE)]
    )


def test_the_full_modules_have_as_many_parameters_as_the_original(spec):
    with torch.device("meta"):
        modules = {"TMD": MemoryDiffusion(768, heads=12), "SSP": SequencePrompt(512)}
    counts = {name: sum(p.numel() for p in module.parameters()) for name, module in modules.items()}
    assert counts == spec["full_params"]
