"""The loss of stage 2, every term written out clip by clip."""

import math

import pytest
import torch
from torch.testing import assert_close

from skyreid.losses import batch_hard_triplet
from skyreid.models.image_tower import ClipFeatures
from skyreid.training.stage2 import Stage2LossConfig, stage2_losses
from tests.tiny_model import drawn

LABELS = torch.tensor([2, 2, 0, 0, 2, 1])
FEATURES = ClipFeatures(
    penultimate=drawn(6, 8, seed=1).double(), final=drawn(6, 8, seed=2).double(), joint=drawn(6, 4, seed=3).double()
)
LOGITS = {"final": drawn(6, 5, seed=4).double(), "joint": drawn(6, 5, seed=5).double()}
TEXTS = drawn(5, 4, seed=6).double()
IDENTITIES = 5


def losses(config, *, texts=TEXTS):
    logits = {name: LOGITS[name] for name in config.identity_on}
    return stage2_losses(FEATURES, logits, texts, LABELS, config)


def similarity(image, text, temperature):
    dot = sum(a * b for a, b in zip(image, text, strict=True))
    return dot if temperature is None else dot / math.hypot(*image) / math.hypot(*text) / temperature


def smoothed_cross_entropy(logits, smoothing):
    total = 0.0
    for row, label in zip(logits, LABELS.tolist(), strict=True):
        everything = math.log(sum(math.exp(logit) for logit in row))
        for identity, logit in enumerate(row):
            target = smoothing / IDENTITIES + (1 - smoothing) * (identity == label)
            total -= target * (logit - everything)
    return total / len(LABELS)


def contrastive(rows):
    total = 0.0
    for row, label in zip(rows, LABELS.tolist(), strict=True):
        everything = math.log(sum(math.exp(logit) for logit in row))
        positives = [logit - everything for logit, other in zip(row, LABELS.tolist(), strict=True) if other == label]
        total -= sum(positives) / len(positives)
    return total / len(LABELS)


@pytest.mark.parametrize(
    "config",
    [
        Stage2LossConfig(),
        Stage2LossConfig(
            identity_weight=0.5,
            triplet_weight=2.0,
            visual_semantic_weight=3.0,
            image_to_text_weight=4.0,
            text_to_image_weight=5.0,
            label_smoothing=0.2,
            cosine_temperature=0.3,
        ),
    ],
)
def test_every_term_equals_a_loop_over_clips_times_its_weight(config):
    temperature, smoothing = config.cosine_temperature, config.label_smoothing
    with_everyone = [[similarity(i, t, temperature) for t in TEXTS.tolist()] for i in FEATURES.joint.tolist()]
    of_the_batch = [[row[label] for label in LABELS.tolist()] for row in with_everyone]
    expected = {
        "identity_final": config.identity_weight * smoothed_cross_entropy(LOGITS["final"].tolist(), smoothing),
        "identity_joint": config.identity_weight * smoothed_cross_entropy(LOGITS["joint"].tolist(), smoothing),
        "visual_semantic": config.visual_semantic_weight * smoothed_cross_entropy(with_everyone, smoothing),
        "image_to_text": config.image_to_text_weight * contrastive(of_the_batch),
        "text_to_image": config.text_to_image_weight * contrastive([*zip(*of_the_batch, strict=True)]),
    }
    for name in ("penultimate", "final", "joint"):
        alone = batch_hard_triplet(getattr(FEATURES, name), LABELS, config.triplet)  # has a loop of its own
        expected[f"triplet_{name}"] = config.triplet_weight * float(alone)
    assert {name: float(loss) for name, loss in losses(config).items()} == pytest.approx(expected, rel=1e-9)


def test_the_paper_s_choice_has_one_identity_and_one_triplet_term():
    names = set(losses(Stage2LossConfig(identity_on=("final",), triplet_on=("final",))))
    assert names == {"identity_final", "triplet_final", "visual_semantic", "image_to_text", "text_to_image"}


def test_without_text_only_the_visual_terms_are_left():
    config = Stage2LossConfig(visual_semantic_weight=0.0, image_to_text_weight=0.0, text_to_image_weight=0.0)
    assert not config.needs_text
    visual = losses(config, texts=None)
    assert set(visual) == {"identity_final", "identity_joint", *(f"triplet_{name}" for name in ClipFeatures._fields)}
    with_text = losses(Stage2LossConfig())
    assert_close(visual, {name: with_text[name] for name in visual}, rtol=0, atol=0)


@pytest.mark.parametrize("weight", ["visual_semantic_weight", "image_to_text_weight", "text_to_image_weight"])
def test_a_term_of_weight_0_adds_nothing_and_the_others_still_need_text(weight):
    config = Stage2LossConfig(**{weight: 0.0})
    assert config.needs_text
    terms = losses(config)
    assert terms.pop(weight.removesuffix("_weight")) == 0
    everything = losses(Stage2LossConfig())
    assert_close(terms, {name: everything[name] for name in terms}, rtol=0, atol=0)
