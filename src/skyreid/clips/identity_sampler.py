"""Which tracklets stand together in a batch: P identities with K tracklets each.

Source: paper section 5.2 (32 clips of 8 identities); METHOD section 7 and section 11 rows 5 and 30.
The same seed and epoch give the same batches on every rank; a rank takes its share of each batch.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skyreid.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class IdentitySamplerConfig:
    identities: int = 8
    """P, identities a batch."""
    tracklets: int = 4
    """K, tracklets an identity; repeated where an identity has fewer."""
    distinct: bool = True
    """No identity stands twice in a batch (paper). The release cuts batches from shuffled groups of
    K, so that two groups of one identity can meet (METHOD 11 row 5)."""
    drop_last: bool = True
    """Leave an incomplete last batch out, as the release does (row 30)."""

    def __post_init__(self) -> None:
        if self.identities < 2 or self.tracklets < 1:
            raise SettingError(
                f"a batch needs 2 identities with 1 tracklet each or more; got {self.identities} x {self.tracklets}"
            )

    @property
    def batch_size(self) -> int:
        return self.identities * self.tracklets


def identity_batches(labels: Sequence[int], config: IdentitySamplerConfig, *, seed: int, epoch: int) -> list[list[int]]:
    """Draw one epoch of batches, as positions into `labels`.

    Raises:
        SettingError: fewer identities than one batch holds.
    """
    if (identities := len(set(labels))) < config.identities:
        raise SettingError(
            f"a batch of {config.identities} identities needs as many; the training set has {identities}"
        )
    rng = random.Random(f"identity-sampler/{seed}/{epoch}")
    groups = draw_groups(labels, config.tracklets, rng, np.random.RandomState(rng.getrandbits(32)))
    if config.distinct:
        batches = _batches_of_distinct_identities(groups, labels, config, rng)
    else:
        batches = [groups[i : i + config.identities] for i in range(0, len(groups), config.identities)]
    return [
        [position for group in batch for position in group]
        for batch in batches
        if len(batch) == config.identities or not config.drop_last
    ]


def draw_groups(
    labels: Sequence[int], group_size: int, rng: random.Random, choice: np.random.RandomState
) -> list[list[int]]:
    """Cut each identity's positions into groups of `group_size`, shuffled; the release's draws.

    An identity with fewer positions is filled up by drawing with replacement; positions that do not
    fill a group are left out of this epoch.
    """
    positions: dict[int, list[int]] = {}
    for position, label in enumerate(labels):
        positions.setdefault(label, []).append(position)
    groups: list[list[int]] = []
    for own in positions.values():
        pool = own if len(own) >= group_size else choice.choice(own, size=group_size, replace=True).tolist()
        pool = list(pool)
        rng.shuffle(pool)
        groups += [pool[i : i + group_size] for i in range(0, len(pool) - group_size + 1, group_size)]
    rng.shuffle(groups)
    return groups


def _batches_of_distinct_identities(
    groups: list[list[int]], labels: Sequence[int], config: IdentitySamplerConfig, rng: random.Random
) -> list[list[list[int]]]:
    """Deal groups out so that a batch holds an identity once.

    Identities with most groups left go first: it leaves the fewest groups over at the end.
    """
    waiting: dict[int, list[list[int]]] = {}
    for group in groups:
        waiting.setdefault(labels[group[0]], []).append(group)
    batches: list[list[list[int]]] = []
    while waiting:
        chosen = sorted(waiting, key=lambda label: (-len(waiting[label]), rng.random()))[: config.identities]
        batches.append([waiting[label].pop() for label in chosen])
        waiting = {label: left for label, left in waiting.items() if left}
    rng.shuffle(batches)
    return batches
