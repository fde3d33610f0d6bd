"""CLIP as Hugging Face's `CLIPModel` keeps it: `model.safetensors` or `pytorch_model.bin` of a folder.

The `config.json` and the `preprocessor_config.json` of the same folder are read too: activation, heads, LayerNorm's
epsilon and the mean of the pixels are in no tensor, and LAION's weights have the same names with another activation.
Without them OpenAI's are assumed, and that is reported. The state is translated into OpenAI's names and then read as
OpenAI's.
"""

from pathlib import Path

import torch
from torch import Tensor

from skyreid.errors import CheckpointError
from skyreid.feeding import OPENAI_CLIP, Normalization
from skyreid.files.config_json import from_json
from skyreid.files.strict_json import read_json
from skyreid.models.tower_pair import TowerPair
from skyreid.models.transformer import Activation
from skyreid.pretrained.assembling import LOGIT_SCALE, TOKEN_EMBEDDING, assemble_pair
from skyreid.pretrained.foreign_state import ForeignState, read_untrusted_state
from skyreid.pretrained.importer import Imported, ImportOptions
from skyreid.pretrained.openai_names import BLOCKS, Names

HF_TOKEN_EMBEDDING = "text_model.embeddings.token_embedding.weight"
VISION = "vision_model."
LANDMARK = f"{VISION}embeddings.patch_embedding.weight"
TEXT = "text_model."
LAYERS = "encoder.layers."
LEAVES = ("weight", "bias")
BLOCK: Names = {
    f"attn.in_proj_{leaf}": tuple(f"self_attn.{part}_proj.{leaf}" for part in ("q", "k", "v")) for leaf in LEAVES
} | {
    f"{openai}.{leaf}": (f"{hf}.{leaf}",)
    for openai, hf in (
        ("attn.out_proj", "self_attn.out_proj"),
        ("ln_1", "layer_norm1"),
        ("mlp.c_fc", "mlp.fc1"),
        ("mlp.c_proj", "mlp.fc2"),
        ("ln_2", "layer_norm2"),
    )
    for leaf in LEAVES
}
"""OpenAI's name to the names whose rows it packs."""
TOWERS: Names = {
    "visual.class_embedding": ("vision_model.embeddings.class_embedding",),
    "visual.conv1.weight": ("vision_model.embeddings.patch_embedding.weight",),
    "visual.positional_embedding": ("vision_model.embeddings.position_embedding.weight",),
    "visual.ln_pre.weight": ("vision_model.pre_layrnorm.weight",),  # their spelling
    "visual.ln_pre.bias": ("vision_model.pre_layrnorm.bias",),
    "visual.ln_post.weight": ("vision_model.post_layernorm.weight",),
    "visual.ln_post.bias": ("vision_model.post_layernorm.bias",),
    "visual.proj": ("visual_projection.weight",),
    "positional_embedding": ("text_model.embeddings.position_embedding.weight",),
    "ln_final.weight": ("text_model.final_layer_norm.weight",),
    "ln_final.bias": ("text_model.final_layer_norm.bias",),
    "text_projection": ("text_projection.weight",),
    TOKEN_EMBEDDING: (HF_TOKEN_EMBEDDING,),
}
TRANSPOSED = ("visual.proj", "text_projection")
"""Weights of a Linear at Hugging Face, [embed, dim]; matrices from the right at OpenAI, [dim, embed]."""
DROPPED = LOGIT_SCALE | dict.fromkeys(
    (f"{VISION}embeddings.position_ids", f"{TEXT}embeddings.position_ids"), "the numbers 0, 1, 2, ..."
)
ACTIVATIONS: dict[object, Activation] = {"quick_gelu": "quick-gelu", "gelu": "gelu"}
"""Hugging Face's name to ours."""
DEFAULTS = {"hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
"""What a config.json means that does not say."""
ASSUMED = "no config.json beside the file: activation quick-gelu, heads 64 wide and epsilon 1e-5 taken, as OpenAI's"
NORMALIZATION_ASSUMED = (
    "no preprocessor_config.json beside the file: frames normalised by OpenAI's mean and standard deviation"
)
DEFAULT_HEADS = {"vision_config": 12, "text_config": 8}
HEAD_WIDTH = 64


def read(file: Path, options: ImportOptions) -> Imported[TowerPair]:
    """Read the weights file of a `CLIPModel` folder.

    Raises:
        CheckpointError: keys or shapes do not add up, or config.json tells of a function that is not ours.
    """
    options.refuse_all_but("image_size")
    state = read_untrusted_state(file, landmark=LANDMARK, inside=options.inside)
    openai, dropped = _in_openai_names(state)
    told = _activation(file.with_name("config.json"), openai)
    normalization = _normalization(file.with_name("preprocessor_config.json"))
    imported = assemble_pair(
        openai,
        image_prefix="visual.",
        text_prefix="",
        dropped={},
        image_size=options.image_size,
        activation=told or "quick-gelu",
    )
    return Imported(
        module=imported.module,
        mapped=len(state.tensors) - len(dropped.keys() & state.tensors.keys()),
        dropped=dropped,
        normalization=normalization or OPENAI_CLIP,
        assumed=(*(() if told else (ASSUMED,)), *(() if normalization else (NORMALIZATION_ASSUMED,))),
    )


def _in_openai_names(state: ForeignState) -> tuple[ForeignState, dict[str, str]]:
    names = dict(TOWERS)
    for prefix, hf_prefix in (("visual.", VISION), ("", TEXT)):
        for layer in range(state.count_layers(hf_prefix + LAYERS)):
            names |= {
                f"{prefix}{BLOCKS}{layer}.{openai}": tuple(f"{hf_prefix}{LAYERS}{layer}.{name}" for name in hf)
                for openai, hf in BLOCK.items()
            }
    dropped = state.account(mapped=[name for hf in names.values() for name in hf], dropped=DROPPED)
    tensors: dict[str, Tensor] = {}
    for openai, hf in names.items():
        rows = [state.tensors[name] for name in hf]
        if len({(row.shape, row.dtype) for row in rows}) > 1:
            raise state.refusal(f"{', '.join(hf)} must have one shape; got {[list(row.shape) for row in rows]}")
        tensors[openai] = torch.cat(rows) if len(rows) > 1 else rows[0]
    for openai in TRANSPOSED:
        state.shape(names[openai][0], axes=2)
        tensors[openai] = tensors[openai].mT
    return ForeignState(tensors=tensors, origin=state.origin), dropped


def _normalization(path: Path) -> Normalization | None:
    """Read the mean and the standard deviation of the pixels from preprocessor_config.json, None without one."""
    try:
        told = read_json(path)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error
    if not isinstance(told, dict) or not {"image_mean", "image_std"} <= told.keys():
        raise CheckpointError(
            f"{path}: is not the preprocessor_config.json of a CLIPModel: no image_mean and image_std"
        )
    return from_json(Normalization, {"mean": told["image_mean"], "std": told["image_std"]}, where=str(path))


def _activation(path: Path, openai: ForeignState) -> Activation | None:
    """Read the activation of both towers from config.json, None without one; refuse what our towers cannot be."""
    try:
        config = read_json(path)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error
    widths = {
        "vision_config": openai.shape("visual.conv1.weight", axes=4)[0],
        "text_config": openai.shape("positional_embedding", axes=2)[1],
    }
    activations: list[object] = []
    for part, width in widths.items():
        told = config.get(part) if isinstance(config, dict) else None
        if not isinstance(told, dict):
            raise CheckpointError(f"{path}: is not the config.json of a CLIPModel: no {part}")
        theirs = {**DEFAULTS, "num_attention_heads": DEFAULT_HEADS[part], **told}
        for key, value in {"layer_norm_eps": 1e-5, "num_attention_heads": width // HEAD_WIDTH}.items():
            if theirs[key] != value:
                raise CheckpointError(
                    f"{path}: {part}.{key} must be {value}, as the towers here compute; got {theirs[key]!r:.40}"
                )
        activations.append(theirs["hidden_act"])
    if activations[0] != activations[1] or not isinstance(activations[0], str) or activations[0] not in ACTIVATIONS:
        raise CheckpointError(
            f"{path}: hidden_act of both towers must be one of {', '.join(map(str, ACTIVATIONS))}; "
            f"got {activations!r:.80}"
        )
    return ACTIVATIONS[activations[0]]
