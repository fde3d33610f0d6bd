"""What the class token rests on."""

import pytest
import torch
from torch.testing import assert_close

from skyreid.models.attention_rollout import attention_rollout
from tests.tiny_model import IMAGE_SIZE, drawn, tiny_model


@pytest.fixture
def encoder():
    return tiny_model().eval().encoder


def frames(clips=2, length=3):
    return drawn(clips, length, 3, *IMAGE_SIZE)


def test_the_shares_of_a_frame_sum_to_one(encoder):
    shares = attention_rollout(encoder, frames(), torch.tensor([0, 1]))
    assert shares.shape == (2, 3, *encoder.tower.grid)
    assert_close(shares.sum(dim=(2, 3)), torch.ones(2, 3))
    assert (shares > 0).all()


def test_it_is_the_product_of_the_mixtures_of_all_blocks(encoder):
    """The definition, token by token, on a tower without prompt: weights read from torch's own attention."""
    encoder.platform_prompt = None
    seen = frames(1, 1)
    inputs = []
    hooks = [
        block.attention.register_forward_pre_hook(lambda _, given: inputs.append(given))
        for block in encoder.tower.blocks
    ]
    encoder(seen, torch.tensor([0]))
    for hook in hooks:
        hook.remove()
    product = None
    for block, (tokens, context) in zip(encoder.tower.blocks, inputs, strict=True):
        theirs = torch.nn.MultiheadAttention(tokens.shape[-1], block.attention.heads, batch_first=True)
        theirs.in_proj_weight.data = torch.cat([block.attention.query.weight, block.attention.key_value.weight])
        theirs.in_proj_bias.data = torch.cat([block.attention.query.bias, block.attention.key_value.bias])
        weights = theirs(tokens, context, context, average_attn_weights=True)[1][0]
        mixture = 0.5 * weights + 0.5 * torch.eye(weights.shape[1])[: weights.shape[0]]
        product = mixture if product is None else mixture @ product
    patches = product[0, 1:] / product[0, 1:].sum()
    assert_close(attention_rollout(encoder, seen, torch.tensor([0])).flatten(), patches)
