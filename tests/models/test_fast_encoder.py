"""The encoder for use against the one to read."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from skyreid.models.fast_encoder import FastEncoder
from skyreid.models.image_tower import AdapterConfig
from skyreid.models.platform_prompt import UNKNOWN_PLATFORM
from tests.tiny_model import ADAPTERS, IMAGE_SIZE, NO_ADAPTERS, drawn, tiny_config, tiny_model

PLATFORMS = torch.tensor([0, 1, UNKNOWN_PLATFORM, 1, 0])
PAPER_ADAPTERS = AdapterConfig(intra_frame=16, cross_frame=64, activation="gelu")


def frames():
    return drawn(len(PLATFORMS), 4, 3, *IMAGE_SIZE)


@pytest.mark.parametrize("adapters", [ADAPTERS, NO_ADAPTERS, PAPER_ADAPTERS], ids=["both", "none", "gelu"])
@pytest.mark.parametrize("prompt_depth", [0, 2, 3])
def test_in_float32_it_computes_what_the_readable_encoder_computes(adapters, prompt_depth):
    encoder = tiny_model(tiny_config(adapters=adapters, prompt_depth=prompt_depth)).encoder
    expected = encoder.embed(frames(), PLATFORMS).detach()
    found = FastEncoder(encoder, torch.float32).embed(frames(), PLATFORMS)
    assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    assert not found.requires_grad


def test_patches_may_overlap():
    config = tiny_config()
    encoder = tiny_model(replace(config, image=replace(config.image, stride=4))).encoder
    expected = encoder.embed(frames(), PLATFORMS).detach()
    assert_close(FastEncoder(encoder, torch.float32).embed(frames(), PLATFORMS), expected, rtol=1e-4, atol=1e-5)


def test_in_bfloat16_it_points_where_the_readable_encoder_points():
    encoder = tiny_model().encoder
    found = FastEncoder(encoder, torch.bfloat16).embed(frames(), PLATFORMS)
    assert found.dtype == torch.float32
    assert functional.cosine_similarity(found, encoder.embed(frames(), PLATFORMS)).min() > 0.999


def test_the_encoder_that_it_is_made_of_stays_as_it_is():
    encoder, untouched = tiny_model().encoder, tiny_model().encoder
    FastEncoder(encoder, torch.bfloat16).embed(frames(), PLATFORMS)
    assert all(map(torch.equal, encoder.state_dict().values(), untouched.state_dict().values()))
    assert all(parameter.requires_grad for parameter in encoder.parameters())
