import pytest
import torch

from skyreid.errors import CheckpointError
from skyreid.pretrained.foreign_state import ForeignState
from skyreid.pretrained.release import config_of_release
from tests.reference.micro_weights import micro_release_state


@pytest.fixture
def state():
    return micro_release_state()


def read_config(state, adapters="used"):
    return config_of_release(ForeignState(tensors=state, origin="some.pth"), adapters=adapters)


def test_every_size_comes_from_the_shapes(state):
    config = read_config(state)
    image, prompt = config.image, config.platform_prompt
    assert (image.image_size, image.patch_size, image.stride, image.width, image.layers) == ((64, 32), 16, 16, 64, 12)
    assert (image.adapters.intra_frame, image.adapters.cross_frame) == (128, 128)
    assert (prompt.depth, prompt.length) == (2, 3)
    sentence = config.identity_prompt
    assert (sentence.sentence, sentence.shared_length, sentence.identity_length) == ("shared-prompt", 8, 4)


def test_adapters_as_they_were_initialised_are_not_guessed_about(state):
    for name, tensor in state.items():
        if "temporal_attn" in name and name.endswith("bias"):
            tensor.zero_()
    with pytest.raises(CheckpointError, match=r"were not trained .* import with adapters='unused'"):
        read_config(state)
    assert read_config(state, "unused").image.adapters.cross_frame is None


def test_one_kind_of_adapter_is_enough(state):
    intra = {name: t for name, t in state.items() if "dat_cross" not in name}
    adapters = read_config(intra).image.adapters
    assert (adapters.intra_frame, adapters.cross_frame) == (128, None)


def test_prompts_of_more_cameras_than_platforms_are_refused(state):
    state["cv_embed"] = torch.zeros(2, 3, 6, 64)
    with pytest.raises(CheckpointError, match=r"cv_embed must hold prompts of 2 cameras, .* got 6 cameras"):
        read_config(state)
