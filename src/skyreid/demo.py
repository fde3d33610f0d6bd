"""The whole path on a synthetic world: benchmark, both stages of training, scores, a page to look at.

Everything is small enough for two CPU cores and five minutes, starts from random weights and downloads
nothing. The scores show that the parts work together; they say nothing about real people.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skyreid.checkpoint import read_checkpoint
from skyreid.clips.augmentation import RELEASE
from skyreid.clips.identity_sampler import IdentitySamplerConfig
from skyreid.datasets import read_benchmark
from skyreid.datasets.benchmark import Benchmark
from skyreid.datasets.protocol import AERIAL_TO_GROUND, GROUND_TO_AERIAL
from skyreid.evaluation.ranking_scores import Scores, evaluate
from skyreid.evaluation.report import RankedExample, ScoredDirection, write_report
from skyreid.extraction.embed_tracklets import ExtractionConfig
from skyreid.models.image_tower import AdapterConfig, ImageTowerConfig
from skyreid.models.platform_prompt import PlatformPromptConfig
from skyreid.models.text_tower import TextTowerConfig
from skyreid.models.vsla_clip import VslaClipConfig
from skyreid.progress import Progress, silent
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.retrieval.ranked_list import RankedTracklet
from skyreid.retrieval.search import search
from skyreid.simulation.miniature import write_miniature
from skyreid.tracklet import Tracklet
from skyreid.training.schedule import StepSchedule
from skyreid.training.stage1 import Stage1Config
from skyreid.training.stage2 import Stage2Config
from skyreid.training.stage2_loss import Stage2LossConfig
from skyreid.training.two_stage import embed_untrained, train
from skyreid.training.two_stage_config import TwoStageConfig

FRAMES_PER_TRACKLET = 6
EXAMPLES_SHOWN = 8
RANKS_SHOWN = 8
NOTICE = (
    "Synthetic data: every person here is drawn by a program, and the model is a tiny one trained from random "
    "weights. The scores show that the parts work together; they say nothing about real people."
)


@dataclass(frozen=True, kw_only=True)
class DemoReport:
    """What a demo leaves behind."""

    directions: tuple[ScoredDirection, ...]
    page: Path
    checkpoint: Path

    def lines(self) -> list[str]:
        """What a human reads in the terminal."""
        lines = [NOTICE]
        for direction in self.directions:
            assert direction.before is not None
            lines += [f"before  {direction.before.lines()[0]}", f"after   {direction.after.lines()[0]}"]
        return [*lines, f"checkpoint: {self.checkpoint}", f"report: {self.page}"]


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
    world = out / "benchmark"
    if not world.exists():
        write_miniature(
            world,
            identities=identities,
            frames_per_tracklet=FRAMES_PER_TRACKLET,
            seed=seed,
            num_workers=num_workers,
            progress=progress,
        )
    config = demo_config(world, out / "run", seed=seed)
    benchmark = read_benchmark(config.benchmark, config.data_root)
    ground_before, aerial_before = embed_untrained(config, benchmark, progress=progress)
    result = train(config, resume=True, progress=progress)
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
    page = out / "report.html"
    provenance = read_checkpoint(result.checkpoint).provenance
    write_report(
        page,
        title="skyreid demo: ground and drone",
        summary=f"{len(benchmark.query)} people nobody trained on, each seen from the ground and from a "
        "drone. Ranked lists are shown evenly from the best found person to the worst.",
        directions=directions,
        examples=_examples(benchmark, ground, aerial, directions[0].after),
        provenance={name: str(provenance[name]) for name in ("skyreid", "commit", "data_sha256", "seed", "torch")},
        notice=NOTICE,
    )
    return DemoReport(directions=directions, page=page, checkpoint=result.checkpoint)


def demo_config(world: Path, run_dir: Path, *, seed: int) -> TwoStageConfig:
    """A VSLA-CLIP of every part at a hundredth of the size; the tower trains too, since it starts from nothing."""
    return TwoStageConfig(
        benchmark="g2a-vreid",
        data_root=world,
        run_dir=run_dir,
        model=VslaClipConfig(
            image=ImageTowerConfig(
                image_size=(32, 16),
                patch_size=8,
                stride=8,
                width=128,
                layers=3,
                adapters=AdapterConfig(intra_frame=64, cross_frame=64),
            ),
            text=TextTowerConfig(width=64, layers=2),
            embed_dim=64,
            platform_prompt=PlatformPromptConfig(depth=2, length=4),
        ),
        clip_length=4,
        augmentation=RELEASE,
        stage1=Stage1Config(
            epochs=20, batch_size=32, drop_last=False, augmented_features=False, cosine_temperature=0.1
        ),
        stage2=Stage2Config(
            epochs=150,
            tuned="image-tower",
            sampler=IdentitySamplerConfig(identities=16, tracklets=2, drop_last=False),
            schedule=StepSchedule(peak=1e-3, warmup_epochs=5, milestones=(90, 130)),
            loss=Stage2LossConfig(cosine_temperature=0.1),
        ),
        extraction=ExtractionConfig(clip_length=4),
        seed=seed,
        precision="float32",
    )


def _examples(
    benchmark: Benchmark, query: EmbeddingTable, gallery: EmbeddingTable, scores: Scores
) -> list[RankedExample]:
    """Ranked lists of a few people, taken evenly from the best found to the worst."""
    people = {t.tracklet_id: t for t in (*benchmark.query, *benchmark.gallery)}
    from_best_to_worst = np.argsort(-scores.average_precisions, kind="stable")
    rows = from_best_to_worst[np.linspace(0, len(query) - 1, num=min(EXAMPLES_SHOWN, len(query)), dtype=int)]
    return [_example(people[str(query.tracklet_ids[row])], query.embeddings[row], gallery, people) for row in rows]


def _example(
    asked: Tracklet, embedding: np.ndarray, gallery: EmbeddingTable, people: dict[str, Tracklet]
) -> RankedExample:
    ranking = search(gallery, embedding, top_k=RANKS_SHOWN)
    ranked = tuple(
        RankedTracklet(tracklet=people[str(found)], similarity=float(similarity), is_match=bool(pid == asked.pid))
        for found, pid, similarity in zip(ranking.tracklet_ids, ranking.pids, ranking.similarities, strict=True)
    )
    return RankedExample(name=f"Who is person {asked.pid}, seen from the air?", query=asked, ranked=ranked)
