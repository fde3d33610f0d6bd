"""`skyreid evaluate`: scores of anyone's embeddings, and of a build whose truth is known."""

from pathlib import Path
from typing import Literal

from skyreid.cli.terminal import Bars, File, show_result


def evaluate_tables(
    query: File,
    gallery: File,
    *,
    protocol: Literal["cross-camera", "mars", "cross-platform", "ground-to-aerial", "aerial-to-ground"],
    json: bool = False,
) -> None:
    """Score two embedding tables, of any model: CMC and mAP.

    Args:
        query: .npz with embeddings [n, d], pids, camids, platforms (0 ground, 1 aerial), tracklet_ids.
        gallery: the same, without the queries.
        protocol: who asks whom, and what is ignored.
        json: print JSON.
    """
    from skyreid.datasets.protocol import PROTOCOLS
    from skyreid.evaluation.ranking_scores import evaluate
    from skyreid.retrieval.embedding_table import load_table

    scores = evaluate(load_table(query), load_table(gallery), PROTOCOLS[protocol])
    show_result(scores.lines(), scores.to_json(), json=json)


def evaluate_construction(folder: File, *, truth: Path, json: bool = False) -> None:
    """Measure a build against the simulated world that was filmed: boxes, purity, association, masked faces.

    Args:
        folder: what `skyreid build` wrote.
        truth: what `skyreid simulate` wrote, with truth/ and videos/ in it.
        json: print JSON.
    """
    from skyreid.evaluation.construction import evaluate_construction as measure

    with Bars() as bars:
        scores = measure(folder, truth, progress=bars)
    show_result(scores.lines(), scores.to_json(), json=json)
