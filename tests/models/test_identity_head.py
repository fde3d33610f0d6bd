"""The identity head against batch normalisation written out."""

import torch
from torch.testing import assert_close

from skyreid.models.identity_head import IdentityHead
from tests.tiny_model import drawn, randomized


def normalise(norm, features, mean, variance):
    return (features - mean) / (variance + 1e-5).sqrt() * norm.weight + norm.bias


@torch.no_grad()
def test_in_training_it_normalises_by_the_batch_and_remembers_it():
    head, features = randomized(IdentityHead(6, num_identities=5)).train(), drawn(8, 6)
    mean = features.mean(0)
    squares = (features - mean).square().sum(0)
    expected = normalise(head.norm, features, mean, squares / 8) @ head.classifier.weight.T
    assert_close(head(features), expected)
    assert_close(head.norm.running_mean, 0.1 * mean)
    assert_close(head.norm.running_var, 0.9 + 0.1 * squares / 7)


@torch.no_grad()
def test_outside_of_training_a_clip_s_logits_do_not_depend_on_its_batch():
    head, features = randomized(IdentityHead(6, num_identities=5)), drawn(8, 6)
    head.norm.running_mean.copy_(drawn(6, seed=2))
    head.norm.running_var.copy_(drawn(6, seed=3).exp())
    expected = normalise(head.norm, features, head.norm.running_mean, head.norm.running_var) @ head.classifier.weight.T
    assert_close(head(features), expected)
    assert_close(torch.cat([head(one[None]) for one in features]), expected)


def test_it_starts_as_in_the_release():
    head = IdentityHead(200, num_identities=300)
    assert (head.norm.weight == 1).all()
    assert not head.norm.bias.any()
    assert head.classifier.bias is None
    assert 0.0009 < head.classifier.weight.std() < 0.0011
