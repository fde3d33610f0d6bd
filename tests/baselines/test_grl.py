"""GRL's losses, tables, pairs and quirk; the whole method: tests/reference/baselines."""

import copy
import re

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from skyreid.baselines.grl import Grl, GrlConfig, build_grl
from skyreid.errors import SettingError
from skyreid.losses.triplet import TripletConfig, batch_hard_triplet
from skyreid.models.encoder import Encoder
from tests.baselines.drawn_weights import with_drawn_weights
from tests.tiny_model import drawn

SIZE = (64, 32)
NUM_CLASSES = 3
LABELS = torch.tensor([2, 2, 0, 0])
UNUSED = {
    *(f"unused.value.{name}" for name in ("weight", "bias")),
    *(f"unused.value_norm.{name}" for name in ("weight", "bias")),
}
"""Parameters that the release builds and nothing reads."""


@pytest.fixture(scope="module")
def trained():
    return with_drawn_weights(Grl(GrlConfig(num_classes=NUM_CLASSES, image_size=SIZE)))


@pytest.fixture
def model(trained):
    """With empty tables, as training starts."""
    for table in (trained.table, trained.uncorrelated_table):
        table.zero_()
    return trained.eval()


@pytest.fixture(scope="module")
def clips():
    return drawn(4, 2, 3, *SIZE)


@pytest.fixture
def bare():
    """A model without weights, for its losses and tables alone, in float64."""
    with torch.device("meta"):
        model = Grl(GrlConfig(num_classes=NUM_CLASSES, image_size=SIZE))
    return with_empty_tables(model)


def with_empty_tables(model):
    for table in ("table", "uncorrelated_table"):
        setattr(model, table, torch.zeros(NUM_CLASSES, 2048, dtype=torch.float64))
    return model


def unit(*shape, seed):
    return functional.normalize(drawn(*shape, seed=seed).double(), dim=-1)


def made_up_outputs():
    return {
        "frame_features": unit(4, 2, 2048, seed=1),
        "pooled_feature": unit(4, 2048, seed=2),
        "uncorrelated_feature": unit(4, 2048, seed=3),
        "pair_scores": drawn(2, 2, 2, seed=4).double(),
        "uncorrelated_pair_scores": drawn(2, 2, 2, seed=5).double(),
    }


@torch.no_grad()
def test_the_embedding_is_the_uncorrelated_the_pooled_and_the_mean_of_frames(model, clips):
    outputs = model(clips)
    feature, pooled, mean = outputs["embedding"].split(2048, dim=1)
    assert isinstance(model, Encoder)
    assert outputs["embedding"].shape == (4, model.embed_dim)
    assert_close(feature.norm(dim=1), torch.ones(4))
    assert_close(feature, outputs["uncorrelated_feature"])
    assert_close(pooled, model.pooling(outputs["frame_features"]))
    assert_close(mean, outputs["frame_features"].mean(dim=1))


@torch.no_grad()
def test_a_clip_has_the_same_embedding_in_any_batch(model, clips):
    assert_close(model(clips)["embedding"][2:3], model(clips[2:3])["embedding"], rtol=1e-3, atol=1e-5)


def test_training_pools_all_probes_and_then_all_gallery_clips_each_half_normalised_by_itself(model, clips):
    """The statistics tell the order too: the call that came last has moved them last."""
    alone = copy.deepcopy(model.pooling).train()
    outputs = model.train()(clips)
    frames = outputs["frame_features"]
    expected = [alone(frames[0::2]), alone(frames[1::2])]
    assert_close(outputs["pooled_feature"][0::2], expected[0], rtol=1e-4, atol=1e-5)
    assert_close(outputs["pooled_feature"][1::2], expected[1], rtol=1e-4, atol=1e-5)
    for norm in ("query_norm", "key_norm"):
        ours, theirs = getattr(model.pooling, norm), getattr(alone, norm)
        assert ours.num_batches_tracked == theirs.num_batches_tracked
        assert_close(ours.running_mean, theirs.running_mean, rtol=1e-4, atol=1e-6)
        assert_close(ours.running_var, theirs.running_var, rtol=1e-4, atol=1e-6)


def test_training_verifies_the_first_of_each_pair_against_all_seconds(model, clips):
    outputs = model.train()(clips)
    pooled, feature = outputs["pooled_feature"], outputs["uncorrelated_feature"]
    assert outputs["pair_scores"].shape == (2, 2, 2)
    for scores, features, head in (
        (outputs["pair_scores"], pooled, model.verification),
        (outputs["uncorrelated_pair_scores"], feature, model.uncorrelated_verification),
    ):
        pairs = torch.stack([(features[probe] - features[other]) ** 2 for probe in (0, 2) for other in (1, 3)])
        normed = functional.batch_norm(pairs, None, None, head.norm.weight, head.norm.bias, training=True)
        assert_close(scores.flatten(0, 1), head.classifier(normed), rtol=1e-3, atol=1e-4)


def test_all_terms_are_what_they_are_called(bare):
    bare.table.copy_(unit(NUM_CLASSES, 2048, seed=6))
    bare.uncorrelated_table.copy_(unit(NUM_CLASSES, 2048, seed=7))
    table, uncorrelated_table = bare.table.clone(), bare.uncorrelated_table.clone()
    outputs = made_up_outputs()
    losses = bare.losses(outputs, LABELS)
    frames, pooled, feature = (outputs[name] for name in ("frame_features", "pooled_feature", "uncorrelated_feature"))
    same = outputs["pair_scores"].softmax(dim=-1)[..., 1]  # pairs 0-0 and 1-1 show one person
    verified = -(same[0, 0].log() + (1 - same[0, 1]).log() + (1 - same[1, 0]).log() + same[1, 1].log()) / 4
    expected = {
        "frame_identity": functional.cross_entropy(30 * frames.flatten(0, 1) @ table.T, LABELS.repeat_interleave(2)),
        "identity": functional.cross_entropy(30 * pooled @ table.T, LABELS),
        "verification": 20 * verified,
        "triplet": batch_hard_triplet(pooled, LABELS, TripletConfig(form="soft", distance="euclidean")),
        "uncorrelated_identity": functional.cross_entropy(30 * feature @ uncorrelated_table.T, LABELS),
    }
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        assert_close(losses[name], value, msg=lambda text, name=name: f"{name}: {text}")


def test_the_tables_move_towards_what_was_seen_pooled_features_before_frames(bare):
    outputs = made_up_outputs()
    bare.losses(outputs, LABELS)
    row = torch.zeros(2048, dtype=torch.float64)
    for feature in (*outputs["pooled_feature"][2:], *outputs["frame_features"][2], *outputs["frame_features"][3]):
        row = functional.normalize((row + feature) / 2, dim=0)
    assert_close(bare.table[0], row)
    assert not bare.table[1].any()  # nobody saw this person
    one, other = outputs["uncorrelated_feature"][:2]
    both = functional.normalize((functional.normalize(one, dim=0) + other) / 2, dim=0)
    assert_close(bare.uncorrelated_table[2], both)


def test_the_update_of_the_tables_changes_no_gradient_of_its_step(bare):
    bare.table.copy_(unit(NUM_CLASSES, 2048, seed=6))
    table = bare.table.clone()
    outputs = made_up_outputs()
    outputs["pooled_feature"].requires_grad_()
    identity = bare.losses(outputs, LABELS)["identity"]
    assert not torch.equal(bare.table, table)
    (gradient,) = torch.autograd.grad(identity, outputs["pooled_feature"])
    probability = (30 * outputs["pooled_feature"] @ table.T).softmax(dim=1)
    assert_close(gradient, 30 / 4 * (probability - functional.one_hot(LABELS, NUM_CLASSES)) @ table)


def test_the_clean_preset_adds_the_loss_that_the_release_drops_and_lacks_what_nothing_reads():
    outputs = made_up_outputs()
    with torch.device("meta"):
        release, clean = (build_grl(num_classes=2, frames=8, preset=preset) for preset in ("release", "clean"))
    parameters, fewer = (dict(model.named_parameters()).keys() for model in (release, clean))
    assert fewer < parameters
    assert parameters - fewer == UNUSED
    released, cleaned = (with_empty_tables(model).losses(outputs, LABELS) for model in (release, clean))
    own = cleaned.pop("uncorrelated_verification")
    assert_close(cleaned, released)
    log_odds = outputs["uncorrelated_pair_scores"].diff(dim=-1)[..., 0]
    assert_close(own, 20 * functional.binary_cross_entropy_with_logits(log_odds, torch.eye(2).double()))


def test_training_teaches_every_parameter_but_the_head_whose_loss_is_dropped_and_the_unused_ones(model, clips):
    model.train()
    losses = model.losses(model(clips), LABELS)
    torch.stack([*losses.values()]).sum().backward()
    untaught = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    model.zero_grad()
    assert all(loss.isfinite() for loss in losses.values())
    assert untaught == UNUSED | {
        f"uncorrelated_verification.{name}"
        for name in ("norm.weight", "norm.bias", "classifier.weight", "classifier.bias")
    }


def test_the_tables_have_a_row_for_each_identity(model):
    assert model.table.shape == model.uncorrelated_table.shape == (NUM_CLASSES, 2048)


def test_batches_that_are_not_pairs_are_refused(model, clips):
    for number in (2, 3):
        few = f"grl: a training batch is two or more pairs of a probe and a gallery clip; got {number} clips"
        with pytest.raises(SettingError, match=f"^{few}$"):
            model.train()(clips[:number])
    strangers = (
        "grl: a training batch is pairs of a probe and a gallery clip of one person; got the labels [0, 1, 1, 0]: "
        "an even number of tracklets an identity makes pairs"
    )
    with pytest.raises(SettingError, match=f"^{re.escape(strangers)}$"):
        model.losses(made_up_outputs(), torch.tensor([0, 1, 1, 0]))
    assert not model.table.any()
