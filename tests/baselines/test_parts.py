"""Parts that several methods share."""

import math

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from skyreid.baselines.parts import NonLocal, PlatformEmbedding, make_classifier, make_neck
from skyreid.models.platform_prompt import UNKNOWN_PLATFORM
from skyreid.tracklet import Platform
from tests.tiny_model import drawn, randomized


def test_a_neck_starts_around_one_and_may_keep_its_bias_at_zero():
    plain, spread = make_neck(64, trains_bias=False), make_neck(64, trains_bias=True, weight_std=0.02)
    assert torch.equal(plain.weight, torch.ones(64))
    assert 0 < spread.weight.std() < 0.05
    assert (plain.bias.requires_grad, spread.bias.requires_grad) == (False, True)


def test_a_classifier_starts_near_zero_with_a_bias_only_where_asked():
    with_bias, without = make_classifier(64, 5, bias=True), make_classifier(64, 5, bias=False)
    assert with_bias.weight.std() < 0.002
    assert not with_bias.bias.any()
    assert without.bias is None


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


@pytest.fixture
def embedding():
    return PlatformEmbedding(6)


def test_every_clip_gets_the_vector_of_its_platform(embedding):
    numbers = [Platform.AERIAL.number, Platform.GROUND.number]
    given = embedding(torch.tensor(numbers), clips=2)
    assert torch.equal(given, embedding.vectors[numbers])
    assert not torch.equal(given[0], given[1])


def test_where_nobody_knows_the_platform_the_mean_is_used(embedding):
    given = embedding(torch.tensor([UNKNOWN_PLATFORM, Platform.AERIAL.number]), clips=2)
    assert_close(given[0], (embedding.vectors[0] + embedding.vectors[1]) / 2)
    assert torch.equal(given[1], embedding.vectors[1])


def test_without_platforms_every_clip_gets_the_mean(embedding):
    assert torch.equal(embedding(None, clips=2), embedding(torch.tensor([UNKNOWN_PLATFORM] * 2), clips=2))
