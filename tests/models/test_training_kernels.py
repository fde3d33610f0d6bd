"""The backward passes of our own against PyTorch's: the same bits, or as near as bfloat16 can be."""

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from skyreid.models.training_kernels import attend, quick_gelu
from tests.tiny_model import drawn


def gradients(output, *inputs):
    return torch.autograd.grad(output, inputs, drawn(*output.shape, seed=9).to(output.dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", [(3, 5), (3, 40_000), (70_000, 2)])
def test_quick_gelu_has_the_bits_of_the_formula_and_so_has_its_gradient(dtype, shape):
    features = (3 * drawn(*shape)).to(dtype).requires_grad_()
    expected = features * (1.702 * features).sigmoid()
    ours = quick_gelu(features)
    assert torch.equal(ours, expected)
    assert torch.equal(*gradients(ours, features), *gradients(expected, features))


def test_quick_gelu_of_what_lies_in_another_order_too():
    """Not to the bit: PyTorch computes those one by one, and its sigmoid of one number is another one."""
    features = drawn(6, 7, 5).transpose(0, 2).requires_grad_()
    expected = features * (1.702 * features).sigmoid()
    assert_close(quick_gelu(features), expected)
    assert_close(gradients(quick_gelu(features), features), gradients(expected, features))


def test_quick_gelu_keeps_one_tensor_for_its_backward_pass():
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        quick_gelu(drawn(3, 5).requires_grad_())
    assert len(kept) == 1


@pytest.mark.parametrize(("causal", "sources"), [(False, 9), (False, 14), (True, 9)])
def test_attention_in_bfloat16_has_the_gradients_of_float64(causal, sources):
    drawn_parts = [drawn(2, 9, 3, 16, seed=1), drawn(2, sources, 3, 16, seed=2), drawn(2, sources, 3, 16, seed=3)]
    parts = [part.bfloat16().transpose(1, 2).requires_grad_() for part in drawn_parts]
    exact = [part.detach().double().requires_grad_() for part in parts]
    expected = functional.scaled_dot_product_attention(*exact, is_causal=causal)
    ours = attend(*parts, causal=causal)
    assert_close(ours.double(), expected, rtol=0.02, atol=0.02)
    pytorchs = functional.scaled_dot_product_attention(*parts, is_causal=causal)
    for mine, theirs, true in zip(
        gradients(ours, *parts), gradients(pytorchs, *parts), gradients(expected, *exact), strict=True
    ):
        far, pytorch_is = (float((got.double() - true).norm() / true.norm()) for got in (mine, theirs))
        assert far < max(2 * pytorch_is, 0.008), (far, pytorch_is)


def test_attention_in_float32_is_pytorchs_to_the_bit():
    parts = [drawn(2, 3, 9, 16, seed=seed).requires_grad_() for seed in (1, 2, 3)]
    ours, expected = attend(*parts, causal=False), functional.scaled_dot_product_attention(*parts)
    assert torch.equal(ours, expected)
    for mine, theirs in zip(gradients(ours, *parts), gradients(expected, *parts), strict=True):
        assert torch.equal(mine, theirs)
