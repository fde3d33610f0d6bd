"""CMC and mAP: `skyreid.evaluation` beside the loop that everyone writes, and against what a machine can do.

    python benchmarks/evaluation.py
    python benchmarks/evaluation.py --huge FOLDER

given  2,000 × 10,000, similarities given: only the ranking is compared, in CPU time. The loop is our own plain
       statement of METHOD section 9: a stable argsort of the whole matrix, then one query after the other. An
       evaluator of retrieval that is installed (torchmetrics) takes part. All must give the same mAP.
whole  20,000 × 200,000 × 512 from embeddings: time, memory, and the share of the time that the matrix product
       needs for itself. Nothing exact can be faster than the product.
huge   the same for 100,000 × 1,000,000 × 512, the tables mapped into memory from files in FOLDER (2.3 GB; files
       that are there from the last time are taken as they are).
"""

import argparse
import importlib.util
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event, Thread

import numpy as np
import torch

from cpu_time import cpu_seconds
from skyreid.datasets.protocol import CROSS_CAMERA
from skyreid.evaluation.ranking_scores import CMC_RANKS, evaluate
from skyreid.retrieval.cosine import COSINE
from skyreid.retrieval.embedding_table import EmbeddingTable, load_table, save_table

ROWS_AT_A_TIME = 50_000
TRACKLETS_PER_PERSON = 10


def random_table(seed: int, size: int, embed: int, people: int, into: np.ndarray | None = None) -> EmbeddingTable:
    """People around their centres, so that the first match stands in front for many queries but not for all."""
    generator = np.random.default_rng(seed)
    pids = generator.integers(1, people + 1, size)
    centres = np.random.default_rng(0).standard_normal((people + 1, embed), dtype=np.float32)
    embeddings = np.empty((size, embed), dtype=np.float32) if into is None else into
    for start in range(0, size, ROWS_AT_A_TIME):
        part = embeddings[start : start + ROWS_AT_A_TIME]
        part[:] = centres[pids[start : start + ROWS_AT_A_TIME]]
        part += 3 * generator.standard_normal(part.shape, dtype=np.float32)
    return EmbeddingTable(
        embeddings=embeddings,
        pids=pids,
        camids=generator.integers(0, 6, size),
        platforms=np.zeros(size, dtype=np.int64),
        tracklet_ids=np.arange(size),
    )


@dataclass(frozen=True)
class Given:
    """A ranker that only hands over what was computed before."""

    similarities: np.ndarray
    name: str = "given"

    def rows(self, query: np.ndarray, gallery: np.ndarray) -> Callable[[int, int], np.ndarray]:
        return lambda start, stop: self.similarities[start:stop]


def argsort_and_loop(
    similarities: np.ndarray, query: EmbeddingTable, gallery: EmbeddingTable
) -> tuple[float, np.ndarray]:
    ranking = np.argsort(-similarities, axis=1, kind="stable")
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


def torchmetrics_loop(similarities: np.ndarray, query: EmbeddingTable, gallery: EmbeddingTable) -> float:
    """It knows no junk, so that each query gets its own gallery; entries of negative similarity it takes for wrong,
    so that all are raised above 0; its order of ties is not ours."""
    from torchmetrics.functional.retrieval import (  # pyright: ignore[reportMissingImports] # an extra
        retrieval_average_precision,
    )

    found = []
    for row, scores in enumerate(similarities):
        same_pid = gallery.pids == query.pids[row]
        kept = ~(same_pid & (gallery.camids == query.camids[row]))
        if same_pid[kept].any():
            found.append(
                float(
                    retrieval_average_precision(
                        torch.from_numpy(1 + scores[kept].astype(np.float64)), torch.from_numpy(same_pid[kept])
                    )
                )
            )
    return float(np.mean(found))


def given(repeats: int) -> None:
    query, gallery = random_table(1, 2_000, 512, 1_000), random_table(2, 10_000, 512, 1_000)
    similarities = COSINE.rows(query.unit_embeddings, gallery.unit_embeddings)(0, len(query)).copy()
    print(f"2,000 x 10,000, similarities given; {facts()}; least CPU time of {repeats}")

    def ours() -> tuple[float, np.ndarray]:
        scores = evaluate(query, gallery, CROSS_CAMERA, ranker=Given(similarities))
        return scores.mAP, scores.cmc

    def loop() -> tuple[float, np.ndarray]:
        return argsort_and_loop(similarities, query, gallery)

    (our_map, our_cmc), (loop_map, loop_cmc) = ours(), loop()
    if abs(our_map - loop_map) > 1e-12 or not np.allclose(our_cmc, loop_cmc, rtol=0, atol=1e-12):
        raise SystemExit(f"the two sides disagree: mAP {our_map!r} and {loop_map!r}")
    our_s, loop_s = (min(cpu_seconds(side) for _ in range(repeats)) for side in (ours, loop))
    print(f"  skyreid evaluate   {our_s:8.4f} s   mAP {our_map:.6f}, the same CMC")
    print(f"  argsort and loop   {loop_s:8.4f} s   {loop_s / our_s:.1f} times ours")
    if importlib.util.find_spec("torchmetrics") is None:
        print("  torchmetrics       left out: not installed")
        return
    library_map = torchmetrics_loop(similarities, query, gallery)
    if abs(library_map - our_map) > 1e-5:
        raise SystemExit(f"torchmetrics disagrees: mAP {library_map!r} and {our_map!r}")
    library_s = cpu_seconds(lambda: torchmetrics_loop(similarities, query, gallery))
    print(f"  torchmetrics {version('torchmetrics'):6s}{library_s:8.4f} s   {library_s / our_s:.1f} times ours")


def from_embeddings(query: EmbeddingTable, gallery: EmbeddingTable) -> None:
    """Evaluate once, and time the product alone on a sample of the same blocks."""
    print(f"{len(query):,} x {len(gallery):,} x {query.embeddings.shape[1]}, {facts()}")
    before_gb = private_gb()
    start, cpu_start = time.perf_counter(), time.process_time()
    with PeakMemory() as memory:
        scores = evaluate(query, gallery, CROSS_CAMERA)
    whole_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
    product_s, product_cpu_s = product_seconds(query, gallery)
    rate = 2 * len(query) * len(gallery) * query.embeddings.shape[1] / product_s / 1e9
    print("\n".join(f"  {line}" for line in scores.lines()))
    print(f"  evaluate           {whole_s:9.1f} s, {cpu_s:9.1f} s of CPU time")
    print(f"  product alone      {product_s:9.1f} s, {product_cpu_s:9.1f} s of CPU time; {rate:.0f} Gflop/s")
    print(f"  share of product   {product_s / whole_s:9.0%}    {product_cpu_s / cpu_s:9.0%}")
    print(f"  own memory         {memory.private_gb:9.2f} GB at most, {before_gb:.2f} GB before")
    resident_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"  ru_maxrss          {resident_gb:9.2f} GB, with what is mapped from files and what making the tables took")


def product_seconds(query: EmbeddingTable, gallery: EmbeddingTable, num_blocks: int = 8) -> tuple[float, float]:
    """Time and CPU time of the whole product, from the medians of a few blocks."""
    unit_gallery = torch.from_numpy(gallery.unit_embeddings).T
    block = torch.from_numpy(query.unit_embeddings[:128])  # as many as a block has before 1,000,000 entries
    out = torch.empty(len(block), len(gallery))
    torch.mm(block, unit_gallery, out=out)
    times = []
    for _ in range(num_blocks):
        start, cpu_start = time.perf_counter(), time.process_time()
        torch.mm(block, unit_gallery, out=out)
        times.append((time.perf_counter() - start, time.process_time() - cpu_start))
    seconds, cpu = np.median(times, axis=0) * len(query) / len(block)
    return float(seconds), float(cpu)


def whole() -> None:
    people = 200_000 // TRACKLETS_PER_PERSON
    from_embeddings(random_table(1, 20_000, 512, people), random_table(2, 200_000, 512, people))


def huge(folder: Path, num_queries: int) -> None:
    size = 1_000_000
    sizes = {"query": num_queries, "gallery": size}
    tables = []
    for seed, (side, rows) in enumerate(sizes.items(), start=1):
        path = folder / f"{side}_{rows}.npz"
        if not path.exists():
            with TemporaryFile(dir=folder) as scratch:  # so that making it needs no memory of its size either
                into = np.memmap(scratch, dtype=np.float32, shape=(rows, 512), mode="w+")
                save_table(path, random_table(seed, rows, 512, size // TRACKLETS_PER_PERSON, into=into))
        start = time.perf_counter()
        tables.append(load_table(path))
        print(f"{path.name}: opened and checked in {time.perf_counter() - start:.1f} s")
    from_embeddings(*tables)


class PeakMemory:
    """The most memory of its own that the process has while this is open; pages of mapped files do not count."""

    def __enter__(self) -> "PeakMemory":
        self.private_gb = private_gb()
        self._is_over = Event()
        self._watcher = Thread(target=self._watch)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._is_over.wait(0.05):
            self.private_gb = max(self.private_gb, private_gb())


def private_gb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith("RssAnon"))


def facts() -> str:
    return f"{torch.get_num_threads()} threads, {platform.machine()}, torch {torch.__version__}, numpy {np.__version__}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("given", "whole"), help="one of the two instead of both")
    parser.add_argument("--repeats", type=int, default=5, help="of the first; the least CPU time counts")
    parser.add_argument("--huge", type=Path, metavar="FOLDER", help="this instead of both, with its files in FOLDER")
    parser.add_argument("--queries", type=int, default=100_000, help="of the huge evaluation, to try it with fewer")
    chosen = parser.parse_args()
    if chosen.huge is not None:
        huge(chosen.huge, chosen.queries)
        return
    if chosen.only != "whole":
        given(chosen.repeats)
    if chosen.only != "given":
        whole()


if __name__ == "__main__":
    main()
