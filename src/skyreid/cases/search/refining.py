"""A list that learns from what was decided on its queries: a pure function of vectors.

With the queries q, the sightings c that were confirmed as their person and those r that were rejected, whoever may be
the person, x, has the refined score

    (sum of cos(q, x) + CONFIRMED * sum of cos(c, x)) / (number of q + CONFIRMED * number of c)
    - REJECTED * max(0, largest cos(r, x) - ALIKE)

So the confirmed ask along with the queries, and who looks nearly as somebody rejected comes later. It orders the list
and is nothing else: similarities that are shown, stored, exported and measured stay those with the queries alone, and
nobody is left out. The numbers were chosen on simulated people (docs/results.md). A penalty for all likeness to the
rejected, as Rocchio has it, made the lists worse: who is rejected at the top of a list looks like the person.

Source: Rocchio, Relevance feedback in information retrieval, 1971, for the first part. Wang et al., Human-in-the-loop
person re-identification, ECCV 2016, learn from people who verify a ranking, too, by another rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from skyreid.retrieval.comparing import Direction

CONFIRMED = 1.0
"""What a confirmed sighting weighs beside a query."""
REJECTED = 0.5
ALIKE = 0.85
"""Cosine from which two sightings look nearly the same: pieces of one walk, as trackers leave them, are above it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Learned:
    """What decisions say on the person who is sought, in vectors of length 1 by one model."""

    confirmed: Float32[np.ndarray, "confirmed embed"]
    """Further sightings of the person, without the queries."""
    rejected: Float32[np.ndarray, "rejected embed"]
    """Sightings of others."""

    def __bool__(self) -> bool:
        return len(self.confirmed) + len(self.rejected) > 0


@dataclass(frozen=True, kw_only=True)
class Term:
    """A direction, and what the cosine with it weighs; the weights of a sum are 1 together."""

    direction: Direction
    weight: float


def asking_terms(asked: Sequence[Direction], learned: Learned | None = None) -> list[Term]:
    """Write what is asked with, the confirmed among it, as a weighted sum of cosines; their mean otherwise."""
    confirmed = [] if learned is None else [Direction(unit[np.newaxis]) for unit in learned.confirmed]
    each = 1 / (len(asked) + CONFIRMED * len(confirmed))
    return [
        *(Term(direction=direction, weight=each) for direction in asked),
        *(Term(direction=direction, weight=CONFIRMED * each) for direction in confirmed),
    ]


def joined_terms(terms: Sequence[Term]) -> list[Term]:
    """Write a sum of cosines in as few products as are needed: those with whole vectors are one."""
    whole = [term.weight * term.direction.unit for term in terms if term.direction.first_column == 0]
    parts = [term for term in terms if term.direction.first_column]
    if not whole:
        return parts
    return [Term(direction=Direction(np.stack(whole).sum(axis=0, dtype=np.float32)), weight=1.0), *parts]


def refined_scores(
    terms: Sequence[Term], learned: Learned, vectors: Float32[np.ndarray, "candidate embed"]
) -> Float32[np.ndarray, " candidate"]:
    """Give the refined scores of some candidates; each comes out the same whoever stands beside them."""
    from skyreid.retrieval.cosine import cosine_similarities, unit_rows  # loads PyTorch

    total = np.zeros(len(vectors))
    for first_column in sorted({term.direction.first_column for term in terms}):
        mine = [term for term in terms if term.direction.first_column == first_column]
        asked = np.concatenate([term.direction.unit for term in mine])
        cosines = cosine_similarities(asked, unit_rows(vectors[:, first_column:]))
        for term, cosine in zip(mine, cosines.astype(np.float64), strict=True):
            total += term.weight * cosine
    if len(learned.rejected):
        nearest = cosine_similarities(learned.rejected, unit_rows(vectors)).max(axis=0).astype(np.float64)
        total -= REJECTED * np.maximum(0.0, nearest - ALIKE)
    return total.astype(np.float32)
