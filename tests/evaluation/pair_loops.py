"""Tables to draw, and the pairs of two tables by two plain loops."""

import numpy as np
from hypothesis import strategies as st

from skyreid.retrieval.embedding_table import EmbeddingTable


def table(embeddings, pids, camids=None, platforms=None, first_id=0, model=None) -> EmbeddingTable:
    pids = np.array(pids)
    return EmbeddingTable(
        embeddings=np.array(embeddings, dtype=np.float32),
        pids=pids,
        camids=np.zeros_like(pids) if camids is None else np.array(camids),
        platforms=np.zeros_like(pids) if platforms is None else np.array(platforms),
        tracklet_ids=np.arange(first_id, first_id + len(pids)),
        model=model,
    )


@st.composite
def tables(draw, most):
    """Rows of ±1 in 16 dimensions: their cosines are exact in any arithmetic, and often equal."""
    rows = draw(st.integers(1, most))
    column = lambda low, high: draw(st.lists(st.integers(low, high), min_size=rows, max_size=rows))  # noqa: E731
    words = column(0, 2**16 - 1)
    embeddings = [[1 if (word >> bit) & 1 else -1 for bit in range(16)] for word in words]
    return table(embeddings, column(-1, 4), column(0, 2), column(0, 1))


def crowd(generator, num_tracklets, num_people, *, people=None, noise=1.0, first_id=0, model=None) -> EmbeddingTable:
    """Tracklets of people; with other `people` the two tables share nobody's look."""
    looks = (people or np.random.default_rng(0)).standard_normal((num_people, 32))
    pids = generator.integers(0, num_people, num_tracklets)
    embeddings = looks[pids] + noise * generator.standard_normal((num_tracklets, 32))
    camids, platforms = generator.integers(0, 4, num_tracklets), generator.integers(0, 2, num_tracklets)
    return table(embeddings, pids + 1, camids, platforms, first_id, model)


def loops(query, gallery, protocol):
    """Similarities of same-person and different-person pairs, one list of each per query that asks."""
    unit = lambda side: side.embeddings.astype(np.float64) / np.linalg.norm(side.embeddings, axis=1, keepdims=True)  # noqa: E731
    sides = [query, gallery] if protocol.gallery_includes_queries else [gallery]
    searched = [
        (row, int(side.pids[i]), int(side.camids[i]), int(side.platforms[i]))
        for side in sides
        for i, row in enumerate(unit(side))
    ]
    same, different = [], []
    for i, row in enumerate(unit(query)):
        pid, camid, platform = int(query.pids[i]), int(query.camids[i]), int(query.platforms[i])
        if protocol.query_platform is not None and platform != protocol.query_platform.number:
            continue
        same.append([])
        different.append([])
        for other, other_pid, other_camid, other_platform in searched:
            if other_pid == -1 or pid == -1:
                continue
            if protocol.gallery_platform is not None and other_platform != protocol.gallery_platform.number:
                continue
            if protocol.other_platform_only and other_platform == platform:
                continue
            if other_pid != pid:
                different[-1].append(float(row @ other))
            elif protocol.crosses_platforms or not protocol.junk_same_camera or other_camid != camid:
                same[-1].append(float(row @ other))
    return same, different
