"""Score a checkpoint on a benchmark: every direction, sampling and ranking, each with its own protocol card."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path

from skyreid.arguments import path_of
from skyreid.datasets.protocol import AERIAL_TO_GROUND, GROUND_TO_AERIAL
from skyreid.errors import ResultError
from skyreid.evaluation.results.result_file import EvaluationResult, write_result
from skyreid.evaluation.results.result_tables import to_latex, to_markdown
from skyreid.evaluation.results.slices import columns_of
from skyreid.evaluation.table_evaluation import ScoredTables, score_tables
from skyreid.experiments.checkpoint_report import write_checkpoint_report
from skyreid.experiments.tested_checkpoint import Direction, TestedCheckpoint, open_checkpoint
from skyreid.feeding import TestChoice
from skyreid.files.atomic_file import write_atomically
from skyreid.processes.progress import Progress, silent
from skyreid.processes.workers import Workers, workers_at
from skyreid.retrieval.cosine import COSINE
from skyreid.retrieval.reranking import KReciprocal
from skyreid.weights.published_files import PUBLISHED

_RERANKING = KReciprocal()
_TOO_FEW_TO_RERANK = 2 * _RERANKING.k1
"""Tracklets up to which the neighbours of one are a good part of all."""


@dataclass(frozen=True, kw_only=True)
class CheckpointEvaluation:
    """What an evaluation leaves behind."""

    directions: tuple[Direction, ...]
    folder: Path
    page: Path
    is_reranking_wanted: bool

    @property
    def scored(self) -> list[ScoredTables]:
        """All scores, one for each direction, sampling and ranking."""
        return [one for d in self.directions for one in (d.plain, d.reranked) if one is not None]

    def result_of(self, protocol: str, sampling: str = "one-clip", *, reranked: bool = False) -> EvaluationResult:
        """Pick one of the results: scores with intervals and their protocol card, as `compare` takes them.

        Args:
            protocol: name of the direction, such as "ground-to-aerial".
            sampling: "one-clip", "all-frames" or another word of the checkpoint.
            reranked: by k-reciprocal neighbours, instead of by cosine.

        Raises:
            ResultError: there is no such result; the message lists those that there are.
        """
        found = {(r.card.protocol, r.card.sampling, r.card.is_reranked): r for r in (one.result for one in self.scored)}
        if (protocol, sampling, reranked) not in found:
            known = ", ".join(f"{p} {s}{' re-ranked' if again else ''}" for p, s, again in found)
            raise ResultError(
                f"no result is of {protocol} {sampling}{' re-ranked' if reranked else ''}; there are: {known}"
            )
        return found[protocol, sampling, reranked]

    def __repr__(self) -> str:
        scores = "; ".join(
            f"{one.scores.protocol.name} {one.result.card.sampling} mAP {one.scores.mAP:.1%}" for one in self.scored
        )
        return f"CheckpointEvaluation({str(self.folder)!r}: {scores})"

    def lines(self) -> list[str]:
        """What a human reads: one line for each score, and where the rest is."""
        lines = []
        for one in self.scored:
            card, mean = one.result.card, one.result.scores["mAP"]
            lines.append(
                f"{card.sampling}, {card.ranker}: {one.scores.lines()[0]}   "
                f"mAP between {mean.low:.1%} and {mean.high:.1%}"
            )
        if not self.is_reranking_wanted:
            lines.append("without re-ranking, as asked")
        elif too_few := [d.num_tracklets for d in self.directions if d.reranked is None]:
            lines.append(
                f"without re-ranking, which needs more than {_TOO_FEW_TO_RERANK} tracklets; query and gallery have "
                f"{max(too_few)} together"
            )
        return [*lines, f"report: {self.page}", f"results and tables: {self.folder}"]

    def to_json(self) -> dict[str, object]:
        """What a program reads."""
        return {
            "report": str(self.page),
            "folder": str(self.folder),
            "results": [{"sampling": one.result.card.sampling, **one.to_json()} for one in self.scored],
        }


def evaluate_checkpoint(
    folder: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    data: str | None = None,
    root: str | PathLike[str] | None = None,
    split: int | None = None,
    all_frames: bool = True,
    rerank: bool = True,
    ray: str | None = None,
    progress: Progress = silent,
) -> CheckpointEvaluation:
    """Score a checkpoint and write `out`: report.html, one result file a score, scores.md and scores.tex.

    Args:
        folder: a checkpoint of any origin, or the folder of a finished run; or a network of your own or the name of
            published weights, as `load` takes them.
        out: folder; None = `folder`/evaluation for the benchmark of the training, else a folder beside `folder`.
        data: name of the benchmark; None = the one of the training.
        root: folder of the benchmark; None = where it was in the training.
        split: of benchmarks with several; None = that of the training, else 0.
        all_frames: embed every frame of a tracklet too.
        rerank: rank by k-reciprocal neighbours too.
        ray: HOST:PORT of a Ray cluster whose workers embed, on a CPU each or a GPU; None = this process does.
        progress: told about each part.

    Raises:
        ClusterError: the cluster cannot be used.
        CheckpointError: no checkpoint, a run that has not finished, or a damaged one.
        SettingError: nobody says on what it is tested.
        DatasetError: the benchmark is not there or not what its format says, not the one of the training where no
            other was named, or its test people are among those of the training.
    """
    folder = path_of(folder, "a checkpoint")
    root = None if root is None else path_of(root, "the folder of a benchmark")
    tested = open_checkpoint(folder, data=data, root=root, split=split, progress=progress)
    if out is None:
        out = folder / "evaluation" if data is None else _beside(folder, tested)
    out = path_of(out, "the folder of an evaluation")
    samplings: list[TestChoice] = [tested.embedder.feeding.sampling]
    if all_frames and "all-frames" not in samplings:
        samplings.append("all-frames")
    with workers_at(ray) as workers:
        directions = tuple(
            direction
            for sampling in samplings
            for direction in _directions(tested, sampling, out, rerank, workers, progress)
        )
    evaluation = CheckpointEvaluation(
        directions=directions, folder=out, page=out / "report.html", is_reranking_wanted=rerank
    )
    for one in evaluation.scored:
        card = one.result.card
        ranking = re.sub(r"[^0-9a-z.]+", "-", card.ranker).strip("-")
        write_result(out / f"{card.protocol}.{card.sampling}.{ranking}.json", one.result)
    results = [one.result for one in evaluation.scored]
    write_atomically(out / "scores.md", [to_markdown(results).encode("utf-8", "backslashreplace")])
    write_atomically(out / "scores.tex", [to_latex(results).encode("utf-8", "backslashreplace")])
    shown = [direction for direction in directions if direction.sampling == samplings[0]]
    beside = [direction for direction in directions if direction.sampling == "all-frames" != samplings[0]]
    write_checkpoint_report(evaluation.page, tested, shown, all_frames=beside, progress=progress)
    return evaluation


def _beside(folder: Path, tested: TestedCheckpoint) -> Path:
    """Name a folder beside what is tested; for published weights, which lie in the cache, in the current folder."""
    tested_on = f"-on-{tested.dataset}" + (f"-split-{tested.split}" if tested.split else "")
    if str(folder) in PUBLISHED:
        return Path.cwd() / f"{folder}{tested_on}"
    if tested.folder.is_file():
        return tested.folder.resolve().with_name(tested.folder.stem + tested_on)
    return folder.resolve().with_name(folder.resolve().name + tested_on)


def _directions(
    tested: TestedCheckpoint, sampling: TestChoice, out: Path, rerank: bool, workers: Workers, progress: Progress
) -> Iterator[Direction]:
    query, gallery = tested.tables(sampling, out, workers=workers, progress=progress)
    protocol = tested.benchmark.protocol
    pairs = [(query, gallery, protocol)]
    if protocol == GROUND_TO_AERIAL:
        pairs.append((gallery, query, AERIAL_TO_GROUND))
    for asking, searched, direction in pairs:
        score = partial(
            score_tables,
            asking,
            searched,
            direction,
            facts=tested.facts(),
            columns=columns_of(asking, tested.tracklets),
            progress=progress,
        )
        is_large_enough = len(asking) + len(searched) > _TOO_FEW_TO_RERANK
        yield Direction(
            query=asking,
            gallery=searched,
            protocol=direction,
            sampling=sampling,
            plain=score(ranker=COSINE),
            reranked=score(ranker=_RERANKING) if rerank and is_large_enough else None,
        )
