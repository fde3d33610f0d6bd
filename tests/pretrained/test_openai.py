import copy
import warnings

import pytest
import torch

from skyreid.errors import CheckpointError
from skyreid.pretrained.importer import ImportOptions
from skyreid.pretrained.openai import read_openai as read
from tests.pretrained.reference_clip import SIDE

SQUARE = ImportOptions(image_size=(SIDE, SIDE))
SCALARS = {"input_resolution", "context_length", "vocab_size", "logit_scale"}


def trace(known, clip):
    with warnings.catch_warnings():  # of TorchScript being old, and of tracing
        warnings.simplefilter("ignore")
        return torch.jit.trace(clip, (known.frames, known.tokens), check_trace=False)


def test_reads_the_torchscript_archive_as_data(known, tmp_path):
    file = tmp_path / "ViT-B-16.pt"
    trace(known, known.clip).save(file)
    imported = read(file, SQUARE)
    known.assert_computed_by(imported.module)
    assert imported.dropped.keys() == SCALARS
    assert imported.mapped == len(known.state) - len(SCALARS)


def test_half_precision_becomes_float32(known, tmp_path):
    file = tmp_path / "half.pt"
    torch.save({name: t.half() if t.is_floating_point() else t for name, t in known.state.items()}, file)
    pair = read(file, SQUARE).module
    assert {parameter.dtype for parameter in pair.parameters()} == {torch.float32}
    known.assert_computed_by(pair, atol=0.02)


def test_reads_the_plain_state_dict_without_the_sizes(known, tmp_path):
    file = tmp_path / "plain.pth"
    torch.save({name: t for name, t in known.state.items() if name not in SCALARS}, file)
    imported = read(file, SQUARE)
    known.assert_computed_by(imported.module)
    assert imported.dropped == {}


def test_causal_masks_are_left_out_by_name(known, tmp_path):
    file = tmp_path / "masks.pt"
    torch.save({**known.state, "transformer.resblocks.0.attn_mask": torch.zeros(77, 77)}, file)
    assert "transformer.resblocks.0.attn_mask" in read(file, SQUARE).dropped


def test_every_other_key_is_an_error(known, tmp_path):
    file = tmp_path / "edited.pt"
    state = {name: t for name, t in known.state.items() if name != "ln_final.bias"}
    torch.save({**state, "visual.extra": torch.zeros(1), "epoch": 3}, file)
    with pytest.raises(CheckpointError) as refusal:
        read(file, SQUARE)
    assert str(refusal.value) == (
        f"{file}: the keys do not add up: 1 missing: ln_final.bias; 2 unexpected: epoch, visual.extra"
    )


def test_a_resnet_is_refused_by_name(known, tmp_path):
    file = tmp_path / "RN50.pt"
    torch.save({**known.state, "visual.layer1.0.conv1.weight": torch.zeros(1)}, file)
    with pytest.raises(CheckpointError, match="has a ResNet image tower"):
        read(file, SQUARE)


def test_the_position_table_stands_by_default(known, tmp_path):
    file = tmp_path / "plain.pt"
    torch.save(known.state, file)
    pair = read(file, ImportOptions()).module
    assert pair.config.image.image_size == (256, 128)
    assert pair.encoder.tower.position_table.shape == (16 * 8 + 1, 64)
    torch.testing.assert_close(
        pair.encoder.tower.position_table[0], known.state["visual.positional_embedding"][0], rtol=0, atol=0
    )


def test_a_broken_number_is_refused(known, tmp_path):
    file = tmp_path / "nan.pt"
    state = copy.deepcopy(known.state)
    state["visual.proj"][3, 2] = float("nan")
    torch.save(state, file)
    with pytest.raises(CheckpointError, match=r"encoder\.tower\.projection holds numbers that are not finite"):
        read(file, SQUARE)
