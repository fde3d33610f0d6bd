"""Two tables to everything that is said about them: scores, intervals, slices, the card."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.evaluation.ranking_scores import Scores, evaluate
from skyreid.evaluation.results.protocol_card import CheckpointRule, ProtocolCard, tables_data_sha256, tables_sha256
from skyreid.evaluation.results.result_file import EvaluationResult, make_result
from skyreid.evaluation.results.slices import Column, slice_scores
from skyreid.progress import Progress, silent
from skyreid.retrieval.cosine import COSINE
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.retrieval.ranker import Ranker


@dataclass(frozen=True, kw_only=True)
class KnownFacts:
    """What the tables themselves do not tell; None = not stated."""

    dataset: str | None = None
    split: str | None = None
    simulated: bool | None = None
    flip: bool | None = None
    checkpoint_rule: CheckpointRule | None = None
    model: str | None = None
    seed: int | None = None
    commit: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoredTables:
    scores: Scores
    result: EvaluationResult

    def lines(self) -> list[str]:
        """What a human reads: every score with its interval, then the slices."""
        result = self.result
        intervals = [
            f"  {name:8} {score.value:6.1%}  ({score.low:.1%} to {score.high:.1%})"
            for name, score in result.scores.items()
        ]
        slices = [
            f"  {part.column}, {part.label}: mAP {part.mAP:.1%} ({part.mAP_low:.1%} to {part.mAP_high:.1%}), "
            f"{part.queries} queries"
            for part in result.slices
        ]
        return [
            f"{self.scores.lines()[0]}   ranked by {result.card.ranker}; {result.interval.level:.0%} intervals:",
            *intervals,
            *slices,
        ]

    def to_json(self) -> dict[str, object]:
        """What a program reads."""
        return {
            **self.scores.to_json(),
            "ranker": self.result.card.ranker,
            "intervals": {name: [score.low, score.high] for name, score in self.result.scores.items()},
            "slices": [vars(part) for part in self.result.slices],
        }


def score_tables(
    query: EmbeddingTable,
    gallery: EmbeddingTable,
    protocol: EvaluationProtocol,
    *,
    ranker: Ranker = COSINE,
    facts: KnownFacts | None = None,
    columns: Mapping[str, Column] | None = None,
    progress: Progress = silent,
) -> ScoredTables:
    """Evaluate two tables with their uncertainty, and say how.

    Args:
        query: the tracklets that ask.
        gallery: the tracklets that are searched.
        protocol: who asks whom, and what is ignored.
        ranker: what puts the gallery in order.
        facts: for the protocol card.
        columns: one value per row of the query table each, to slice the scores by.
        progress: told after every block of queries.

    Raises:
        TableError: the tables do not fit together.
        ProtocolError: nobody to ask, nobody to search, or no query with a match.
    """
    scores = evaluate(query, gallery, protocol, ranker=ranker, progress=progress)
    fed = query.feeding or gallery.feeding
    card = replace(
        ProtocolCard.of(protocol, ranker=ranker),
        data_sha256=tables_data_sha256(query, gallery),
        tables_sha256=tables_sha256(query, gallery),
        model_sha256=query.model,
        sampling=None if fed is None else fed.sampling,
        clip_length=None if fed is None else fed.clip_length,
        **vars(facts or KnownFacts()),
    )
    slices = slice_scores(scores, query.pids, columns or {}, rng=np.random.default_rng(0))
    return ScoredTables(scores=scores, result=make_result(query, scores, card, slices=slices))
