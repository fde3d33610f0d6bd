import pytest
import torch

from skyreid.losses.memory_spread import memory_spread


def test_a_slot_costs_what_its_attention_falls_short_of_the_margin():
    attention = torch.tensor([[0.9, 0.5, 0.1], [0.1, 0.4, 0.1]], dtype=torch.float64)
    short_of = [0.0, 0.3 - 0.1, 0.3 - 0.0]
    assert float(memory_spread(attention)) == pytest.approx(sum(short_of) / 3, rel=1e-10)


def test_the_gradient_parts_the_strongest_and_the_weakest():
    attention = torch.tensor([[0.5], [0.45], [0.4]], requires_grad=True)
    memory_spread(attention).backward()
    assert attention.grad.flatten().tolist() == [-1.0, 0.0, 1.0]
