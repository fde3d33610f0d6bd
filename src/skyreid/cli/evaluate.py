"""`skyreid evaluate`, `compare`, `calibrate`: scores, the differences of two, and what a similarity means."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from skyreid.cli.terminal import Bars, File, show_result

ProtocolName = Literal[
    "cross-camera",
    "mars",
    "cross-platform",
    "ground-to-aerial",
    "aerial-to-ground",
    "aerial-to-aerial",
    "ground-to-ground",
    "ag-vpreid",
]
"""Those of `skyreid.datasets.protocol.PROTOCOLS`, written out so that `--help` needs no import."""


def evaluate_checkpoint(
    checkpoint: File,
    *,
    data: str | None = None,
    root: Annotated[Path | None, tyro.conf.arg(aliases=["--data-root"])] = None,
    split: int | None = None,
    out: Path | None = None,
    all_frames: bool = True,
    rerank: bool = True,
    ray: str | None = None,
    json: bool = False,
) -> None:
    """Score a checkpoint on a benchmark and write a report to look at.

    In both directions where the benchmark has two.

    Args:
        checkpoint: folder that `skyreid train` or `skyreid model import` wrote; or a network of your own or the name of
            published weights, as --model of `skyreid embed`.
        data: name of a benchmark (`skyreid data list`; manifest = a folder that skyreid built); the one of the training
            by default.
        root: folder of the benchmark; where it was in the training by default.
        split: of benchmarks with several; that of the training by default, else 0.
        out: folder for report.html, results and tables; CHECKPOINT/evaluation, or CHECKPOINT-on-DATA beside it (of
            published weights, in the current folder).
        all_frames: score every frame of a tracklet too, beside the sampled clip; --no-all-frames is quicker.
        rerank: add k-reciprocal re-ranking, as a column of its own; --no-rerank is quicker.
        ray: HOST:PORT of a Ray cluster whose machines embed, on a CPU each or a GPU.
        json: print JSON.
    """
    from skyreid.experiments.checkpoint_evaluation import evaluate_checkpoint as evaluate

    with Bars() as bars:
        evaluation = evaluate(
            checkpoint,
            out,
            data=data,
            root=root,
            split=split,
            all_frames=all_frames,
            rerank=rerank,
            ray=ray,
            progress=bars,
        )
    show_result(evaluation, json=json)


def evaluate_tables(
    query: File,
    gallery: File,
    *,
    protocol: ProtocolName,
    ranker: Literal["cosine", "k-reciprocal", "query-expansion"] = "cosine",
    pairs: bool = False,
    manifest: Path | None = None,
    calibration: Path | None = None,
    out: Path | None = None,
    dataset: str | None = None,
    model: str | None = None,
    ray: str | None = None,
    json: bool = False,
) -> None:
    """Score two embedding tables, of any model, with intervals.

    CMC, mAP and mINP; bootstrap over people.

    Args:
        query: .npz with embeddings [n, d], pids, camids, platforms (0 ground, 1 aerial), tracklet_ids; or the folder of
            a table in many files, which is compared file by file in bounded memory, with the same scores.
        gallery: the same, without the queries.
        protocol: who asks whom, and what is ignored.
        ranker: what puts the gallery in order; the result names it.
        pairs: also score all pairs: how many of one person are found at false positive rates from 0.1 to 0.0001.
        manifest: manifest.jsonl to hold pids, camids and platforms against.
        calibration: of `skyreid calibrate`, to be tried on these tables.
        out: result file to write, for `skyreid compare`.
        dataset: its name, for the result file.
        model: name of what made the embeddings, for the result file.
        ray: HOST:PORT of a Ray cluster whose machines rank, where both tables lie in many files (pip install
            'skyreid[cluster]').
        json: print JSON.
    """
    from skyreid.evaluation.table_evaluation import evaluate

    with Bars() as bars:
        evaluation = evaluate(
            query,
            gallery,
            protocol,
            ranker=ranker,
            pairs=pairs,
            manifest=manifest,
            calibration=calibration,
            out=out,
            dataset=dataset,
            model=model,
            ray=ray,
            progress=bars,
        )
    show_result(evaluation, json=json)


def evaluate_construction(folder: File, *, truth: Path, json: bool = False) -> None:
    """Measure a build against the simulated world that was filmed.

    Boxes, purity, association, masked faces.

    Args:
        folder: what `skyreid build` wrote.
        truth: what `skyreid simulate` wrote, with truth/ and videos/ in it.
        json: print JSON.
    """
    from skyreid.simulation.construction_scores import evaluate_construction as measure

    with Bars() as bars:
        scores = measure(folder, truth, progress=bars)
    show_result(scores, json=json)


def compare(a: File, b: File, *, json: bool = False) -> None:
    """Compare two results on the same queries.

    Difference, interval, p-value, who got better and who worse.

    Args:
        a: result file of one model.
        b: result file of the other; unlike protocols are refused.
        json: print JSON.
    """
    from skyreid.evaluation.results.paired_difference import compare as compare_results

    difference = compare_results(a, b)
    show_result(difference, json=json)


def average(
    results: Annotated[tuple[Path, ...], tyro.conf.Positional],
    *,
    over: Literal["seeds", "splits"],
    json: bool = False,
) -> None:
    """Average results over splits or seeds: mean ± sd.

    Over the ten splits of iLIDS-VID and PRID-2011, or over the seeds of trainings.

    Args:
        results: result files, each of one run.
        over: what they differ in; whatever else differs is refused.
        json: print JSON.
    """
    from skyreid.evaluation.results.result_average import average_over_splits, mean_over_seeds
    from skyreid.evaluation.results.result_file import read_result

    read = [read_result(path) for path in results]
    averaged = mean_over_seeds(read) if over == "seeds" else average_over_splits(read)
    show_result(averaged, json=json)


def calibrate(
    query: File,
    gallery: File,
    *,
    protocol: ProtocolName,
    out: Path,
    false_positive_rate: float = 0.01,
    false_positive_identification_rate: float = 0.1,
    prior: float = 0.01,
    json: bool = False,
) -> None:
    """Fit thresholds for "the same person" and "not in this gallery".

    And a map from similarity to probability.

    Args:
        query: table, in one file or many, of tracklets whose people are known, and that the model was not trained on.
        gallery: the same, without the queries.
        protocol: the direction; fit one calibration for each.
        out: JSON file to write.
        false_positive_rate: share of the pairs of different people that may be called the same person.
        false_positive_identification_rate: share of people who are not in the gallery that may be taken for somebody.
        prior: share of same-person pairs among those that will be asked about, before anyone looks.
        json: print JSON.
    """
    from skyreid.evaluation.calibration import calibrate as fit

    with Bars() as bars:
        calibration = fit(
            query,
            gallery,
            protocol,
            false_positive_rate=false_positive_rate,
            false_positive_identification_rate=false_positive_identification_rate,
            prior=prior,
            out=out,
            progress=bars,
        )
    show_result(calibration, json=json)
