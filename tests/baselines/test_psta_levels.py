"""PSTA's levels against loops over single positions; the whole method: test_psta.py."""

import torch
from torch.autograd import gradcheck
from torch.nn import functional

from skyreid.baselines.psta_levels import AggregationLevel, FrameAttention, FramePairAttention

MAP = (2, 3)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


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
