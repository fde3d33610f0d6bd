import pytest
import torch
from safetensors.torch import save_file

from skyreid.errors import CheckpointError
from skyreid.pretrained.importer import ImportOptions
from skyreid.pretrained.openai import read_open_clip as read
from tests.pretrained.reference_clip import SIDE

SQUARE = ImportOptions(image_size=(SIDE, SIDE))
SIZES = ("input_resolution", "context_length", "vocab_size")


def open_clip_state(known):
    return {name: tensor for name, tensor in known.state.items() if name not in SIZES}


def test_reads_a_plain_state_dict(known, tmp_path):
    file = tmp_path / "open_clip_model.safetensors"
    save_file({**open_clip_state(known), "attn_mask": torch.zeros(77, 77)}, file)
    imported = read(file, SQUARE)
    known.assert_computed_by(imported.module)
    assert imported.dropped.keys() == {"logit_scale", "attn_mask"}


def test_the_activation_is_taken_as_told_and_said_when_assumed(known, tmp_path):
    file = tmp_path / "open_clip_model.safetensors"
    save_file(open_clip_state(known), file)
    assert "say --activation gelu" in read(file, SQUARE).assumed[0]
    told = read(file, ImportOptions(image_size=(SIDE, SIDE), activation="gelu"))
    assert told.assumed == ("frames normalised by OpenAI's mean and standard deviation, as open_clip's default is",)
    assert told.module.config.image.activation == told.module.config.text.activation == "gelu"


def test_reads_a_state_dict_of_data_parallel_training(known, tmp_path):
    file = tmp_path / "open_clip_pytorch_model.bin"
    torch.save({f"module.{name}": tensor for name, tensor in open_clip_state(known).items()}, file)
    known.assert_computed_by(read(file, SQUARE).module)


@pytest.mark.parametrize(
    ("key", "architecture"),
    [
        ("visual.trunk.blocks.0.norm1.weight", "an image tower of timm"),
        ("text.transformer.resblocks.0.ln_1.weight", "a text tower of another library"),
        ("text_decoder.ln_final.weight", r"a text decoder \(CoCa\)"),
    ],
)
def test_other_architectures_are_refused_by_name(known, tmp_path, key, architecture):
    file = tmp_path / "open_clip_model.safetensors"
    save_file({**open_clip_state(known), key: torch.zeros(1)}, file)
    with pytest.raises(CheckpointError, match=f"has {architecture}"):
        read(file, SQUARE)
