import pytest
import torch

from skyreid.errors import CheckpointError
from skyreid.models.tower_pair import start_from_pair
from skyreid.models.vsla_clip import VslaClip
from skyreid.pretrained.assembling import assemble_pair, resize_position_table
from skyreid.pretrained.foreign_state import ForeignState

DROPPED = dict.fromkeys(("input_resolution", "context_length", "vocab_size", "logit_scale"), "tested elsewhere")


def assemble(state, image_size=None):
    foreign = ForeignState(tensors=state, origin="some.pt")
    return assemble_pair(foreign, image_prefix="visual.", text_prefix="", dropped=DROPPED, image_size=image_size)


def test_the_pair_is_ready_for_the_wanted_frames(known):
    pair = assemble(known.state, (64, 48)).module
    expected = resize_position_table(known.state["visual.positional_embedding"], grid=(2, 2), target=(4, 3))
    assert torch.equal(pair.encoder.tower.position_table, expected)
    assert pair.encoder.tower(torch.zeros(1, 2, 3, 64, 48)).joint.shape == (1, 32)


def test_a_model_starts_from_the_pair(known):
    pair = assemble(known.state, (32, 32)).module
    model = VslaClip(pair.config, num_identities=3)
    start_from_pair(model, pair)
    expected = known.state["token_embedding.weight"][[269, 49407]]
    assert torch.equal(model.identity_prompt.fixed_after, expected)


def test_no_model_starts_from_a_pair_with_another_tokenizer(known):
    state = {**known.state, "token_embedding.weight": torch.zeros(100, 64)}
    pair = assemble(state, (32, 32)).module
    with pytest.raises(CheckpointError, match=r"the pretrained pair's 100 tokens lack them"):
        start_from_pair(VslaClip(pair.config, num_identities=3), pair)


def test_frames_that_hold_no_patch_are_refused(known):
    with pytest.raises(
        CheckpointError, match=r"some\.pt: a frame must hold one patch of 16 px; got image_size=\(8, 8\)"
    ):
        assemble(known.state, (8, 8))


def test_a_position_table_of_another_width_is_refused(known):
    state = {**known.state, "visual.positional_embedding": torch.zeros(5, 63)}
    with pytest.raises(CheckpointError, match=r"position_table has shape \[5, 63\]; the other tensors want \[5, 64\]"):
        assemble(state, (32, 32))
