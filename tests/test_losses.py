"""The shared losses against their definitions, one anchor, row or pair at a time."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from skyreid.losses import TripletConfig, batch_hard_triplet, image_text_logits, supervised_contrastive
from tests.tiny_model import drawn

CONFIGS = [
    TripletConfig(form=form, distance=distance, margin=margin)
    for form in ("hinge", "soft")
    for distance in ("cosine", "euclidean")
    for margin in (0.3, 1.0)
]


def slow_triplet(features, labels, config):
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
    assert float(ours) == pytest.approx(slow_triplet(features.tolist(), labels, config), rel=1e-7, abs=1e-7)


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
    assert float(ours) == pytest.approx(slow_triplet(features.tolist(), labels, config), rel=1e-5)


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


LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=8)


def slow_contrastive(logits, row_labels, column_labels):
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
    assert float(ours) == pytest.approx(slow_contrastive(logits, labels, labels), rel=1e-10, abs=1e-12)


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
    assert float(ours) == pytest.approx(slow_contrastive(logits, rows, columns), rel=1e-10)


def test_large_logits_do_not_overflow():
    logits = torch.tensor([[1000.0, -1000.0], [-1000.0, 1000.0]])
    labels = torch.tensor([0, 1])
    assert supervised_contrastive(logits, labels, labels) == 0
    assert supervised_contrastive(-logits, labels, labels) == 2000


@pytest.mark.parametrize("temperature", [None, 1.0, 0.01])
def test_every_image_is_compared_with_every_text(temperature):
    images, texts = drawn(3, 4).double(), drawn(5, 4, seed=2).double()
    logits = image_text_logits(images, texts, cosine_temperature=temperature)
    assert logits.shape == (3, 5)
    for row, image in enumerate(images.tolist()):
        for column, text in enumerate(texts.tolist()):
            dot = sum(a * b for a, b in zip(image, text, strict=True))
            cosine = dot / math.hypot(*image) / math.hypot(*text)
            expected = dot if temperature is None else cosine / temperature
            assert float(logits[row, column]) == pytest.approx(expected, rel=1e-10)


def test_the_cosine_does_not_see_how_long_a_feature_is_and_the_dot_product_does():
    images, texts = drawn(3, 4).double(), drawn(5, 4, seed=2).double()
    by_cosine, by_dot = (
        image_text_logits(2 * images, 5 * texts, cosine_temperature=temperature) for temperature in (0.1, None)
    )
    assert_close(by_cosine, image_text_logits(images, texts, cosine_temperature=0.1))
    assert_close(by_dot, 10 * image_text_logits(images, texts, cosine_temperature=None))
