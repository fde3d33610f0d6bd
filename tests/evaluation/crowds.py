"""Tables of people who are nobody, for the tests of evaluation."""

import numpy as np

from skyreid.retrieval.embedding_table import EmbeddingTable


def table(embeddings, pids, camids=None, platforms=None, ids=None, **changes) -> EmbeddingTable:
    pids = np.array(pids)
    return EmbeddingTable(
        embeddings=np.array(embeddings, dtype=np.float32),
        pids=pids,
        camids=np.zeros_like(pids) if camids is None else np.array(camids),
        platforms=np.zeros_like(pids) if platforms is None else np.array(platforms),
        tracklet_ids=np.arange(len(pids)) if ids is None else np.array(ids),
        **changes,
    )


def crowd(generator: np.random.Generator, size: int, *, people: int = 15, embed: int = 48) -> EmbeddingTable:
    """Junk (-1) and distractors (0) among them; three cameras, both platforms, ids in no order."""
    return table(
        generator.standard_normal((size, embed)),
        generator.integers(-1, people, size),
        generator.integers(0, 3, size),
        generator.integers(0, 2, size),
        generator.permutation(size),
    )
