"""One direction of an evaluation: who asked whom, and what came of it."""

from dataclasses import dataclass

from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.evaluation.results.scored_tables import ScoredTables
from skyreid.feeding import TestChoice
from skyreid.retrieval.embedding_table import EmbeddingTable


@dataclass(frozen=True, kw_only=True, eq=False)
class Direction:
    query: EmbeddingTable
    gallery: EmbeddingTable
    protocol: EvaluationProtocol
    sampling: TestChoice
    plain: ScoredTables
    """Ranked by cosine."""
    reranked: ScoredTables | None
    """None = not asked for, or too few tracklets."""

    @property
    def num_tracklets(self) -> int:
        """Of query and gallery."""
        return len(self.query) + len(self.gallery)

    @property
    def name(self) -> str:
        """For a heading: ground → aerial."""
        return self.protocol.name.replace("-to-", " → ")
