import pytest
import torch

from skyreid.errors import CheckpointError
from skyreid.pretrained.openai_names import image_tower_names, text_tower_names, unpack
from tests.pretrained.reference_clip import LAYERS
from tests.reference.release_state import pack


def test_the_tables_name_every_tensor_of_openai_s_towers(known):
    theirs = image_tower_names("visual.", layers=LAYERS) | text_tower_names("", layers=LAYERS)
    of_the_pair = {"token_embedding.weight", "logit_scale", "input_resolution", "context_length", "vocab_size"}
    assert set(theirs) == set(known.state) - of_the_pair


def test_packing_undoes_unpacking(known):
    names = text_tower_names("", layers=LAYERS)
    ours = {}
    for name, our_names in names.items():
        ours |= unpack(known.state[name], our_names, name=name)
    packed = pack(ours, names)
    assert packed.keys() == names.keys()
    assert all(torch.equal(packed[name], known.state[name]) for name in names)


def test_rows_are_query_then_key_then_value():
    rows = unpack(torch.arange(6.0), ("query", "key_value"), name="in_proj_bias")
    assert (rows["query"].tolist(), rows["key_value"].tolist()) == ([0, 1], [2, 3, 4, 5])


@pytest.mark.parametrize("tensor", [torch.zeros(4, 2), torch.zeros(()), torch.zeros(0, 2)])
def test_a_pack_that_is_not_three_parts_is_refused(tensor):
    with pytest.raises(ValueError, match="in_proj_weight must hold query, key and value rows, a multiple of 3"):
        unpack(tensor, ("query", "key_value"), name="in_proj_weight")


def test_half_a_pack_is_refused():
    with pytest.raises(CheckpointError, match="in_proj also needs key_value"):
        pack({"query": torch.zeros(1)}, {"in_proj": ("query", "key_value")})


def test_a_name_without_a_counterpart_is_refused():
    with pytest.raises(CheckpointError, match="no foreign name for other"):
        pack({"other": torch.zeros(1)}, {"in_proj": ("query", "key_value")})
