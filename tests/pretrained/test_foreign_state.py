import pytest
import torch

from skyreid.errors import CheckpointError
from skyreid.models.text_tower import TextTowerConfig
from skyreid.pretrained.foreign_state import ForeignState, listed


def state_of(*names, others=()):
    return ForeignState(tensors={name: torch.zeros(2, 3) for name in names}, origin="some.pt", others=others)


def test_every_key_is_settled():
    state = state_of("a", "b", others=("epoch",))
    assert state.account(mapped=["a"], dropped={"b": "dead", "c": "absent", "epoch": "of the training"}) == {
        "b": "dead",
        "epoch": "of the training",
    }


def test_missing_and_unexpected_keys_are_listed():
    with pytest.raises(CheckpointError) as refusal:
        state_of("a", "x", others=("y",)).account(mapped=["a", "b"], dropped={})
    assert str(refusal.value) == "some.pt: the keys do not add up: 1 missing: b; 2 unexpected: x, y"


def test_a_name_that_is_no_tensor_does_not_count_as_mapped():
    with pytest.raises(CheckpointError, match="1 missing: a"):
        state_of("b", others=("a",)).account(mapped=["a", "b"], dropped={})


def test_long_lists_are_cut():
    assert listed(f"k{number}" for number in range(12)) == "k0, k1, k2, k3, k4, k5, k6, k7, k8, k9 and 2 more"


def test_layers_are_counted_by_their_numbers_and_not_believed():
    state = state_of("blocks.0.w", "blocks.0.b", "blocks.999999999.w")
    assert state.count_layers("blocks.") == 2


def test_a_state_without_blocks_is_refused():
    with pytest.raises(CheckpointError, match=r"some\.pt: has no transformer blocks named blocks\.0\.\.\.; it holds a"):
        state_of("a").count_layers("blocks.")


def test_a_size_comes_from_a_tensor_of_the_right_kind():
    state = state_of("a")
    assert state.shape("a", axes=2) == (2, 3)
    with pytest.raises(CheckpointError, match=r"some\.pt: a must have 3 axes; got shape \[2, 3\]"):
        state.shape("a", axes=3)
    with pytest.raises(CheckpointError, match=r"some\.pt: has no b"):
        state.shape("b", axes=1)


def test_a_size_that_our_constructors_refuse_is_the_file_s():
    refusal = r"some\.pt: text tower width must be a multiple of 64; got 65"
    with pytest.raises(CheckpointError, match=refusal), state_of("a").blamed():
        TextTowerConfig(width=65)
