"""Clips embedded by the workers of a cluster: a few batches a unit, in the bits that one process gives."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from skyreid.clips.clip_loader import ClipRequest
from skyreid.errors import SettingError, SkyreidError
from skyreid.extraction.embed_tracklets import embedded_batches
from skyreid.extraction.loading import ClipEmbedder, load
from skyreid.extraction.precision import on_threads
from skyreid.feeding import Feeding
from skyreid.files.strict_json import Json
from skyreid.processes.distributed import Precision, Processes
from skyreid.processes.progress import Progress
from skyreid.processes.workers import Needs, Workers

BATCHES = 8
"""Of a unit: what is lost with a worker, and how often one is asked."""


@dataclass(frozen=True, kw_only=True)
class EmbeddingWay:
    """How batches are embedded."""

    model: str
    """As `load` takes it."""
    precision: Precision
    feeding: Feeding
    batch: int
    threads: int


@dataclass(frozen=True, kw_only=True)
class BatchesToEmbed:
    """The job of `embed_batches`."""

    first: int
    """Number of the first batch."""
    batches: Sequence[Sequence[ClipRequest]]
    way: EmbeddingWay
    made_by: dict[str, Json] | None
    """What all workers must compute with; None = whoever is asked first says it, and embeds nothing."""

    @property
    def name(self) -> str:
        """By which people know it."""
        if not self.batches:
            return self.way.model
        return f"{self.batches[0][0].tracklet.tracklet_id} to {self.batches[-1][-1].tracklet.tracklet_id}"


@dataclass(frozen=True, kw_only=True)
class EmbeddedBatches:
    """What came of them."""

    made_by: dict[str, Json]
    embeddings: list[Float32[np.ndarray, "clip embed"]]


def facts_of(embedder: ClipEmbedder, feeding: Feeding, *, device: str, threads: int, batch: int) -> dict[str, Json]:
    """All that a bit of an embedding may hang on, besides its batch."""
    return {
        "model": embedder.model,
        "feeding": feeding.to_text(),
        "precision": embedder.policy.precision,
        "engine": embedder.policy.engine,
        "device": device,
        "threads": threads,
        "batch": batch,
        "torch": torch.__version__,
    }


def embed_batches(job: BatchesToEmbed, progress: Progress) -> EmbeddedBatches:
    """Embed batches; runs on a worker.

    Raises:
        SettingError: this machine computes with something else than those before it.
        MissingFrameError: a frame is missing or unreadable.
    """
    way = job.way
    with on_threads(way.threads):
        processes = Processes(precision="float32")
        embedder = _loaded_once(way.model, processes.device.type, way.precision)
        made_by = facts_of(embedder, way.feeding, device=processes.device.type, threads=way.threads, batch=way.batch)
        if job.made_by is not None and made_by != job.made_by:
            unlike = ", ".join(
                f"{name} {here} and {job.made_by.get(name)}"
                for name, here in made_by.items()
                if here != job.made_by.get(name)
            )
            raise SettingError(
                f"{socket.gethostname()}: computes otherwise than the machine that was asked first ({unlike}); name a "
                "--precision, and take machines of one kind"
            )
        embedded = embedded_batches(embedder.encoder, job.batches, processes, way.feeding, threads=way.threads)
        return EmbeddedBatches(made_by=made_by, embeddings=[one.numpy() for one in embedded])


@lru_cache(maxsize=1)
def _loaded_once(model: str, device: str, precision: Precision) -> ClipEmbedder:
    return load(model, device=device, precision=precision)


class ClusterEmbedding:
    """What makes embeddings on a cluster; the first machine that is asked says with what.

    Args:
        workers: of the cluster.
        way: as it was asked for; its precision may be "auto".
        progress: hears of how many units are done.

    Raises:
        SkyreidError: the model cannot be loaded there.
    """

    def __init__(self, workers: Workers, way: EmbeddingWay, progress: Progress) -> None:
        self._workers, self._progress = workers, progress
        (asked,) = self._done([BatchesToEmbed(first=0, batches=(), way=way, made_by=None)], "load the model")
        self.made_by = asked[1].made_by
        precision: Precision = self.made_by["precision"]  # pyright: ignore[reportAssignmentType]
        self._way = replace(way, precision=precision)

    def __call__(self, batches: Sequence[Sequence[ClipRequest]]) -> Iterator[tuple[int, Float32[Tensor, "clip embed"]]]:
        """Embed batches; gives each with its number, in any order.

        Raises:
            SkyreidError: what one of them cannot be embedded for, once all others are.
        """
        jobs = [
            BatchesToEmbed(first=first, batches=batches[first : first + BATCHES], way=self._way, made_by=self.made_by)
            for first in range(0, len(batches), BATCHES)
        ]
        for job, done in self._done(jobs, "embedding"):
            for number, embeddings in enumerate(done.embeddings, start=job.first):
                yield number, torch.from_numpy(embeddings)

    def _done(self, jobs: Sequence[BatchesToEmbed], task: str) -> Iterator[tuple[BatchesToEmbed, EmbeddedBatches]]:
        refused: list[SkyreidError] = []
        needs = Needs(threads=jobs[0].way.threads if jobs else 1, has_model=True)
        outcomes = self._workers.finish(embed_batches, jobs, task=task, needs=needs, progress=self._progress)
        with closing(outcomes):
            for job, outcome in outcomes:
                if isinstance(outcome, SkyreidError):
                    refused.append(outcome)
                else:
                    yield job, outcome
        if refused:
            raise refused[0]
