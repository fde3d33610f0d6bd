"""GRL: losses, tables, pairs and quirk, its parts one frame at a time; the whole method: tests/reference/baselines."""

import copy
import math
import re

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from skyreid.baselines.grl import (
    CHANNELS,
    GlobalGuidedMask,
    Grl,
    GrlConfig,
    OneWay,
    PairVerification,
    ReciprocalLearning,
    SelfAttentionPooling,
    build_grl,
    instance_matching,
    pair_verification,
    update_table,
)
from skyreid.errors import SettingError
from skyreid.extraction.embed_tracklets import Encoder
from skyreid.losses import TripletConfig, batch_hard_triplet
from tests.baselines.drawn_weights import with_drawn_weights
from tests.tiny_model import drawn

pytestmark = pytest.mark.slow  # seconds that every change would pay; what is tested changes rarely

SIZE = (64, 32)
NUM_CLASSES = 3
LABELS = torch.tensor([2, 2, 0, 0])
UNUSED = {
    *(f"unused.value.{name}" for name in ("weight", "bias")),
    *(f"unused.value_norm.{name}" for name in ("weight", "bias")),
}
"""Parameters that the release builds and nothing reads."""
CLIPS, FRAMES = 2, 3


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


def test_every_probe_is_asked_about_every_gallery_clip():
    logits, probes, gallery = drawn(2, 3).double(), [5, 7], [7, 5, 7]
    losses = []
    for row, probe in zip(logits.tolist(), probes, strict=True):
        for logit, other in zip(row, gallery, strict=True):
            probability = 1 / (1 + math.exp(-logit))
            losses.append(-math.log(probability if probe == other else 1 - probability))
    ours = pair_verification(logits, torch.tensor(probes), torch.tensor(gallery))
    assert float(ours) == pytest.approx(sum(losses) / len(losses), rel=1e-10)
