import math

import pytest
import torch
from torch.nn import functional

from skyreid.losses.instance_matching import instance_matching, update_table
from tests.tiny_model import drawn


def test_it_is_the_surprise_at_the_own_entry_of_the_table():
    features, table = functional.normalize(drawn(3, 4).double()), functional.normalize(drawn(5, 4, seed=2).double())
    labels = [4, 0, 4]
    losses = []
    for feature, label in zip(features.tolist(), labels, strict=True):
        similarities = [30 * sum(a * b for a, b in zip(feature, entry, strict=True)) for entry in table.tolist()]
        losses.append(math.log(sum(math.exp(s) for s in similarities)) - similarities[label])
    ours = instance_matching(features, torch.tensor(labels), table)
    assert float(ours) == pytest.approx(sum(losses) / 3, rel=1e-10)


def test_the_table_moves_row_after_row_and_gets_no_gradient():
    features = functional.normalize(drawn(3, 4).double()).requires_grad_()
    table = torch.zeros(2, 4, dtype=torch.float64)
    update_table(table, features, torch.tensor([1, 1, 1]), momentum=0.25)
    assert not table[0].any()
    entry = features.detach()[0]
    for feature in features.detach()[1:]:
        entry = functional.normalize(0.25 * entry + 0.75 * feature, dim=0)
    torch.testing.assert_close(table[1], entry)
    assert not table.requires_grad


def test_an_update_between_the_passes_does_not_change_the_gradient():
    labels, table = torch.tensor([1, 0]), functional.normalize(drawn(2, 4, seed=2))

    def gradient(*, updates):
        features, own_table = functional.normalize(drawn(2, 4)).requires_grad_(), table.clone()
        loss = instance_matching(features, labels, own_table)
        if updates:
            update_table(own_table, features, labels)
        loss.backward()
        return features.grad

    assert torch.equal(gradient(updates=True), gradient(updates=False))
