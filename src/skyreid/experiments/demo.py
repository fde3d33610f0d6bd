"""The whole path on a synthetic world: benchmark, both stages of training, scores, a page to look at.

Everything is small enough for two CPU cores and five minutes, starts from the small CLIP that comes with
the package and downloads nothing. The scores show that the parts work together; they say nothing about
real people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skyreid.checkpoint import read_checkpoint
from skyreid.datasets import read_benchmark
from skyreid.datasets.benchmark import Benchmark
from skyreid.datasets.protocol import AERIAL_TO_GROUND, GROUND_TO_AERIAL
from skyreid.evaluation.comparisons import comparisons
from skyreid.evaluation.embedding_map import map_embeddings
from skyreid.evaluation.pair_counts import count_pairs
from skyreid.evaluation.ranking_scores import Scores, evaluate
from skyreid.extraction.colour_stripes import embed_colours
from skyreid.pages.report import (
    DistanceDistribution,
    ReportPicture,
    ScoredDirection,
    gather_examples,
    gather_failures,
    write_report,
)
from skyreid.processes.progress import Progress, silent
from skyreid.recipes.simulated import vsla_clip_simulated
from skyreid.retrieval.cosine import COSINE
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.simulation.crop_benchmark import write_crop_benchmark
from skyreid.simulation.sessions.stills import draw_stills
from skyreid.tracklet import Platform
from skyreid.training.two_stage import embed_untrained, train_two_stages

FRAMES_PER_TRACKLET = 8
EPOCHS = 40
EXAMPLES_OF_A_KIND = 2
RANKS_SHOWN = 8
PEOPLE_IN_VIEW = 5
NOTICE = (
    "Synthetic data: every person here is drawn by a program, and the model is a tiny one that knows drawn people "
    "only. The scores show that the parts work together; they say nothing about real people."
)


@dataclass(frozen=True, kw_only=True)
class DemoReport:
    """What a demo leaves behind."""

    directions: tuple[ScoredDirection, ...]
    colour: tuple[Scores, ...]
    """Of plain colour statistics, in the same directions."""
    page: Path
    checkpoint: Path

    def lines(self) -> list[str]:
        """What a human reads in the terminal."""
        lines = [NOTICE]
        for direction, colour in zip(self.directions, self.colour, strict=True):
            assert direction.before is not None
            lines += [
                f"colour  {colour.lines()[0]}",
                f"before  {direction.before.lines()[0]}",
                f"after   {direction.after.lines()[0]}",
            ]
        return [*lines, f"checkpoint: {self.checkpoint}", f"report: {self.page}"]

    def to_json(self) -> dict[str, object]:
        """What a program reads; the scores say in which direction."""
        return {
            "notice": NOTICE,
            "colour": [scores.to_json() for scores in self.colour],
            "before": [one.before.to_json() for one in self.directions if one.before is not None],
            "after": [one.after.to_json() for one in self.directions],
            "checkpoint": str(self.checkpoint),
            "report": str(self.page),
        }


def run_demo(out: Path, *, identities: int, seed: int, num_workers: int, progress: Progress = silent) -> DemoReport:
    """Make the world, train, evaluate both directions before and after, write `out`/report.html.

    What an earlier, interrupted call finished is not done again.

    Args:
        out: folder.
        identities: people; a third of them train.
        seed: of the world and of the training.
        num_workers: processes that draw.
        progress: told about each part.
    """
    # Named by what it is: a call with other numbers must not go on with these people.
    world = out / f"people-{identities}-seed-{seed}"
    if not world.exists():
        write_crop_benchmark(
            world,
            identities=identities,
            frames_per_tracklet=FRAMES_PER_TRACKLET,
            seed=seed,
            num_workers=num_workers,
            progress=progress,
        )
    config = vsla_clip_simulated(world, out / "run", seed=seed, epochs=EPOCHS)
    benchmark = read_benchmark(config.benchmark, config.data_root)
    ground_before, aerial_before = embed_untrained(config, benchmark, progress=progress)
    result = train_two_stages(config, resume=True, progress=progress)
    ground, aerial = result.query, result.gallery
    directions = (
        ScoredDirection(
            name="ground → aerial",
            before=evaluate(ground_before, aerial_before, GROUND_TO_AERIAL),
            after=evaluate(ground, aerial, GROUND_TO_AERIAL),
        ),
        ScoredDirection(
            name="aerial → ground",
            before=evaluate(aerial_before, ground_before, AERIAL_TO_GROUND),
            after=evaluate(aerial, ground, AERIAL_TO_GROUND),
        ),
    )
    ground_colours, aerial_colours = embed_colours(benchmark.query), embed_colours(benchmark.gallery)
    colour = (
        evaluate(ground_colours, aerial_colours, GROUND_TO_AERIAL),
        evaluate(aerial_colours, ground_colours, AERIAL_TO_GROUND),
    )
    page = out / "report.html"
    provenance = read_checkpoint(result.checkpoint).provenance
    _write_page(
        page,
        benchmark,
        ((ground, aerial, directions[0]), (aerial, ground, directions[1])),
        summary=f"{len(benchmark.query)} people nobody trained on, each seen from the ground and from a "
        f"drone, three and three in the same clothes. Plain colour statistics reach a mAP of {colour[0].mAP:.1%}.",
        pictures=_views(seed),
        provenance={name: str(provenance[name]) for name in ("skyreid", "commit", "data_sha256", "seed", "torch")},
    )
    return DemoReport(directions=directions, colour=colour, page=page, checkpoint=result.checkpoint)


def _write_page(
    page: Path,
    benchmark: Benchmark,
    rankings: Sequence[tuple[EmbeddingTable, EmbeddingTable, ScoredDirection]],
    *,
    summary: str,
    pictures: Sequence[ReportPicture],
    provenance: Mapping[str, str],
) -> None:
    """`rankings` are query, gallery and scores of the two directions; together the queries are everybody."""
    people = {tracklet.tracklet_id: tracklet for tracklet in (*benchmark.query, *benchmark.gallery)}
    examples, distances, failures = [], [], []
    for query, gallery, direction in rankings:
        name, scores = direction.name, direction.after
        examples += gather_examples(
            query, gallery, scores, people, direction=name, each=EXAMPLES_OF_A_KIND, top_k=RANKS_SHOWN
        )
        pairs = count_pairs(comparisons(query, gallery, scores.protocol), COSINE)
        distances.append(DistanceDistribution.of(name, pairs))
        failures.append(gather_failures(query, gallery, scores, people, direction=name, slices={}))
    (ground, _, upwards), (aerial, _, downwards) = rankings
    first_places = np.concatenate([upwards.after.first_places, downwards.after.first_places])
    write_report(
        page,
        title="skyreid demo: ground and drone",
        summary=summary,
        directions=[direction for _, _, direction in rankings],
        provenance=provenance,
        examples=examples,
        distances=distances,
        embedding_map=map_embeddings(ground.concatenate(aerial), first_places),
        failures=failures,
        pictures=pictures,
        notice=NOTICE,
    )


def _views(seed: int) -> list[ReportPicture]:
    """A place of the world as both cameras see it at the same moment."""
    heights = {Platform.GROUND: "a camera 2 m up", Platform.AERIAL: "a drone at the same moment"}
    return [
        ReportPicture(caption=f"{still.scene}, seen by {heights[still.platform]}", jpeg=still.jpeg)
        for still in draw_stills(seed, people=PEOPLE_IN_VIEW)
    ]
