"""Two tables of anyone's embeddings to all that is said about them: what `skyreid evaluate tables` and Python call."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from os import PathLike

import numpy as np
from jaxtyping import Float64

from skyreid.arguments import find_named, kind_of, path_of
from skyreid.datasets.manifest import read_manifest
from skyreid.datasets.protocol import EvaluationProtocol, find_protocol
from skyreid.errors import SettingError
from skyreid.evaluation import ranking_scores
from skyreid.evaluation.block_jobs import DoElsewhere, on_cluster
from skyreid.evaluation.calibration import Calibration, calibration_of
from skyreid.evaluation.pair_scores import PairScores, pair_scores
from skyreid.evaluation.ranking_scores import Scores
from skyreid.evaluation.reliability import Reliability, reliability
from skyreid.evaluation.results.protocol_card import KnownFacts, ProtocolCard, tables_data_sha256, tables_sha256
from skyreid.evaluation.results.result_file import EvaluationResult, make_result, write_result
from skyreid.evaluation.results.slices import Column, columns_of, slice_scores
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.cosine import COSINE
from skyreid.retrieval.manifest_agreement import with_listed_pictures
from skyreid.retrieval.query_expansion import QueryExpansion
from skyreid.retrieval.ranker import Ranker
from skyreid.retrieval.reranking import KReciprocal
from skyreid.retrieval.sharded_table import Table, table_of


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoredTables:
    """Scores of two tables, and the result that is made of them: intervals, slices, and the protocol card."""

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


@dataclass(frozen=True, kw_only=True, eq=False)
class TableEvaluation:
    """How well one table finds its people in another, with intervals; every score in 0-1."""

    scored: ScoredTables
    pairs: PairScores | None = None
    """Scores of all pairs, where they were asked for."""
    reliability: Reliability | None = None
    """Whether a calibration keeps its word on these tables, where one was given."""

    @property
    def scores(self) -> Scores:
        """CMC, mAP and mINP, and every query's own."""
        return self.scored.scores

    @property
    def result(self) -> EvaluationResult:
        """Scores with intervals and the protocol card: what `compare` takes and `save` writes."""
        return self.scored.result

    @property
    def mAP(self) -> float:  # noqa: N802 - the field's own spelling
        """Mean average precision."""
        return self.scores.mAP

    @property
    def mINP(self) -> float:  # noqa: N802 - the field's own spelling
        """How soon the last match is reached: 1 is best."""
        return self.scores.mINP

    @property
    def cmc(self) -> Float64[np.ndarray, " rank"]:
        """At index k - 1 the share of queries with a match among the first k."""
        return self.scores.cmc

    def rank(self, k: int) -> float:
        """The CMC at rank `k`. Raises ProtocolError outside 1 to CMC_RANKS."""
        return self.scores.rank(k)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the result file, which `compare` reads."""
        write_result(path_of(path, "a result file"), self.result)

    def __repr__(self) -> str:
        scores = self.scores
        return (
            f"TableEvaluation({scores.protocol.name}, {self.result.card.ranker}: mAP {self.mAP:.1%}, "
            f"rank-1 {self.rank(1):.1%}, {scores.queries} queries)"
        )

    def lines(self) -> list[str]:
        """What a human reads."""
        extra = [one for one in (self.pairs, self.reliability) if one is not None]
        return [*self.scored.lines(), *(line for one in extra for line in one.lines())]

    def to_json(self) -> dict[str, object]:
        """What a program reads."""
        pairs = {} if self.pairs is None else {"pairs": self.pairs.to_json()}
        calibration = {} if self.reliability is None else {"calibration": self.reliability.to_json()}
        return {**self.scored.to_json(), **pairs, **calibration}


RANKERS: dict[str, Ranker] = {
    "cosine": COSINE,
    "k-reciprocal": KReciprocal(),
    "query-expansion": QueryExpansion(),
}
"""What puts a gallery in order, by the names that users give."""


def evaluate(
    query: Table | str | PathLike[str],
    gallery: Table | str | PathLike[str],
    protocol: EvaluationProtocol | str,
    *,
    ranker: Ranker | str = "cosine",
    pairs: bool = False,
    manifest: str | PathLike[str] | None = None,
    calibration: Calibration | str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    dataset: str | None = None,
    model: str | None = None,
    ray: str | None = None,
    elsewhere: DoElsewhere | None = None,
    progress: Progress = silent,
) -> TableEvaluation:
    """Score a query table against a gallery table, of any model: CMC, mAP and mINP with confidence intervals.

    Gallery entries with the junk pid (-1) are never ranked; distractors (0) are ranked like anyone.
    The two tables may use the same tracklet ids for different tracklets.

    Args:
        query: the tracklets that ask, or the path of their table.
        gallery: the tracklets that are searched, or the path of their table; without the queries, as the protocol
            adds them.
        protocol: who asks whom, and what is ignored: a name of `PROTOCOLS`, such as "cross-platform" or
            "ground-to-aerial", or one of your own.
        ranker: what puts the gallery in order: "cosine", "k-reciprocal", "query-expansion", or one of your own.
        pairs: also score all pairs: how many of one person are found at false positive rates from 0.1 to 0.0001.
        manifest: manifest.jsonl to hold pids, camids and platforms against, and to slice the scores by.
        calibration: of `calibrate`, or the path of its file, to be tried on these tables.
        out: result file to write.
        dataset: its name, for the result.
        model: name of what made the embeddings, for the result.
        ray: HOST:PORT of a Ray cluster whose machines rank, where both tables lie in many files; None = this process
            does all.
        elsewhere: has the jobs of the ranking done by whatever other processes (docs/many-machines.md).
        progress: told after every block of queries.

    Raises:
        TableError: a table that cannot be read, tables of different sizes or models, or others than the manifest says.
        ProtocolError: no such protocol, or it leaves nobody to ask, nobody to search, or no query with a match.
        CalibrationError: a calibration that cannot be read.
        SettingError: no such ranker, an argument of another kind, or other processes cannot do it.
        ClusterError: a Ray cluster that does not answer, or whose workers are all gone.

    >>> from skyreid import EmbeddingTable
    >>> def crowd(places, platform):
    ...     rows = np.arange(len(places))
    ...     return EmbeddingTable(
    ...         embeddings=np.array(places, dtype=np.float32), pids=rows + 1, camids=rows * 0 + platform,
    ...         platforms=rows * 0 + platform, tracklet_ids=rows.astype(str),
    ...     )
    >>> evaluate(crowd([[1, 0], [0, 1]], 0), crowd([[1, 1], [0, 1]], 1), "ground-to-aerial")
    TableEvaluation(ground-to-aerial, cosine: mAP 100.0%, rank-1 100.0%, 2 queries)
    """
    asking, searched, asked = table_of(query), table_of(gallery), find_protocol(protocol)
    by = ranker_of(ranker)
    fitted = None if calibration is None else calibration_of(calibration)
    facts, columns = KnownFacts(dataset=dataset, model=model), {}
    if manifest is not None:
        listed = read_manifest(path_of(manifest, "a manifest"))
        asking, searched = (with_listed_pictures(table, listed) for table in (asking, searched))
        columns = columns_of(asking, listed.tracklets)
    with nullcontext(elsewhere) if ray is None else on_cluster(ray, progress=progress) as others:
        scored = score_tables(
            asking, searched, asked, ranker=by, facts=facts, columns=columns, elsewhere=others, progress=progress
        )
    evaluation = TableEvaluation(scored=scored)
    if out is not None:
        evaluation.save(out)
    decided = pair_scores(asking, searched, asked, ranker=by, progress=progress) if pairs else None
    tried = None if fitted is None else reliability(fitted, asking, searched, asked, ranker=by, progress=progress)
    return replace(evaluation, pairs=decided, reliability=tried)


def score_tables(
    query: Table,
    gallery: Table,
    protocol: EvaluationProtocol,
    *,
    ranker: Ranker = COSINE,
    facts: KnownFacts | None = None,
    columns: Mapping[str, Column] | None = None,
    elsewhere: DoElsewhere | None = None,
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
        elsewhere: has other processes do it, as of `ranking_scores.evaluate`.
        progress: told after every block of queries.

    Raises:
        TableError: the tables do not fit together.
        SettingError: other processes cannot do it.
        ProtocolError: nobody to ask, nobody to search, or no query with a match.
    """
    scores = ranking_scores.evaluate(query, gallery, protocol, ranker=ranker, elsewhere=elsewhere, progress=progress)
    fed = query.feeding or gallery.feeding
    card = replace(
        ProtocolCard.of(protocol, ranker=ranker),
        data_sha256=tables_data_sha256(query, gallery),
        tables_sha256=tables_sha256(query, gallery),
        model_sha256=query.model,
        precision=" and ".join(sorted({known for known in (query.precision, gallery.precision) if known})) or None,
        sampling=None if fed is None else fed.sampling,
        clip_length=None if fed is None else fed.clip_length,
        **vars(facts or KnownFacts()),
    )
    slices = slice_scores(scores, query.pids, columns or {}, rng=np.random.default_rng(0))
    return ScoredTables(scores=scores, result=make_result(query, scores, card, slices=slices))


def ranker_of(ranker: Ranker | str) -> Ranker:
    """Look a ranker up by its name in `RANKERS`; one of your own is taken as it is.

    Raises:
        SettingError: there is no ranker of this name, or it is none.
    """
    if isinstance(ranker, str):
        return find_named(ranker, RANKERS, "ranker")
    if not isinstance(ranker, Ranker):
        raise SettingError(
            f"a ranker is one of {', '.join(RANKERS)}, or an object with name and rows; got {kind_of(ranker)}"
        )
    return ranker
