import json

import pytest
import torch
from safetensors.torch import save_file

from skyreid.errors import CheckpointError
from skyreid.feeding import OPENAI_CLIP, Normalization
from skyreid.pretrained.huggingface import read
from skyreid.pretrained.importer import ImportOptions
from tests.pretrained.reference_clip import LAYERS, SIDE

SQUARE = ImportOptions(image_size=(SIDE, SIDE))
CONFIG = {
    "vision_config": {"num_attention_heads": 1},  # what is left out means CLIP's own, as in new folders
    "text_config": {"num_attention_heads": 1, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5},
}


def huggingface_state(state):
    """The names of transformers' CLIPModel for the reference CLIP's tensors."""
    given = {
        "logit_scale": state["logit_scale"],
        "vision_model.embeddings.class_embedding": state["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": state["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": state["visual.positional_embedding"],
        "vision_model.embeddings.position_ids": torch.arange(5)[None],
        "text_model.embeddings.token_embedding.weight": state["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": state["positional_embedding"],
        "visual_projection.weight": state["visual.proj"].T,
        "text_projection.weight": state["text_projection"].T,
    }
    for leaf in ("weight", "bias"):
        given[f"vision_model.pre_layrnorm.{leaf}"] = state[f"visual.ln_pre.{leaf}"]
        given[f"vision_model.post_layernorm.{leaf}"] = state[f"visual.ln_post.{leaf}"]
        given[f"text_model.final_layer_norm.{leaf}"] = state[f"ln_final.{leaf}"]
        for model, tower in (("vision_model", "visual."), ("text_model", "")):
            for number in range(LAYERS):
                block = f"{tower}transformer.resblocks.{number}."
                layer = f"{model}.encoder.layers.{number}."
                for part, rows in zip("qkv", state[f"{block}attn.in_proj_{leaf}"].chunk(3), strict=True):
                    given[f"{layer}self_attn.{part}_proj.{leaf}"] = rows
                given[f"{layer}self_attn.out_proj.{leaf}"] = state[f"{block}attn.out_proj.{leaf}"]
                given[f"{layer}layer_norm1.{leaf}"] = state[f"{block}ln_1.{leaf}"]
                given[f"{layer}layer_norm2.{leaf}"] = state[f"{block}ln_2.{leaf}"]
                given[f"{layer}mlp.fc1.{leaf}"] = state[f"{block}mlp.c_fc.{leaf}"]
                given[f"{layer}mlp.fc2.{leaf}"] = state[f"{block}mlp.c_proj.{leaf}"]
    return {name: tensor.clone().contiguous() for name, tensor in given.items()}


def write_folder(folder, state, config=CONFIG):
    file = folder / "model.safetensors"
    save_file(state, file)
    (folder / "config.json").write_text(json.dumps(config))
    return file


def test_reads_the_folder_of_a_clip_model(known, tmp_path):
    state = huggingface_state(known.state)
    imported = read(write_folder(tmp_path, state), SQUARE)
    known.assert_computed_by(imported.module)
    assert imported.dropped.keys() == {"logit_scale", "vision_model.embeddings.position_ids"}
    assert imported.mapped == len(state) - 2


def test_reads_the_pickled_weights_of_older_folders(known, tmp_path):
    write_folder(tmp_path, {"any": torch.zeros(1)})
    torch.save(huggingface_state(known.state), tmp_path / "pytorch_model.bin")
    known.assert_computed_by(read(tmp_path / "pytorch_model.bin", SQUARE).module)


def test_every_other_key_is_an_error(known, tmp_path):
    state = huggingface_state(known.state)
    del state["text_model.encoder.layers.1.mlp.fc2.bias"]
    with pytest.raises(CheckpointError, match=r"1 missing: text_model\.encoder\.layers\.1\.mlp\.fc2\.bias; 1 unexp"):
        read(write_folder(tmp_path, state | {"text_model.extra": torch.zeros(1)}), SQUARE)


def test_projections_of_unequal_shape_are_refused(known, tmp_path):
    state = huggingface_state(known.state)
    state["vision_model.encoder.layers.0.self_attn.k_proj.bias"] = torch.zeros(32)
    with pytest.raises(CheckpointError, match=r"must have one shape; got \[\[64\], \[32\], \[64\]\]"):
        read(write_folder(tmp_path, state), SQUARE)


def test_weights_without_their_config_are_read_as_openai_s_and_it_is_said(known, tmp_path):
    file = write_folder(tmp_path, huggingface_state(known.state))
    pixels = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 1]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(pixels))
    told = read(file, SQUARE)
    assert told.assumed == ()
    assert told.normalization == Normalization(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 1.0))
    (tmp_path / "preprocessor_config.json").unlink()
    (tmp_path / "config.json").unlink()
    imported = read(file, SQUARE)
    known.assert_computed_by(imported.module)
    assert imported.assumed == (
        "no config.json beside the file: activation quick-gelu, heads 64 wide and epsilon 1e-5 taken, as OpenAI's",
        "no preprocessor_config.json beside the file: frames normalised by OpenAI's mean and standard deviation",
    )
    assert imported.normalization == OPENAI_CLIP


def test_weights_trained_with_gelu_get_gelu(known, tmp_path):
    config = {part: {**CONFIG[part], "hidden_act": "gelu"} for part in ("vision_config", "text_config")}
    module = read(write_folder(tmp_path, huggingface_state(known.state), config), SQUARE).module
    assert module.config.image.activation == module.config.text.activation == "gelu"
    with pytest.raises(AssertionError):
        known.assert_computed_by(module)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"hidden_act": "gelu"}, r"hidden_act of both towers must be one of .* got \['gelu', 'quick_gelu'\]"),
        ({"hidden_act": "relu"}, r"hidden_act of both towers must be one of quick_gelu, gelu; got"),
        ({"num_attention_heads": 2}, "vision_config.num_attention_heads must be 1, .* got 2"),
        ({"layer_norm_eps": 1e-6}, "vision_config.layer_norm_eps must be 1e-05, .* got 1e-06"),
    ],
)
def test_weights_trained_with_another_function_are_refused(known, tmp_path, edit, message):
    config = {**CONFIG, "vision_config": {**CONFIG["vision_config"], **edit}}
    with pytest.raises(CheckpointError, match=message):
        read(write_folder(tmp_path, huggingface_state(known.state), config), SQUARE)


def test_the_config_of_another_model_is_refused(known, tmp_path):
    file = write_folder(tmp_path, huggingface_state(known.state), {"hidden_size": 64})
    with pytest.raises(CheckpointError, match=r"not the config\.json of a CLIPModel: no vision_config"):
        read(file, SQUARE)
