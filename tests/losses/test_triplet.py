"""The batch-hard triplet loss against its definition, one anchor at a time."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from skyreid.losses.triplet import TripletConfig, batch_hard_triplet
from tests.tiny_model import drawn

CONFIGS = [
    TripletConfig(form=form, distance=distance, margin=margin)
    for form in ("hinge", "soft")
    for distance in ("cosine", "euclidean")
    for margin in (0.3, 1.0)
]


def slow(features, labels, config):
    def distance(a, b):
        if config.distance == "euclidean":
            return math.dist(a, b)
        return -sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)

    losses = []
    for anchor, label in zip(features, labels, strict=True):
        positives = [distance(anchor, other) for other, theirs in zip(features, labels, strict=True) if theirs == label]
        negatives = [distance(anchor, other) for other, theirs in zip(features, labels, strict=True) if theirs != label]
        gap = max(positives) - min(negatives, default=1.0)
        losses.append(math.log1p(math.exp(gap)) if config.form == "soft" else max(0.0, gap + config.margin))
    return sum(losses) / len(losses)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(CONFIGS),
    st.lists(st.integers(0, 2), min_size=2, max_size=8).filter(lambda labels: len(set(labels)) > 1),
    st.integers(0, 10**6),
)
def test_it_equals_one_anchor_at_a_time(config, labels, seed):
    features = drawn(len(labels), 6, seed=seed).double()
    ours = batch_hard_triplet(features, torch.tensor(labels), config)
    assert float(ours) == pytest.approx(slow(features.tolist(), labels, config), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize(("form", "expected"), [("hinge", 0.3), ("soft", math.log(2))])
def test_an_anchor_without_a_negative_gets_a_cosine_distance_of_one(form, expected):
    """METHOD section 4. Opposite clips of one person are at a distance of 1 too, so that the gap is zero."""
    features = torch.tensor([[2.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    ours = batch_hard_triplet(features, torch.tensor([1, 1]), TripletConfig(form=form))
    assert float(ours) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("form", "expected"), [("hinge", 0.3), ("soft", math.log(2))])
def test_an_anchor_alone_of_its_person_is_its_own_farthest_positive(form, expected):
    """METHOD section 4. Its distance to itself is -1, and so is that of a stranger in the same direction."""
    features = torch.tensor([[2.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    ours = batch_hard_triplet(features, torch.tensor([0, 1]), TripletConfig(form=form))
    assert float(ours) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("form", ["hinge", "soft"])
def test_without_a_negative_the_euclidean_form_asks_for_nothing(form):
    config = TripletConfig(distance="euclidean", form=form)
    assert batch_hard_triplet(drawn(3, 6), torch.tensor([1, 1, 1]), config) == 0


def test_the_cosine_form_does_not_see_how_long_a_feature_is():
    features, labels = drawn(6, 4), torch.tensor([0, 0, 1, 1, 2, 2])
    lengths = torch.tensor([[1.0], [2.0], [0.5], [7.0], [1.0], [3.0]])
    config = TripletConfig()
    assert_close(batch_hard_triplet(features * lengths, labels, config), batch_hard_triplet(features, labels, config))


@pytest.mark.parametrize("identities", [16, 32])
def test_euclidean_distances_are_exact_in_a_batch_of_32_features_far_from_zero(identities):
    features, labels = 2 * drawn(32, 512) + 10, [clip % identities for clip in range(32)]
    config = TripletConfig(distance="euclidean", margin=70.0)
    ours = batch_hard_triplet(features, torch.tensor(labels), config)
    assert float(ours) == pytest.approx(slow(features.tolist(), labels, config), rel=1e-5)


@pytest.mark.parametrize("config", CONFIGS)
def test_gradients_are_finite_where_a_feature_meets_itself(config):
    features = drawn(4, 6).requires_grad_()
    batch_hard_triplet(features, torch.tensor([0, 0, 1, 1]), config).backward()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("config", CONFIGS)
def test_gradients_are_finite_where_two_clips_are_the_same(config):
    features = drawn(2, 6).repeat_interleave(2, 0).requires_grad_()
    batch_hard_triplet(features, torch.tensor([0, 0, 1, 1]), config).backward()
    assert features.grad.isfinite().all()
