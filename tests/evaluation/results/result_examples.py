"""Results as a file would hold them, for the tests of what is done with results."""

from dataclasses import replace

import numpy as np

from skyreid.datasets.protocol import GROUND_TO_AERIAL
from skyreid.evaluation.results.protocol_card import ProtocolCard
from skyreid.evaluation.results.result_file import SCORE_NAMES, EvaluationResult, QueryScores
from skyreid.evaluation.results.uncertainty import Estimate, IntervalConfig

CARD = replace(
    ProtocolCard.of(GROUND_TO_AERIAL),
    dataset="g2a-vreid",
    data_sha256="d" * 64,
    tables_sha256="e" * 64,
    split="release",
    simulated=False,
    sampling="one-clip",
    clip_length=8,
    flip=False,
    checkpoint_rule="last epoch",
    model="vsla-clip",
    model_sha256="a" * 64,
    seed=0,
    commit="c" * 40,
)


def example_result(*, precisions=(1.0, 0.5, 0.25), pids=None, ids=None, scores=None, **changes) -> EvaluationResult:
    """A result of these average precisions; `changes` are fields of the card."""
    precisions = np.array(precisions, dtype=np.float64)
    places = np.round(1 / precisions).astype(np.int64) - 1
    values = {name: float(precisions.mean()) for name in SCORE_NAMES}
    values["rank-1"] = float(np.mean(places == 0))
    values.update(scores or {})
    return EvaluationResult(
        card=replace(CARD, **changes),
        scores={name: Estimate(value=value, low=value / 2, high=(1 + value) / 2) for name, value in values.items()},
        interval=IntervalConfig(),
        queries=len(precisions) + 2,
        queries_without_match=2,
        per_query=QueryScores(
            tracklet_ids=np.array([f"q{row}" for row in range(len(precisions))] if ids is None else ids),
            pids=np.arange(len(precisions)) + 1 if pids is None else np.array(pids),
            average_precisions=precisions,
            first_places=places,
        ),
    )
