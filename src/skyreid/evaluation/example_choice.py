"""Which queries to show of thousands: the best, the worst, and the near misses."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from skyreid.evaluation.ranking.top_ranks import top_ranks
from skyreid.evaluation.ranking_scores import Scores
from skyreid.retrieval.embedding_table import EmbeddingTable

_NEAR_MISS_PLACES = (1, 2)
"""From 0: the person stands second or third."""


class ExampleKind(StrEnum):
    """Why a query is shown."""

    BEST = "best"
    NEAR_MISS = "near miss"
    WORST = "worst"


@dataclass(frozen=True, kw_only=True)
class ChosenExample:
    """A query to show."""

    row: int
    """Of the query table."""
    kind: ExampleKind


def choose_examples(
    query: EmbeddingTable, gallery: EmbeddingTable, scores: Scores, *, each: int
) -> tuple[ChosenExample, ...]:
    """The best, near-miss and worst queries, `each` of a kind or fewer where there are fewer; none twice.

    The best have their person at place 1 and the highest average precision, the worst another at place 1 and
    the lowest. A near miss has its person at place 2 or 3; those come first in which somebody else looks most
    like the query. Equal queries are taken in the order of the table.

    Args:
        query: the tracklets that asked.
        gallery: the tracklets that were searched.
        scores: what `evaluate` said of them.
        each: how many of a kind.
    """
    found, failed = np.flatnonzero(scores.first_places == 0), np.flatnonzero(scores.first_places > 0)
    near_misses = np.flatnonzero(np.isin(scores.first_places, _NEAR_MISS_PLACES))
    tops = top_ranks(query, gallery, scores.protocol, near_misses.tolist(), top_k=1)
    likeness_of_others = np.array([top.similarities[0] for top in tops])
    # Near misses choose first: they are the rarest.
    wanted = {
        ExampleKind.NEAR_MISS: near_misses[np.argsort(-likeness_of_others, kind="stable")],
        ExampleKind.WORST: failed[np.argsort(scores.average_precisions[failed], kind="stable")],
        ExampleKind.BEST: found[np.argsort(-scores.average_precisions[found], kind="stable")],
    }
    taken: dict[int, ExampleKind] = {}
    for kind, rows in wanted.items():
        free = [int(row) for row in rows if int(row) not in taken]
        taken.update(dict.fromkeys(free[:each], kind))
    return tuple(
        ChosenExample(row=row, kind=kind) for kind in ExampleKind for row, chosen in taken.items() if chosen is kind
    )
