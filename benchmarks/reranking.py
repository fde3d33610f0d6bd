"""k-reciprocal re-ranking: `skyreid.retrieval.reranking` beside the dense NumPy program that everyone copies.

    python benchmarks/reranking.py

The dense side is our own statement of that program: all rows by all rows in float32, a full argsort, one
row after the other. It runs where it fits into memory, and both sides must give the same distances there.
Then ours runs alone at a size where dense matrices would take tens of gigabytes. Every run has a process
of its own, so that its peak memory is its own; the libraries and the embeddings are part of it.
"""

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from skyreid.retrieval.cosine import cosine_similarities, unit_rows
from skyreid.retrieval.reranking import KReciprocal

QUERIES_PER_BLOCK = 256
TOLERANCE = 1e-5
"""The dense program computes in float32."""


@dataclass(frozen=True, kw_only=True)
class Size:
    queries: int
    gallery: int
    embed: int

    def __str__(self) -> str:
        return f"{self.queries:,} queries, {self.gallery:,} gallery rows, {self.embed} values each"


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    wall_s: float
    cpu_s: float
    peak_mib: float
    result: np.ndarray

    def line(self, name: str) -> str:
        return f"{name:14} {self.wall_s:8.1f} s, CPU {self.cpu_s:8.1f} s, peak resident {self.peak_mib:8,.0f} MiB"


def embeddings(size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Rows of people who have ten rows each on average, query rows and gallery rows."""
    generator = np.random.default_rng(7)
    rows = size.queries + size.gallery
    centres = generator.standard_normal((rows // 10, size.embed), dtype=np.float32)
    table = centres[generator.integers(0, len(centres), rows)]
    table += 1.5 * generator.standard_normal(table.shape, dtype=np.float32)
    table = unit_rows(table)
    return table[: size.queries], table[size.queries :]


def dense_distances(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    settings = KReciprocal()
    k1, half, k2 = settings.k1 + 1, round(settings.k1 / 2) + 1, settings.k2
    table = np.concatenate([query, gallery])
    original = np.maximum(2 - 2 * cosine_similarities(table, table), 0)
    original /= original.max(axis=1, keepdims=True)
    ranking = np.argsort(original, axis=1, kind="stable").astype(np.int32)

    def reciprocal(row: int, k: int) -> np.ndarray:
        forward = ranking[row, :k]
        return forward[(ranking[forward, :k] == row).any(axis=1)]

    encodings = np.zeros_like(original)
    for row in range(len(table)):
        members = reciprocal(row, k1)
        expanded = [members]
        for member in members:
            candidates = reciprocal(member, half)
            if len(np.intersect1d(candidates, members)) > 2 / 3 * len(candidates):
                expanded.append(candidates)
        expanded = np.unique(np.concatenate(expanded))
        weights = np.exp(-original[row, expanded])
        encodings[row, expanded] = weights / weights.sum()
    encodings = np.stack([encodings[ranking[row, :k2]].mean(axis=0) for row in range(len(table))])

    encoded_with = [np.flatnonzero(column) for column in encodings.T]
    final = np.empty((len(query), len(gallery)), dtype=np.float32)
    for row in range(len(query)):
        shared = np.zeros(len(table), dtype=np.float32)
        for member in np.flatnonzero(encodings[row]):
            others = encoded_with[member]
            shared[others] += np.minimum(encodings[row, member], encodings[others, member])
        distances = (1 - settings.weight) * (1 - shared / (2 - shared)) + settings.weight * original[row]
        final[row] = distances[len(query) :]
    return final


def our_distances(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    rows = KReciprocal().rows(query, gallery)
    return np.concatenate([-rows(start, min(start + QUERIES_PER_BLOCK, len(query))) for start in starts(query)])


def our_nearest(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """The gallery row that comes first for every query; no more than a block of distances is ever held."""
    rows = KReciprocal().rows(query, gallery)
    return np.concatenate(
        [rows(start, min(start + QUERIES_PER_BLOCK, len(query))).argmax(axis=1) for start in starts(query)]
    )


def starts(query: np.ndarray) -> range:
    return range(0, len(query), QUERIES_PER_BLOCK)


def measured(work: Callable[[np.ndarray, np.ndarray], np.ndarray], size: Size, threads: int) -> Run:
    torch.set_num_threads(threads)
    query, gallery = embeddings(size)
    wall, cpu = time.perf_counter(), time.process_time()
    result = work(query, gallery)
    return Run(
        wall_s=time.perf_counter() - wall,
        cpu_s=time.process_time() - cpu,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        result=result,
    )


def in_own_process(work: Callable[[np.ndarray, np.ndarray], np.ndarray], size: Size, threads: int) -> Run:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as processes:
        return processes.submit(measured, work, size, threads).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=5_000, help="of the size where ours runs alone")
    parser.add_argument("--gallery", type=int, default=50_000, help="of the size where ours runs alone")
    parser.add_argument("--embed", type=int, default=512)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()

    small = Size(queries=1_000, gallery=5_000, embed=given.embed)
    dense = in_own_process(dense_distances, small, given.threads)
    ours = in_own_process(our_distances, small, given.threads)
    furthest = float(np.abs(dense.result - ours.result).max())
    if furthest > TOLERANCE:
        raise SystemExit(f"the two sides disagree by {furthest:.2g}")
    print(f"{KReciprocal().name}, {given.threads} threads\n{small}; same distances to {furthest:.1e}")
    print(dense.line("dense program"))
    print(ours.line("skyreid"))
    print(
        f"{'ratio':14} {dense.wall_s / ours.wall_s:8.1f}    CPU {dense.cpu_s / ours.cpu_s:8.1f}    "
        f"peak resident {dense.peak_mib / ours.peak_mib:8.1f}"
    )

    large = Size(queries=given.queries, gallery=given.gallery, embed=given.embed)
    alone = in_own_process(our_nearest, large, given.threads)
    matrix_gib = (given.queries + given.gallery) ** 2 * 4 / 2**30
    print(f"{large}; one dense float32 matrix alone would take {matrix_gib:.1f} GiB")
    print(alone.line("skyreid"))


if __name__ == "__main__":
    main()
