"""Self-attention against PyTorch's own, which packs the three projections into one."""

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from skyreid.models.transformer import SelfAttention
from tests.tiny_model import drawn, randomized


def pytorchs(attention):
    """The same weights as the reference module holds them."""
    dim = attention.out.in_features
    reference = nn.MultiheadAttention(dim, attention.heads, batch_first=True, dtype=attention.out.weight.dtype)
    reference.load_state_dict(
        {
            "in_proj_weight": torch.cat([attention.query.weight, attention.key_value.weight]),
            "in_proj_bias": torch.cat([attention.query.bias, attention.key_value.bias]),
            "out_proj.weight": attention.out.weight,
            "out_proj.bias": attention.out.bias,
        }
    )
    return reference


@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("source", [1, 5, 9])
def test_it_is_pytorchs_attention_with_the_packed_weights(heads, source):
    attention = randomized(SelfAttention(16, heads=heads)).double()
    tokens, context = drawn(3, 5, 16).double(), drawn(3, source, 16, seed=2).double()
    expected, _ = pytorchs(attention)(tokens, context, context)
    assert_close(attention(tokens, context), expected)


def test_without_a_context_the_tokens_attend_to_themselves():
    attention = randomized(SelfAttention(16, heads=2)).double()
    tokens = drawn(3, 5, 16).double()
    expected, _ = pytorchs(attention)(tokens, tokens, tokens)
    assert_close(attention(tokens), expected)


def test_causal_attention_masks_what_comes_later():
    attention = randomized(SelfAttention(16, heads=2)).double()
    tokens = drawn(3, 5, 16).double()
    later = torch.triu(torch.ones(5, 5, dtype=torch.bool), diagonal=1)
    expected, _ = pytorchs(attention)(tokens, tokens, tokens, attn_mask=later)
    assert_close(attention(tokens, causal=True), expected)


def test_causal_tokens_do_not_see_a_later_one():
    attention = randomized(SelfAttention(16, heads=2)).double()
    tokens = drawn(3, 5, 16).double()
    changed = tokens.clone()
    changed[:, 3] += 1
    before, after = attention(tokens, causal=True), attention(changed, causal=True)
    assert_close(after[:, :3], before[:, :3], rtol=0, atol=1e-12)
    assert not torch.allclose(after[:, 3:], before[:, 3:], atol=1e-2)


def test_the_order_of_the_context_does_not_matter():
    attention = randomized(SelfAttention(16, heads=2)).double()
    tokens, context = drawn(3, 5, 16).double(), drawn(3, 7, 16, seed=2).double()
    assert_close(attention(tokens, context.flip(1)), attention(tokens, context))


def test_it_starts_as_pytorchs_attention_starts():
    attention = SelfAttention(64, heads=1)
    packed = torch.cat([attention.query.weight, attention.key_value.weight]).abs()
    bound = math.sqrt(6 / (64 + 3 * 64))
    assert 0.95 * bound < packed.max() <= bound
    for linear in (attention.query, attention.key_value, attention.out):
        assert not linear.bias.any()


def test_heads_must_divide_the_channels():
    with pytest.raises(ValueError, match=r"^heads must divide dim; got dim=8, heads=3$"):
        SelfAttention(8, heads=3)
