"""Tracklets to an embedding table, on one process or many.

Every process embeds a consecutive share, nothing is padded, and the rows come back in the order of
the tracklets: N processes give what one gives.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Int64
from torch import Tensor, nn

from skyreid.baselines.parts import PlatformEmbedding
from skyreid.clips.clip_loader import ClipReader, ClipRequest, load_batches, normalize
from skyreid.clips.frame_sampling import TEST_CLIPS
from skyreid.datasets.data_hash import pictures_sha256
from skyreid.errors import SettingError
from skyreid.extraction.committed_clips import CommittedClips
from skyreid.feeding import PAPER_CLIP_LENGTH, Feeding, TestChoice
from skyreid.models.platform_prompt import PlatformPrompt
from skyreid.processes.distributed import Processes
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.tracklet import Tracklet

MakeBatches: TypeAlias = Callable[
    [Sequence[Sequence[ClipRequest]]], Iterator[tuple[int, Float32[Tensor, "clip embed"]]]
]
"""Gives the embeddings of batches, each with its number among them, in any order."""


@runtime_checkable
class Encoder(Protocol):
    """A model whose embeddings can be extracted, ranked and scored."""

    @property
    def embed_dim(self) -> int:
        """Length of one embedding."""
        ...

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the frames it eats."""
        ...

    def embed(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"]
    ) -> Float[Tensor, "clip embed"]:
        """Embed normalised clips; a platform is its index, or UNKNOWN_PLATFORM."""
        ...


@dataclass(frozen=True, kw_only=True)
class ExtractionConfig:
    """How a training run tests; the checkpoint that it writes wants to be fed in this way ever after."""

    clip_length: int = PAPER_CLIP_LENGTH
    """Frames a clip."""
    sampling: TestChoice = "one-clip"
    """"one-clip": the first frame of each block (the published numbers); "all-frames": every frame, dealt out
    into clips whose embeddings are averaged; the others are those of the methods of the comparison."""
    batch_size: int = 16
    """Clips the model sees at once; changes speed and memory only."""
    threads: int = 2
    """Threads that read frames."""

    def __post_init__(self) -> None:
        for name in ("clip_length", "batch_size", "threads"):
            if getattr(self, name) < 1:
                raise SettingError(f"extraction.{name} must be at least 1; got {getattr(self, name)}")

    def feeding_of(self, encoder: Encoder) -> Feeding:
        """Say how `encoder` is fed in the test."""
        return Feeding(
            clip_length=self.clip_length,
            sampling=self.sampling,
            image_size=encoder.image_size,
            needs_platform=needs_platform(encoder),
        )


def needs_platform(encoder: Encoder) -> bool:
    """Tell whether an encoder's embeddings depend on the platform that it is told."""
    parts = encoder.modules() if isinstance(encoder, nn.Module) else ()
    return any(isinstance(part, PlatformPrompt | PlatformEmbedding) for part in parts)


@torch.no_grad()
def embed_tracklets(
    encoder: Encoder,
    tracklets: Sequence[Tracklet],
    processes: Processes,
    feeding: Feeding,
    *,
    batch_size: int = ExtractionConfig.batch_size,
    threads: int = ExtractionConfig.threads,
    committed: CommittedClips | None = None,
    elsewhere: MakeBatches | None = None,
    progress: Progress = silent,
) -> EmbeddingTable:
    """Embed each tracklet; deterministic, in time order, no augmentation.

    Args:
        encoder: in evaluation mode, on `processes.device`.
        tracklets: what to embed; the table has their order.
        processes: those that share the work.
        feeding: frames per clip, how they are taken, resized and normalised; the table records it.
        batch_size: clips that the model sees at once; changes speed and memory only.
        threads: threads that read frames.
        committed: what an earlier run of the same has left, and where this one leaves what it embeds; None = nowhere.
        elsewhere: makes the embeddings of batches in another place; None = here.
        progress: told after every batch.

    Raises:
        MissingFrameError: a frame is missing or unreadable.
    """
    share = processes.uneven_share(tracklets)
    rows, requests = [], []
    for row, tracklet in enumerate(share):
        for positions in TEST_CLIPS[feeding.sampling](len(tracklet.frames), feeding.clip_length):
            rows.append(row)
            requests.append(ClipRequest(tracklet, frames=tuple(positions)))
    batches = [requests[i : i + batch_size] for i in range(0, len(requests), batch_size)]
    known = [None if committed is None else committed.find(batch) for batch in batches]
    numbers = [number for number, embeddings in enumerate(known) if embeddings is None]
    missing = [batches[number] for number in numbers]
    if elsewhere is None:
        made = enumerate(embedded_batches(encoder, missing, processes, feeding, threads=threads))
    else:
        made = elsewhere(missing)
    num_known = len(batches) - len(missing)
    if num_known:
        progress("embedding", num_known, len(batches))
    for done, (place, embeddings) in enumerate(made, start=num_known + 1):
        known[numbers[place]] = embeddings
        if committed is not None:
            committed.add(missing[place], embeddings)
        if elsewhere is None:  # which tells what it does itself
            progress("embedding", done, len(batches))
    embedded = [torch.zeros(0, encoder.embed_dim), *(one for one in known if one is not None)]
    means = mean_of_clips(torch.cat(embedded), torch.tensor(rows, dtype=torch.long), num_tracklets=len(share))
    pictures = [pictures_sha256(tracklet) for tracklet in tracklets]
    return EmbeddingTable(
        embeddings=processes.gather_rows(means).numpy(),
        pids=np.array([tracklet.pid for tracklet in tracklets], dtype=np.int64),
        camids=np.array([tracklet.camid for tracklet in tracklets], dtype=np.int64),
        platforms=np.array([tracklet.platform.number for tracklet in tracklets], dtype=np.int64),
        tracklet_ids=np.array([tracklet.tracklet_id for tracklet in tracklets], dtype=np.str_),
        pictures=None if None in pictures else np.array(pictures, dtype="S64"),
        feeding=feeding,
        precision=processes.precision,
    )


@torch.no_grad()
def embedded_batches(
    encoder: Encoder,
    batches: Sequence[Sequence[ClipRequest]],
    processes: Processes,
    feeding: Feeding,
    *,
    threads: int,
) -> Iterator[Float32[Tensor, "clip embed"]]:
    """Embed batches of clips, each as soon as it is read; gives them in their order, on the CPU.

    Raises:
        MissingFrameError: a frame is missing or unreadable.
    """
    for batch in load_batches(ClipReader(feeding.image_size), batches, threads=threads):
        on_device = batch.to(processes.device)
        with processes.mixed_precision():
            made = encoder.embed(normalize(on_device.frames, feeding.normalization), on_device.platforms)
        yield made.float().cpu()


def mean_of_clips(
    embeddings: Float32[Tensor, "clip embed"], rows: Int64[Tensor, " clip"], *, num_tracklets: int
) -> Float32[Tensor, "tracklet embed"]:
    """Average the embeddings of clips by the row of the tracklet that each was taken from."""
    sums = torch.zeros(num_tracklets, embeddings.shape[1]).index_add_(0, rows, embeddings)
    return sums / torch.bincount(rows, minlength=num_tracklets)[:, None]
