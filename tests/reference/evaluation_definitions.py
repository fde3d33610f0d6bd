"""What two widely used evaluators compute, stated by ourselves as plain loops over one query after the other.

Nothing is copied: each function says in our words what the named function is published to compute.

torchreid  KaiyangZhou/deep-person-reid (MIT), torchreid/metrics/rank.py, `eval_market1501`
fast-reid  JDAI-CV/fast-reid (Apache-2.0), fastreid/evaluation/rank.py, `eval_market1501`, with mINP

Both sort by distance, drop the entries of the query's identity and camera, leave out a query without a match, and
know neither distractors nor the junk pid by name. Their order of ties is that of an unstable sort, so that they are
compared where there are none.
"""

import numpy as np


def torchreid_cmc_and_map(
    distances: np.ndarray,
    query_pids: np.ndarray,
    gallery_pids: np.ndarray,
    query_camids: np.ndarray,
    gallery_camids: np.ndarray,
    max_rank: int,
) -> tuple[np.ndarray, float]:
    """The CMC is as long as the gallery where that is shorter than `max_rank`."""
    length = min(max_rank, len(gallery_pids))
    curves, precisions = [], []
    for query in range(len(query_pids)):
        hits = _hits(distances, query, query_pids, gallery_pids, query_camids, gallery_camids)
        if not any(hits):
            continue
        # A query whose ranking is shorter than the curve keeps what its last place has.
        curves.append([float(any(hits[: rank + 1])) for rank in range(length)])
        precisions_at_hits = [sum(hits[: place + 1]) / (place + 1) for place, is_hit in enumerate(hits) if is_hit]
        precisions.append(sum(precisions_at_hits) / sum(hits))
    return np.mean(curves, axis=0), float(np.mean(precisions))


def fast_reid_minp(
    distances: np.ndarray,
    query_pids: np.ndarray,
    gallery_pids: np.ndarray,
    query_camids: np.ndarray,
    gallery_camids: np.ndarray,
) -> float:
    """The share of hits among the places up to the last hit, averaged; CMC and mAP are torchreid's."""
    penalties = []
    for query in range(len(query_pids)):
        hits = _hits(distances, query, query_pids, gallery_pids, query_camids, gallery_camids)
        if any(hits):
            last = max(place for place, is_hit in enumerate(hits) if is_hit)
            penalties.append(sum(hits[: last + 1]) / (last + 1))
    return float(np.mean(penalties))


def _hits(distances, query, query_pids, gallery_pids, query_camids, gallery_camids) -> list[bool]:
    """Whether each ranked entry is a match, closest first, without the query's own camera."""
    return [
        bool(gallery_pids[entry] == query_pids[query])
        for entry in np.argsort(distances[query])
        if not (gallery_pids[entry] == query_pids[query] and gallery_camids[entry] == query_camids[query])
    ]
