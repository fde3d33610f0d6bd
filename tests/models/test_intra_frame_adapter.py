"""The intra-frame adapter against its formula, one token at a time."""

import math

import pytest
import torch
from torch.testing import assert_close

from skyreid.models.intra_frame_adapter import IntraFrameAdapter
from tests.tiny_model import drawn, randomized

BENDS = {
    "quick-gelu": lambda x: x / (1 + math.exp(-1.702 * x)),
    "gelu": lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))),
}


@torch.no_grad()
@pytest.mark.parametrize("activation", BENDS)
def test_it_equals_its_formula_for_one_token_at_a_time(activation):
    adapter = randomized(IntraFrameAdapter(6, bottleneck=4, activation=activation)).double()
    tokens = drawn(2, 3, 5, 6).double()
    out = adapter(tokens)
    for place in torch.cartesian_prod(*(torch.arange(length) for length in tokens.shape[:3])).tolist():
        token = tokens[tuple(place)]
        narrow = [float(adapter.down.weight[i] @ token + adapter.down.bias[i]) for i in range(4)]
        bent = torch.tensor([BENDS[activation](value) for value in narrow], dtype=torch.float64)
        expected = torch.stack([adapter.up.weight[i] @ bent + adapter.up.bias[i] for i in range(6)])
        assert_close(out[tuple(place)], expected)


def test_a_token_changes_its_own_output_only():
    adapter = randomized(IntraFrameAdapter(6, bottleneck=4)).double()
    tokens = drawn(2, 3, 5, 6).double()
    changed = tokens.clone()
    changed[1, 2, 3] += 1
    is_different = (adapter(changed) - adapter(tokens)).abs().amax(dim=3) > 1e-12
    assert is_different.nonzero().tolist() == [[1, 2, 3]]


def test_zero_init_starts_as_the_zero_function():
    tokens = drawn(2, 3, 5, 6)
    assert not IntraFrameAdapter(6, bottleneck=4, zero_init=True)(tokens).any()
    assert IntraFrameAdapter(6, bottleneck=4)(tokens).any()
