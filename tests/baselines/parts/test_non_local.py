"""The non-local block against one position at a time."""

import math

import pytest
import torch
from torch.nn import functional

from skyreid.baselines.parts.non_local import NonLocal
from tests.tiny_model import drawn, randomized

CHANNELS = 4


def slow(block, features, frames_that_see_each_other):
    """What position after position is told, before the last convolution."""
    told = []
    for start in range(0, len(features), frames_that_see_each_other):
        group = features[start : start + frames_that_see_each_other]
        queries = block.query(group).movedim(1, -1).flatten(0, 2)
        keys, values = (
            functional.max_pool2d(part(group), 2).movedim(1, -1).flatten(0, 2) for part in (block.key, block.value)
        )
        for query in queries:
            weights = [math.exp(float(query @ key)) for key in keys]
            told.append(sum(w * value for w, value in zip(weights, values, strict=True)) / sum(weights))
    height, width = features.shape[-2:]
    return torch.stack(told).reshape(len(features), height, width, -1).movedim(-1, 1)


@pytest.mark.parametrize(("over_time", "seen"), [(True, 3), (False, 1)])
@torch.no_grad()
def test_it_equals_one_position_at_a_time(over_time, seen):
    block = randomized(NonLocal(CHANNELS, over_time=over_time)).double()
    features = drawn(6, CHANNELS, 4, 6).double()
    expected = features + block.norm(block.out(slow(block, features, seen)))
    torch.testing.assert_close(block(features, 3), expected)


def test_it_starts_as_the_identity():
    features = drawn(2, CHANNELS, 4, 4)
    assert torch.equal(NonLocal(CHANNELS, over_time=True)(features, 2), features)


@pytest.mark.parametrize("over_time", [True, False])
def test_clips_do_not_leak_into_each_other(over_time):
    block = randomized(NonLocal(CHANNELS, over_time=over_time)).double()
    features = drawn(6, CHANNELS, 4, 4).double()
    torch.testing.assert_close(block(features, 3)[:3], block(features[:3], 3))
