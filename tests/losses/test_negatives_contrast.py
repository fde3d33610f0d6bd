"""Each positive against all negatives, one at a time."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skyreid.losses.negatives_contrast import negatives_contrast
from tests.tiny_model import drawn


def slow(logits, is_positive, is_negative):
    losses = [
        -math.log(
            math.exp(logit) / (math.exp(logit) + sum(math.exp(x) for x, n in zip(row, negative, strict=True) if n))
        )
        for row, positive, negative in zip(logits, is_positive, is_negative, strict=True)
        for logit, chosen in zip(row, positive, strict=True)
        if chosen
    ]
    return sum(losses) / len(losses)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=3, max_size=7).filter(lambda ls: len(set(ls)) > 1), st.integers(0, 10**6))
def test_it_equals_one_positive_at_a_time(labels, seed):
    labels = torch.tensor(labels)
    same = labels[:, None] == labels
    logits = 4 * drawn(len(labels), len(labels), seed=seed).double()
    ours = negatives_contrast(logits, same, ~same)
    assert float(ours) == pytest.approx(slow(logits.tolist(), same.tolist(), (~same).tolist()), rel=1e-10)


def test_groups_do_not_see_each_other():
    logits = drawn(2, 4, 4)
    same = torch.tensor([0, 0, 1, 1])[:, None] == torch.tensor([0, 0, 1, 1])
    together = negatives_contrast(logits, same, ~same)
    assert torch.equal(together, torch.stack([negatives_contrast(group, same, ~same) for group in logits]))


def test_large_logits_do_not_overflow():
    logits = torch.tensor([[1000.0, -1000.0], [-1000.0, 1000.0]])
    positive = torch.eye(2, dtype=torch.bool)
    assert negatives_contrast(logits, positive, ~positive) == 0
    assert negatives_contrast(-logits, positive, ~positive) == 2000


def test_an_anchor_without_negatives_costs_nothing_and_its_gradient_is_finite():
    logits = drawn(3, 3).requires_grad_()
    everything = torch.ones(3, 3, dtype=torch.bool)
    loss = negatives_contrast(logits, everything, ~everything)
    loss.backward()
    assert loss == 0
    assert logits.grad.isfinite().all()
