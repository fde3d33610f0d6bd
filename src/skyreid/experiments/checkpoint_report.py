"""The report of a checkpoint on a benchmark: what its scores are, where they come from, and pictures of both."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import torch

from skyreid.clips.clip_loader import normalize
from skyreid.clips.frame_reading import read_resized
from skyreid.clips.frame_sampling import TEST_CLIPS
from skyreid.evaluation.comparisons import comparisons
from skyreid.evaluation.embedding_map import EmbeddingMap, map_embeddings
from skyreid.evaluation.pair_counts import count_pairs, num_let_in, operating_point
from skyreid.evaluation.results.protocol_card import SIMULATED_NOTICE
from skyreid.evaluation.results.slices import SliceScore, columns_of
from skyreid.experiments.tested_checkpoint import Direction, TestedCheckpoint
from skyreid.models.attention_rollout import attention_rollout
from skyreid.models.vsla_clip import VideoEncoder
from skyreid.pages.report import (
    AttentionStrip,
    DirectionFailures,
    DistanceDistribution,
    RankedExample,
    ScoredDirection,
    SliceBar,
    SliceBars,
    gather_examples,
    gather_failures,
    write_report,
)
from skyreid.processes.progress import Progress
from skyreid.retrieval.cosine import COSINE
from skyreid.tracklet import Tracklet

EXAMPLES_OF_A_KIND = 3
PLACES_SHOWN = 8
FAILURES_SHOWN = 60
THRESHOLD_RATE = 0.01
_ATTENTION_STRIPS = 6


def write_checkpoint_report(
    path: Path,
    tested: TestedCheckpoint,
    directions: Sequence[Direction],
    *,
    all_frames: Sequence[Direction] = (),
    progress: Progress,
) -> None:
    """Write the report of the directions, all of one sampling.

    Args:
        path: the .html file.
        tested: the checkpoint that was scored, on its benchmark.
        directions: with their scores.
        all_frames: the same directions by every frame; their scores stand beside.
        progress: told about each part.
    """
    people = {tracklet.tracklet_id: tracklet for tracklet in tested.tracklets}
    examples = [example for direction in directions for example in _examples(direction, people)]
    card = directions[0].plain.result.card
    write_report(
        path,
        title=f"{card.model} on {card.dataset}",
        summary=card.in_words().removeprefix(f"{SIMULATED_NOTICE} "),
        directions=[_scored(direction, all_frames) for direction in directions],
        provenance=tested.origin(),
        examples=examples,
        slices=[bars for direction in directions for bars in _slice_bars(direction)],
        distances=[_distances(direction, progress) for direction in directions],
        embedding_map=_map(directions[0]),
        attention=_attention(tested, examples),
        failures=[_failures(direction, tested, people) for direction in directions],
        notice=SIMULATED_NOTICE if card.simulated else None,
        after_label=f"{card.sampling}, cosine",
    )


def _scored(direction: Direction, all_frames: Sequence[Direction]) -> ScoredDirection:
    scores = direction.plain.result.scores
    beside = next((other for other in all_frames if other.name == direction.name), None)
    return ScoredDirection(
        name=direction.name,
        after=direction.plain.scores,
        mAP_interval=(scores["mAP"].low, scores["mAP"].high),
        rank_1_interval=(scores["rank-1"].low, scores["rank-1"].high),
        all_frames=None if beside is None else beside.plain.scores,
        reranked=direction.reranked.scores if direction.reranked else None,
        reranked_name=direction.reranked.result.card.ranker if direction.reranked else "re-ranked",
    )


def _slice_bars(direction: Direction) -> list[SliceBars]:
    return [
        SliceBars(column=column, bars=tuple(_bar(part) for part in parts), direction=direction.name)
        for column, parts in groupby(direction.plain.result.slices, key=lambda part: part.column)
    ]


def _bar(part: SliceScore) -> SliceBar:
    return SliceBar(
        label=part.label,
        queries=part.queries,
        mAP=part.mAP,
        low=part.mAP_low,
        high=part.mAP_high,
        rank_1=part.rank_1,
    )


def _distances(direction: Direction, progress: Progress) -> DistanceDistribution:
    pairs = count_pairs(
        comparisons(direction.query, direction.gallery, direction.protocol),
        COSINE,
        progress=progress,
    )
    is_resolved = num_let_in(THRESHOLD_RATE, pairs.num_different) > 0
    return DistanceDistribution.of(
        direction.name,
        pairs,
        threshold=operating_point(pairs, THRESHOLD_RATE).threshold if is_resolved else None,
        threshold_note=f"{THRESHOLD_RATE:.0%} false positives" if is_resolved else "",
    )


def _map(direction: Direction) -> EmbeddingMap:
    everybody = direction.query.concatenate(direction.gallery)
    first_places = np.full(len(everybody), -1)
    first_places[: len(direction.query)] = direction.plain.scores.first_places
    return map_embeddings(everybody, first_places)


def _examples(direction: Direction, people: dict[str, Tracklet]) -> tuple[RankedExample, ...]:
    return gather_examples(
        direction.query,
        direction.gallery,
        direction.plain.scores,
        people,
        direction=direction.name,
        each=EXAMPLES_OF_A_KIND,
        top_k=PLACES_SHOWN,
    )


def _failures(direction: Direction, tested: TestedCheckpoint, people: dict[str, Tracklet]) -> DirectionFailures:
    columns = columns_of(direction.query, tested.tracklets)
    texts = {
        name: [value if isinstance(value, str) else None for value in values]
        for name, values in columns.items()
        if any(isinstance(value, str) for value in values)
    }
    return gather_failures(
        direction.query,
        direction.gallery,
        direction.plain.scores,
        people,
        direction=direction.name,
        slices=texts,
        most=FAILURES_SHOWN,
    )


def _attention(tested: TestedCheckpoint, examples: Sequence[RankedExample]) -> list[AttentionStrip]:
    """Where the model looked in a few of the shown queries; nothing for models without a class token."""
    encoder = tested.embedder.encoder
    if not isinstance(encoder, VideoEncoder):
        return []
    device = next(encoder.parameters()).device
    feeding = tested.embedder.feeding
    strips = []
    for example in examples[:: max(1, len(examples) // _ATTENTION_STRIPS)][:_ATTENTION_STRIPS]:
        length = len(example.query.frames)
        positions = TEST_CLIPS[feeding.sampling](length, feeding.clip_length)[0]
        seen = replace(example.query, frames=tuple(example.query.frames[position] for position in positions))
        frames = np.stack([read_resized(frame, encoder.image_size) for frame in seen.frames]).transpose(0, 3, 1, 2)
        maps = attention_rollout(
            encoder,
            normalize(torch.from_numpy(np.ascontiguousarray(frames))[None].to(device), feeding.normalization),
            torch.tensor([seen.platform.number], device=device),
        )
        strips.append(AttentionStrip(tracklet=seen, maps=maps[0].cpu().double().numpy()))
    return strips
