"""PSTA's pyramid, its levels against loops over positions, its losses and what it refuses."""

import pytest
import torch
from torch.autograd import gradcheck
from torch.nn import functional

from skyreid.baselines.psta import AggregationLevel, FrameAttention, FramePairAttention, Psta, PstaConfig, build_psta
from skyreid.errors import SettingError
from tests.reference.baselines.stored_outputs import find_stored

SIZE = (64, 32)
NUM_CLASSES = 5
MAP = (2, 3)


@pytest.fixture(scope="module")
def model():
    return build_psta(num_classes=NUM_CLASSES, frames=8, image_size=SIZE)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_embedding_is_the_mean_of_the_levels(model):
    frames = torch.randn(2, 8, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    of_levels = []
    hooks = [level.register_forward_hook(lambda *call: of_levels.append(call[2])) for level in model.eval().levels]
    with torch.no_grad():
        embedding = model(frames)["embedding"]
    for hook in hooks:
        hook.remove()
    assert [maps.shape[1] for maps in of_levels] == [4, 2, 1]
    mean = sum(maps.mean(dim=(1, 3, 4)) for maps in of_levels) / 3
    torch.testing.assert_close(embedding, mean / (1 + model.necks[2].eps) ** 0.5)


def test_all_but_the_biases_of_the_necks_learns_from_the_losses(model):
    outputs = model.train()(torch.randn(4, 8, 3, *SIZE, generator=torch.Generator().manual_seed(0)))
    assert outputs["logits"].shape == (4, 3, NUM_CLASSES)
    assert outputs["feature"].shape == (4, 3, 1024)
    total = torch.stack([*model.losses(outputs, torch.tensor([0, 0, 1, 1])).values()]).sum()
    model.zero_grad()
    total.backward()
    assert total.isfinite()
    stored = find_stored("psta")
    without = [stored.stored_name(name) for name, parameter in model.named_parameters() if parameter.grad is None]
    assert without == stored.spec["no_grad_params"]
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)


def test_losses_are_means_over_the_levels():
    with torch.device("meta"):
        model = Psta(PstaConfig(num_classes=NUM_CLASSES, frames=8))
    labels = torch.tensor([0, 0, 1, 1])
    logits, feature = drawn(4, 3, NUM_CLASSES), drawn(4, 3, 7, seed=1)
    losses = model.losses({"logits": logits, "feature": feature}, labels)
    wanted = 0.9 * functional.one_hot(labels, NUM_CLASSES).double() + 0.1 / NUM_CLASSES
    torch.testing.assert_close(losses["identity"], -(wanted[:, None] * logits.log_softmax(-1)).sum() / 12)
    terms = []
    for level in feature.unbind(dim=1):
        cosine = functional.cosine_similarity(level[:, None], level[None], dim=-1)
        positive = torch.stack([cosine[0, 1], cosine[0, 1], cosine[2, 3], cosine[2, 3]])
        negative = torch.cat([cosine[:2, 2:].amax(dim=1), cosine[2:, :2].amax(dim=1)])
        terms.append((negative - positive + 0.3).clamp(min=0))
    torch.testing.assert_close(losses["triplet"], torch.stack(terms).mean())


@pytest.mark.parametrize("frames", [0, 4, 12])
def test_clips_that_cannot_be_halved_three_times_are_refused(frames):
    with pytest.raises(SettingError, match=rf"^psta: the frames of a clip are halved 3 times; got {frames} frames$"):
        build_psta(num_classes=2, frames=frames)


def test_clips_of_another_size_are_refused(model):
    message = r"^psta: this model was built for clips of 8 frames of 64 x 32; got 8 of 32 x 64$"
    with pytest.raises(SettingError, match=message):
        model(torch.zeros(1, 8, 3, 32, 64))


def relation_maps(asked, answering):
    """Two maps: at each of our positions its relations to all of theirs, at each of theirs to all of ours."""
    height, width = MAP
    places = [(row, column) for row in range(height) for column in range(width)]
    ours, theirs = (torch.zeros(1, height * width, height, width, dtype=torch.float64) for _ in range(2))
    for a, our_place in enumerate(places):
        for b, their_place in enumerate(places):
            relation = asked[0, :, *our_place] @ answering[0, :, *their_place]
            ours[0, b, *our_place] = relation
            theirs[0, a, *their_place] = relation
    return ours, theirs


def test_a_pair_is_merged_by_the_relations_between_its_frames():
    attention = FramePairAttention(6, MAP).double().eval()
    features, embedded = drawn(1, 2, 6, *MAP), drawn(1, 2, 128, *MAP, seed=1)
    with torch.no_grad():
        total = torch.zeros(1, 6, *MAP, dtype=torch.float64)
        for ours, theirs in ((0, 1), (1, 0)):
            incoming, _ = relation_maps(attention.asked(features[:, ours]), attention.answering(features[:, theirs]))
            _, outgoing = relation_maps(attention.asked(features[:, theirs]), attention.answering(features[:, ours]))
            relation = attention.relation(torch.cat([incoming, outgoing], dim=1))
            appearance = attention.appearance(torch.cat([embedded[:, ours], embedded[:, theirs]], dim=1))
            kept = attention.attention(torch.cat([appearance, relation], dim=1))
            means = [features[:, frame].flatten(2).mean(dim=2) for frame in (ours, theirs)]
            summaries = torch.cat([functional.relu(attention.summary(mean)) for mean in means], dim=1)
            total += attention.gate(summaries)[:, :, None, None] * kept * features[:, ours]
        torch.testing.assert_close(attention(features, embedded)[:, 0], total.clamp(min=0) ** 2)


def test_a_frame_is_weighed_by_the_relations_inside_it():
    attention = FrameAttention(6, MAP).double().eval()
    features, embedded = drawn(1, 6, *MAP), drawn(1, 128, *MAP, seed=1)
    with torch.no_grad():
        both = relation_maps(attention.asked(features), attention.answering(features))
        kept = attention.attention(torch.cat([embedded, attention.relation(torch.cat(both, dim=1))], dim=1))
        gate = attention.gate(features.flatten(2).mean(dim=2))
        torch.testing.assert_close(attention(features, embedded), gate[:, :, None, None] * kept * features)


def test_a_level_merges_each_two_frames_by_themselves():
    level = AggregationLevel(6, MAP).double().eval()
    features = drawn(2, 4, 6, *MAP)
    with torch.no_grad():
        together = level(features)
        for pair in (0, 1):
            alone = level(features[:, 2 * pair : 2 * pair + 2])
            torch.testing.assert_close(together[:, pair : pair + 1], alone)


def test_the_two_frames_of_a_pair_may_change_places():
    level = AggregationLevel(6, MAP).double().eval()
    features = drawn(2, 2, 6, *MAP)
    with torch.no_grad():
        torch.testing.assert_close(level(features.flip(dims=[1])), level(features))


def test_in_training_pairs_are_normalised_one_after_the_other():
    attention = FramePairAttention(6, MAP).double().train()
    calls = []
    for part in (attention.relation, attention.appearance, attention.attention):
        part.register_forward_hook(lambda _, inputs, output: calls.append(len(output)))
    whole = attention(drawn(3, 4, 6, *MAP), drawn(3, 4, 128, *MAP, seed=1))
    assert whole.shape == (3, 2, 6, *MAP)
    assert calls == [3] * 12  # two pairs, two directions, three parts


def test_gradients_of_a_level_are_those_of_finite_differences():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        level = AggregationLevel(3, (2, 1)).double().train()
    assert gradcheck(level, drawn(2, 2, 3, 2, 1).requires_grad_())
