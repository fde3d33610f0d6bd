"""The supervised contrastive loss against its formula, one row at a time."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from skyreid.losses.supervised_contrastive import supervised_contrastive
from tests.tiny_model import drawn

LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=8)


def slow(logits, row_labels, column_labels):
    total = 0.0
    for row, label in zip(logits.tolist(), row_labels, strict=True):
        everything = math.log(sum(math.exp(logit) for logit in row))
        positives = [logit - everything for logit, other in zip(row, column_labels, strict=True) if other == label]
        total -= sum(positives) / len(positives)
    return total / len(row_labels)


@settings(max_examples=40, deadline=None)
@given(LABELS, st.integers(0, 10**6))
def test_it_equals_one_row_at_a_time(labels, seed):
    logits = 5 * drawn(len(labels), len(labels), seed=seed).double()
    ours = supervised_contrastive(logits, torch.tensor(labels), torch.tensor(labels))
    assert float(ours) == pytest.approx(slow(logits, labels, labels), rel=1e-10, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(LABELS, st.randoms(use_true_random=False))
def test_the_order_of_the_batch_does_not_matter(labels, random):
    order = list(range(len(labels)))
    random.shuffle(order)
    logits, given_labels = drawn(len(labels), len(labels)).double(), torch.tensor(labels)
    shuffled = supervised_contrastive(logits[order][:, order], given_labels[order], given_labels[order])
    assert_close(shuffled, supervised_contrastive(logits, given_labels, given_labels))


def test_rows_and_columns_may_be_different_people():
    logits = drawn(2, 3).double()
    rows, columns = [4, 7], [7, 4, 7]
    ours = supervised_contrastive(logits, torch.tensor(rows), torch.tensor(columns))
    assert float(ours) == pytest.approx(slow(logits, rows, columns), rel=1e-10)


def test_large_logits_do_not_overflow():
    logits = torch.tensor([[1000.0, -1000.0], [-1000.0, 1000.0]])
    labels = torch.tensor([0, 1])
    assert supervised_contrastive(logits, labels, labels) == 0
    assert supervised_contrastive(-logits, labels, labels) == 2000
