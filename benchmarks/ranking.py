"""CMC and mAP at 2,000 × 10,000: `skyreid.evaluation` beside the loop that everyone writes.

    OMP_NUM_THREADS=1 python benchmarks/ranking.py

The loop is our own plain statement of METHOD section 9: the whole similarity matrix, a stable argsort
of it, then one query after the other. Both sides start from the same un-normalised embeddings and must
give the same mAP and CMC. The matrix product alone is printed too: nothing exact can be faster.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from skyreid.datasets.protocol import CROSS_CAMERA
from skyreid.evaluation.ranking_scores import CMC_RANKS, evaluate
from skyreid.retrieval.embedding_table import EmbeddingTable


def random_table(generator: np.random.Generator, size: int, embed: int, identities: int) -> EmbeddingTable:
    pids = generator.integers(0, identities, size)
    centres = np.random.default_rng(0).standard_normal((identities, embed), dtype=np.float32)
    return EmbeddingTable(
        embeddings=centres[pids] + 3 * generator.standard_normal((size, embed), dtype=np.float32),
        pids=pids,
        camids=generator.integers(0, 6, size),
        platforms=np.zeros(size, dtype=np.int64),
        tracklet_ids=np.arange(size),
    )


def fresh(table: EmbeddingTable) -> EmbeddingTable:
    """The same table without the unit rows that an earlier evaluation left in it."""
    return table.select(np.ones(len(table), dtype=bool))


def similarity_matrix(query: EmbeddingTable, gallery: EmbeddingTable) -> np.ndarray:
    rows = [torch.from_numpy(table.embeddings) for table in (query, gallery)]
    unit_query, unit_gallery = (x / torch.linalg.vector_norm(x, dim=1, keepdim=True) for x in rows)
    return (unit_query @ unit_gallery.T).numpy()


def argsort_and_loop(query: EmbeddingTable, gallery: EmbeddingTable) -> tuple[float, np.ndarray]:
    ranking = np.argsort(-similarity_matrix(query, gallery), axis=1, kind="stable")
    average_precisions, curves = [], []
    for row, order in enumerate(ranking):
        same_pid = gallery.pids[order] == query.pids[row]
        kept = ~(same_pid & (gallery.camids[order] == query.camids[row]))
        matches = same_pid[kept]
        if not matches.any():
            continue
        hits = np.cumsum(matches)
        average_precisions.append(np.mean((hits / np.arange(1, matches.size + 1))[matches]))
        curves.append(hits[:CMC_RANKS] > 0)
    return float(np.mean(average_precisions)), np.mean(curves, axis=0)


def fastest(repeats: int, work: Callable[[], object]) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=2_000)
    parser.add_argument("--gallery", type=int, default=10_000)
    parser.add_argument("--embed", type=int, default=1_280)
    parser.add_argument("--identities", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=5)
    sizes = parser.parse_args()
    generator = np.random.default_rng(7)
    query = random_table(generator, sizes.queries, sizes.embed, sizes.identities)
    gallery = random_table(generator, sizes.gallery, sizes.embed, sizes.identities)

    scores = evaluate(query, gallery, CROSS_CAMERA)
    loop_map, loop_cmc = argsort_and_loop(query, gallery)
    if abs(scores.mAP - loop_map) > 1e-12 or not np.array_equal(scores.cmc, loop_cmc):
        raise SystemExit(f"the two sides disagree: mAP {scores.mAP!r} and {loop_map!r}")

    matrix_s = fastest(sizes.repeats, lambda: similarity_matrix(query, gallery))
    loop_s = fastest(sizes.repeats, lambda: argsort_and_loop(query, gallery))
    ours_s = fastest(sizes.repeats, lambda: evaluate(fresh(query), fresh(gallery), CROSS_CAMERA))

    print(
        f"{sizes.queries} queries, {sizes.gallery} gallery entries, {sizes.embed} values each, "
        f"{torch.get_num_threads()} threads; fastest of {sizes.repeats}; same mAP {scores.mAP:.6f} and CMC"
    )
    print(f"similarity matrix alone  {matrix_s:7.3f} s  (the lower limit)")
    print(f"argsort and loop         {loop_s:7.3f} s  {loop_s / matrix_s:5.2f} times the limit")
    print(f"skyreid evaluate         {ours_s:7.3f} s  {ours_s / matrix_s:5.2f} times the limit")
    print(f"ratio                    {loop_s / ours_s:7.2f} times")


if __name__ == "__main__":
    main()
