"""Who stands first: chosen by float16 scores of everybody, put in order by the vectors that the database holds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sqlalchemy as sa
from jaxtyping import Float32, Int64, Shaped
from sqlalchemy.engine import Connection

from skyreid.cases.database import in_parts
from skyreid.cases.schema import TRACKLETS, VECTORS
from skyreid.cases.search.refining import Learned, Term, asking_terms, joined_terms, refined_scores
from skyreid.cases.search.search_cache import Gallery, score_error
from skyreid.cases.tracklets import CaseModel, as_vectors
from skyreid.retrieval.comparing import Direction
from skyreid.retrieval.search import most_similar

# Put together once: SQLAlchemy takes as long to put a statement together as SQLite to answer it.
_STORED = (
    sa.select(TRACKLETS.c.number, TRACKLETS.c.tracklet_id, VECTORS.c.embedding)
    .join(VECTORS, VECTORS.c.tracklet == TRACKLETS.c.number)
    .where(VECTORS.c.model == sa.bindparam("model"), TRACKLETS.c.number.in_(sa.bindparam("numbers", expanding=True)))
)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Those who stand first, in their order."""

    numbers: list[int]
    similarities: list[float]
    """With the queries alone."""
    ranks: list[int]
    """By these, from 1."""

    def rows(self) -> Iterator[tuple[int, float, int]]:
        """Number, similarity and rank of each."""
        return zip(self.numbers, self.similarities, self.ranks, strict=True)


class Choosing:
    """One search of some candidates of a gallery.

    Args:
        connection: of the transaction that the gallery is of.
        model: whose vectors are compared.
        gallery: that the candidates are of.
        directions: that ask.
        candidates: rows of the gallery.
    """

    def __init__(
        self,
        connection: Connection,
        model: CaseModel,
        gallery: Gallery,
        directions: Sequence[Direction],
        candidates: Int64[np.ndarray, " candidate"],
    ) -> None:
        self._connection, self._model, self._gallery = connection, model, gallery
        self._directions, self._candidates = directions, candidates

    def most_similar(self, top_k: int) -> Chosen:
        """Choose those with the highest mean cosine, exactly."""
        contenders = self._read(self._may_be_most_similar(top_k))
        similarities = self._similarities(contenders)
        best = most_similar(similarities, contenders.ids, top_k)
        return Chosen(
            numbers=contenders.numbers[best].tolist(),
            similarities=similarities[best].tolist(),
            ranks=list(range(1, len(best) + 1)),
        )

    def refined(self, learned: Learned, top_k: int) -> Chosen:
        """Choose those with the highest refined score, exactly."""
        terms, error = asking_terms(self._directions, learned), score_error(self._model.width)
        rough, looked_at = self._rough(terms), 2 * top_k
        while True:
            contenders = self._read(_may_be_first(rough, looked_at, error))
            scores = refined_scores(terms, learned, contenders.vectors)
            best = most_similar(scores, contenders.ids, top_k)
            # The others are below the last who was looked at by one error, and a penalty takes them further down.
            if len(contenders.numbers) == rough.size or scores[best[-1]] > _last(rough, looked_at) - error:
                break
            looked_at *= 4
        similarities = self._similarities(contenders)[best]
        return Chosen(
            numbers=contenders.numbers[best].tolist(),
            similarities=similarities.tolist(),
            ranks=self._ranks(similarities, contenders.ids[best]),
        )

    @cached_property
    def _scores(self) -> Float32[np.ndarray, " candidate"]:
        """Mean cosines of everybody, as far as float16 goes."""
        return self._rough(asking_terms(self._directions))

    def _may_be_most_similar(self, top_k: int) -> Int64[np.ndarray, " contender"]:
        """Find those who may have the highest mean cosine: of most, 8 bits say that they have not."""
        error = score_error(self._model.width)
        first, *others = joined_terms(asking_terms(self._directions))
        if others or first.direction.first_column or top_k >= self._candidates.size:
            return _may_be_first(self._scores, top_k, error)
        least, most = self._gallery.bounds(first.direction, self._candidates)
        # So many are at least there by 8 bits; by float16 and exactly, each an error and the last bits lower.
        few = np.flatnonzero(most >= _last(least, top_k) - 4 * error)
        return few[_may_be_first(self._gallery.scores(first.direction, self._candidates[few]), top_k, error)]

    def _rough(self, terms: Sequence[Term]) -> Float32[np.ndarray, " candidate"]:
        """Give a sum of cosines of everybody, as far as float16 goes (`score_error`)."""
        first, *others = joined_terms(terms)
        scores = self._gallery.scores(first.direction, self._candidates)
        if first.weight != 1.0:
            scores *= np.float32(first.weight)
        for term in others:
            scores += np.float32(term.weight) * self._gallery.scores(term.direction, self._candidates)
        return scores

    def _ranks(self, similarities: Float32[np.ndarray, " found"], ids: Shaped[np.ndarray, " found"]) -> list[int]:
        """Give the places that some candidates have by similarity alone."""
        error = score_error(self._model.width)
        near = np.zeros(len(self._candidates), dtype=bool)
        for similarity in similarities:
            near |= np.abs(self._scores - similarity) <= error
        # Who is not near is above or below for certain.
        rivals = self._read(np.flatnonzero(near))
        theirs = self._similarities(rivals)
        above = np.sort(self._scores[~near])
        return [
            1
            + int(above.size - np.searchsorted(above, similarity, side="right"))
            + int(np.count_nonzero(theirs > similarity))
            + int(np.count_nonzero((theirs == similarity) & (rivals.ids < tracklet_id)))
            for similarity, tracklet_id in zip(similarities, ids, strict=True)
        ]

    def _similarities(self, contenders: "_Contenders") -> Float32[np.ndarray, " contender"]:
        """Compare as `skyreid search` does: a pair has the same cosine there, to the last bit."""
        from skyreid.retrieval.cosine import cosine_similarities, unit_rows  # loads PyTorch

        total = np.zeros(len(contenders.numbers), dtype=np.float32)
        for one in self._directions:
            total += cosine_similarities(one.unit, unit_rows(contenders.vectors[:, one.first_column :]))[0]
        return total / np.float32(len(self._directions))

    def _read(self, places: Int64[np.ndarray, " place"]) -> "_Contenders":
        """Give some candidates by what the database holds."""
        numbers = self._gallery.numbers[self._candidates[places]]
        stored: dict[int, tuple[str, bytes]] = {}
        for part in in_parts(numbers.tolist()):
            found = self._connection.execute(_STORED, {"model": self._model.number, "numbers": part})
            stored |= {number: (tracklet_id, embedding) for number, tracklet_id, embedding in found}
        told = [stored[number] for number in numbers.tolist()]
        return _Contenders(
            numbers=numbers,
            ids=np.array([tracklet_id for tracklet_id, _ in told], dtype=np.str_),
            vectors=as_vectors([embedding for _, embedding in told], self._model.width),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Contenders:
    """Candidates who are compared exactly."""

    numbers: Int64[np.ndarray, " contender"]
    ids: Shaped[np.ndarray, " contender"]
    vectors: Float32[np.ndarray, "contender embed"]


def _may_be_first(
    scores: Float32[np.ndarray, " candidate"], top_k: int, error: float
) -> Int64[np.ndarray, " contender"]:
    """Leave out whoever is below the last place by both errors together."""
    if top_k >= scores.size:
        return np.arange(scores.size)
    return np.flatnonzero(scores >= _last(scores, top_k) - 2 * error)


def _last(scores: Float32[np.ndarray, " candidate"], top_k: int) -> np.float32:
    """Give the score of the last place among the first `top_k`."""
    return np.partition(scores, scores.size - top_k)[scores.size - top_k]
