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


def test_epochs_and_seeds_differ_and_repeat():
    config = IdentitySamplerConfig(identities=4, tracklets=2)
    first = identity_batches(LABELS, config, seed=0, epoch=1)
    assert first == identity_batches(LABELS, config, seed=0, epoch=1)
    assert first != identity_batches(LABELS, config, seed=0, epoch=2)
    assert first != identity_batches(LABELS, config, seed=1, epoch=1)


def test_too_few_identities_are_refused():
    with pytest.raises(ValueError, match="a batch of 8 identities needs as many; the training set has 2"):
        identity_batches([0, 0, 1, 1], IdentitySamplerConfig(), seed=0, epoch=1)
