"""The shape of batches; the release's own draws: tests/reference."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.clips.identity_sampler import IdentitySamplerConfig, identity_batches

LABELS = [label for label in range(12) for _ in range(2 + label % 5)]


def many_labels():
    return st.lists(st.integers(0, 12), min_size=4, max_size=60).filter(lambda labels: len(set(labels)) >= 4)


@given(labels=many_labels(), seed=st.integers(0, 1000))
def test_distinct_batches_hold_p_identities_with_k_tracklets_each(labels, seed):
    config = IdentitySamplerConfig(identities=4, tracklets=2)
    for batch in identity_batches(labels, config, seed=seed, epoch=1):
        counts = Counter(labels[position] for position in batch)
        assert len(counts) == 4
        assert set(counts.values()) == {2}


@given(labels=many_labels(), seed=st.integers(0, 1000))
def test_nobody_is_left_out_when_the_last_batch_is_kept(labels, seed):
    config = IdentitySamplerConfig(identities=4, tracklets=2, drop_last=False)
    seen = {labels[position] for batch in identity_batches(labels, config, seed=seed, epoch=3) for position in batch}
    assert seen == set(labels)


def test_the_release_s_batches_can_hold_one_identity_twice():
    config = IdentitySamplerConfig(identities=4, tracklets=2, distinct=False)
    labels = [label for label in range(6) for _ in range(8)]
    sizes = {
        len({labels[position] for position in batch})
        for epoch in range(20)
        for batch in identity_batches(labels, config, seed=0, epoch=epoch)
    }
    assert min(sizes) < 4


@pytest.mark.parametrize(
    ("tracklets", "shares"),
    [
        (1, {(4,): 1.0}),
        (2, {(4,): 2 / 16, (1, 3): 8 / 16, (2, 2): 6 / 16}),
        (3, {(4,): 3 / 81, (1, 3): 24 / 81, (2, 2): 18 / 81, (1, 1, 2): 36 / 81}),
    ],
)
def test_an_identity_with_too_few_tracklets_draws_each_anew_from_all_of_them(tracklets, shares):
    """METHOD section 7: with replacement, so that an eighth of the groups of two tracklets holds one of them only."""
    labels = [label for label in range(3000) for _ in range(tracklets)]
    (batch,) = identity_batches(labels, IdentitySamplerConfig(identities=3000, tracklets=4), seed=0, epoch=1)
    groups = [batch[i : i + 4] for i in range(0, len(batch), 4)]
    assert all(len({labels[position] for position in group}) == 1 for group in groups)
    found = Counter(tuple(sorted(Counter(group).values())) for group in groups)
    assert found.keys() == shares.keys()
    for counts, share in shares.items():
        assert found[counts] / 3000 == pytest.approx(share, abs=0.03)


def test_an_identity_with_enough_tracklets_repeats_none():
    labels = [label for label in range(50) for _ in range(4 + label % 3)]
    batches = identity_batches(labels, IdentitySamplerConfig(identities=2, tracklets=4), seed=0, epoch=1)
    assert all(len(set(batch)) == 8 for batch in batches)


def test_epochs_and_seeds_differ_and_repeat():
    config = IdentitySamplerConfig(identities=4, tracklets=2)
    first = identity_batches(LABELS, config, seed=0, epoch=1)
    assert first == identity_batches(LABELS, config, seed=0, epoch=1)
    assert first != identity_batches(LABELS, config, seed=0, epoch=2)
    assert first != identity_batches(LABELS, config, seed=1, epoch=1)


def test_too_few_identities_are_refused():
    with pytest.raises(ValueError, match="a batch of 8 identities needs as many; the training set has 2"):
        identity_batches([0, 0, 1, 1], IdentitySamplerConfig(), seed=0, epoch=1)
