"""Tracklets to an embedding table, on one process or many.

Every process embeds a consecutive share, nothing is padded, and the rows come back in the order of
the tracklets: N processes give what one gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from skyreid.clips.clip_choice import TEST_CLIPS, TestChoice
from skyreid.clips.clip_loader import ClipReader, ClipRequest, load_batches
from skyreid.clips.frame_bank import FrameBank
from skyreid.clips.normalization import normalize
from skyreid.distributed import Workers
from skyreid.models.encoder import Encoder
from skyreid.progress import Progress, silent
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.tracklet import Tracklet


@dataclass(frozen=True, kw_only=True)
class ExtractionConfig:
    clip_length: int = 8
    """Frames a clip."""
    sampling: TestChoice = "one-clip"
    """"one-clip": the first frame of each block (the published numbers); "all-frames": every frame, dealt out
    into clips whose embeddings are averaged; the others are those of the methods of the comparison."""
    batch_size: int = 16
    """Clips the model sees at once; changes speed and memory only."""
    threads: int = 2
    """Threads that read frames."""


def embed_tracklets(
    encoder: Encoder,
    tracklets: Sequence[Tracklet],
    bank: FrameBank,
    workers: Workers,
    config: ExtractionConfig,
    *,
    progress: Progress = silent,
) -> EmbeddingTable:
    """Embed each tracklet; deterministic, in time order, no augmentation.

    Args:
        encoder: in evaluation mode, on `workers.device`.
        tracklets: what to embed; the table has their order.
        bank: frames at the encoder's size.
        workers: the processes that share the work.
        config: frames per clip and how they are taken.
        progress: told after every batch.

    Raises:
        MissingFrameError: a frame is missing or unreadable.
    """
    share = workers.uneven_share(tracklets)
    rows, requests = [], []
    for row, tracklet in enumerate(share):
        for positions in TEST_CLIPS[config.sampling](len(tracklet.frames), config.clip_length):
            rows.append(row)
            requests.append(ClipRequest(tracklet, frames=tuple(positions)))
    clips = _embed_clips(encoder, requests, bank, workers, config, progress)
    sums = torch.zeros(len(share), encoder.embed_dim).index_add_(0, torch.tensor(rows, dtype=torch.long), clips)
    means = sums / torch.bincount(torch.tensor(rows, dtype=torch.long), minlength=len(share))[:, None]
    return EmbeddingTable(
        embeddings=workers.gather_rows(means).numpy(),
        pids=np.array([tracklet.pid for tracklet in tracklets], dtype=np.int64),
        camids=np.array([tracklet.camid for tracklet in tracklets], dtype=np.int64),
        platforms=np.array([tracklet.platform.number for tracklet in tracklets], dtype=np.int64),
        tracklet_ids=np.array([tracklet.tracklet_id for tracklet in tracklets], dtype=np.str_),
    )


@torch.no_grad()
def _embed_clips(
    encoder: Encoder,
    requests: Sequence[ClipRequest],
    bank: FrameBank,
    workers: Workers,
    config: ExtractionConfig,
    progress: Progress,
) -> Float[Tensor, "clip embed"]:
    reader = ClipReader(bank, clip_length=config.clip_length, augmentation=None)
    size = config.batch_size
    batches = [requests[i : i + size] for i in range(0, len(requests), size)]
    embedded = [torch.zeros(0, encoder.embed_dim)]
    for done, batch in enumerate(load_batches(reader, batches, threads=config.threads), start=1):
        on_device = batch.to(workers.device)
        with workers.mixed_precision():
            embeddings = encoder.embed(normalize(on_device.frames), on_device.platforms)
        embedded.append(embeddings.float().cpu())
        progress("embedding", done, len(batches))
    return torch.cat(embedded)
