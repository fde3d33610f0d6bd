"""GRL's parts against one frame, one position and one pair at a time."""

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from skyreid.baselines.grl_blocks import (
    CHANNELS,
    GlobalGuidedMask,
    OneWay,
    PairVerification,
    ReciprocalLearning,
    SelfAttentionPooling,
)
from tests.baselines.drawn_weights import with_drawn_weights
from tests.tiny_model import drawn

CLIPS, FRAMES = 2, 3


def of(part):
    return with_drawn_weights(part).double()


@pytest.fixture(scope="module")
def reciprocal():
    return of(ReciprocalLearning())


@pytest.fixture(scope="module")
def maps():
    """What frames share and what they do not: [clip, frame, channel, height, width]."""
    return tuple(drawn(CLIPS, FRAMES, CHANNELS, 2, 1, seed=seed).double() for seed in (1, 2))


def normed(norm, features):
    """One vector, by the running statistics."""
    return (features - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias


@torch.no_grad()
def test_every_position_is_compared_with_a_summary_of_its_clip():
    part, features = of(GlobalGuidedMask()), drawn(4, CHANNELS, 3, 2).double()
    correlated, uncorrelated, mask = part(features, 2)
    linear, norm, _ = part.summary
    conv1, norm1, conv2, norm2, _, conv3, norm3, _ = part.mask
    whole = features[2:].mean(dim=(0, 2, 3))
    summary = normed(norm, linear.weight @ whole + linear.bias).relu()
    at = features[3, :, 2, 1]
    hidden = normed(norm1, conv1.weight[:, :, 0, 0] @ torch.cat([at, summary]))
    hidden = normed(norm2, conv2.weight[:, :, 0, 0] @ hidden).relu()
    expected = normed(norm3, conv3.weight[:, :, 0, 0] @ hidden).sigmoid()
    assert_close(mask[3, :, 2, 1], expected)
    assert_close(correlated[3, :, 2, 1], at * expected)
    assert_close(uncorrelated + correlated, features)


def slow_walk(way, shared, own):
    """One clip [frame, channel, height, width]."""
    memory = own.mean(dim=0)
    strengthened = []
    for frame, rest in zip(shared, own, strict=True):
        squares = []
        for row in range(memory.shape[1]):
            of_memory = (way.memory_map.weight[:, :, 0, 0] @ memory[:, row, 0] + way.memory_map.bias).relu()
            of_frame = (way.frame_map.weight[:, :, 0, 0] @ frame[:, row, 0] + way.frame_map.bias).relu()
            squares.append((of_memory - of_frame) ** 2)
        gate = (way.gate[2].weight @ (way.gate[0].weight @ torch.stack(squares).mean(0)).relu()).sigmoid()
        strengthened.append((frame * (1 + gate)[:, None, None]).mean(dim=(1, 2)))
        memory = torch.stack([slow_update(way.update, (memory + rest)[:, row, 0]) for row in range(2)], dim=1)[
            ..., None
        ]
    return memory.mean(dim=(1, 2)), torch.stack(strengthened)


def slow_update(update, both):
    hidden = normed(update.bn1, update.conv1.weight[:, :, 0, 0] @ both).relu()
    hidden = normed(update.bn2, update.conv2.weight[:, :, 0, 0] @ hidden).relu()
    return (both + normed(update.bn3, update.conv3.weight[:, :, 0, 0] @ hidden)).relu()


@torch.no_grad()
def test_a_walk_goes_frame_by_frame_and_position_by_position(reciprocal, maps):
    shared, own = maps
    memory, strengthened = reciprocal.onward(shared, own)
    expected_memory, expected = slow_walk(reciprocal.onward, shared[1], own[1])
    assert_close(memory[1], expected_memory)
    assert_close(strengthened[1], expected)


@torch.no_grad()
def test_the_second_walk_goes_back_and_frames_keep_their_places(reciprocal, maps):
    shared, own = maps
    memory, strengthened = reciprocal(shared, own)
    there_memory, there = slow_walk(reciprocal.onward, shared[0], own[0])
    back_memory, back = slow_walk(reciprocal.back, shared[0].flip(0), own[0].flip(0))
    assert_close(memory[0], there_memory + back_memory)
    assert_close(strengthened[0], there + back.flip(0))


def test_gradients_of_a_walk_are_those_of_finite_differences(maps):
    way = of(OneWay()).train()
    inputs = [each[:, :2].clone().requires_grad_() for each in maps]
    directions = [drawn(*each.shape, seed=seed).double() for seed, each in enumerate(inputs, start=5)]
    weights = [drawn(*each.shape, seed=seed).double() for seed, each in enumerate(way(*inputs), start=9)]

    def value(shared, own):
        return sum((out * weight).sum() for out, weight in zip(way(shared, own), weights, strict=True))

    gradients = torch.autograd.grad(value(*inputs), inputs)
    step = 1e-6
    with torch.no_grad():
        ahead, behind = (
            value(*(each + sign * step * way_to for each, way_to in zip(inputs, directions, strict=True)))
            for sign in (1, -1)
        )
    along = sum((gradient * way_to).sum() for gradient, way_to in zip(gradients, directions, strict=True))
    assert_close((ahead - behind) / (2 * step), along, rtol=1e-5, atol=0)


@torch.no_grad()
def test_a_frame_counts_by_how_much_all_frames_look_at_it():
    part, clips = of(SelfAttentionPooling()), drawn(CLIPS, FRAMES, CHANNELS).double()
    pooled = part(clips)
    query, key = (
        [functional.normalize(normed(norm, linear(frame)), dim=0) for frame in clips[1]]
        for linear, norm in ((part.query, part.query_norm), (part.key, part.key_norm))
    )
    whole = torch.zeros(CHANNELS, dtype=torch.float64)
    for asking in query:
        weights = torch.stack([asking @ asked for asked in key]).softmax(dim=0)
        whole += sum(weight * frame for weight, frame in zip(weights, clips[1], strict=True))
    assert_close(pooled[1], whole / whole.norm())


@torch.no_grad()
def test_every_probe_is_compared_with_every_gallery_clip():
    part, probes, gallery = of(PairVerification()), drawn(2, CHANNELS).double(), drawn(3, CHANNELS, seed=2).double()
    scores = part(probes, gallery)
    assert scores.shape == (2, 3, 2)
    for i, probe in enumerate(probes):
        for j, other in enumerate(gallery):
            expected = part.classifier.weight @ normed(part.norm, (probe - other) ** 2) + part.classifier.bias
            assert_close(scores[i, j], expected)
