"""533,000 queries × 1,900,000 entries × 512 over tables in many files, timed on a sample and extrapolated.

    OMP_NUM_THREADS=1 python benchmarks/sharded_evaluation.py [--queries N] [--gallery N] [--people N] [--units N]

The frame level of G2A-VReID v2 is of this size. The columns of both tables are made in full, so blocks, good entries
and memory are those of the whole; only a few files are written, and every file of the tables is one of those again, so
that any unit of the whole can be done. A block of queries is compared with some files: what a unit takes, times their
number, is the time of the whole. Joining and merging are done once for a block, with the good entries of all files.

product    the matrix product alone, in the shape in which it is fastest here: nothing exact takes less
plain      what one writes otherwise: 256 queries against all entries in memory, sorted, then each query's average
           precision; the product from the sample, the sorting of rows of full length. It must give the same mAP.
"""

import argparse
import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
import torch

from evaluation import PeakMemory, private_gb, random_table
from skyreid.datasets.protocol import CROSS_CAMERA
from skyreid.evaluation.comparisons import comparisons
from skyreid.evaluation.ranking_scores import evaluate
from skyreid.evaluation.shard_counting import (
    by_shard,
    count_shard,
    join_matches,
    match_similarities,
    merge,
    query_blocks,
)
from skyreid.retrieval.embedding_table import EmbeddingTable, save_table
from skyreid.retrieval.sharded_table import ShardedTable, open_table

Result = TypeVar("Result")
SHARD_ROWS = 65_536
EMBED = 512
PLAIN_QUERIES = 256
SORTED_QUERIES = 16


@dataclass
class Timed:
    cpu_s: float = 0.0
    """Of all threads."""
    times: int = 0

    @property
    def cpu_each_s(self) -> float:
        return self.cpu_s / self.times

    def __call__(self, make: Callable[[], Result]) -> Result:
        start = time.process_time()
        made = make()
        self.cpu_s += time.process_time() - start
        self.times += 1
        return made


def whole_table(folder: Path, sample: EmbeddingTable, num_rows: int) -> ShardedTable:
    """A table of so many rows whose files are those of the sample, over and over; a few less, for whole files."""
    shard_rows = num_rows // -(-num_rows // SHARD_ROWS)
    save_table(folder, sample.select(np.arange(len(sample)) < 2 * shard_rows), shard_rows=shard_rows)
    opened = open_table(folder)
    assert isinstance(opened, ShardedTable)
    num_files = num_rows // shard_rows
    copies = -(-num_files // len(opened.shards))
    rows = num_files * shard_rows
    repeated = {name: np.tile(getattr(opened, name), copies)[:rows] for name in ("pids", "camids", "platforms")}
    shards = (opened.shards * copies)[:num_files]
    ids = np.array([f"camera-{row % 12:02}-{row:07}" for row in range(rows)])
    return replace(opened, **repeated, shards=shards, tracklet_ids=ids)


@dataclass
class Product:
    """The matrix product alone, in some shapes; timed beside the units, so that both see the same machine."""

    shapes: tuple[tuple[int, int], ...] = ((256, 8_192), (1_024, 8_192), (2_048, 2_048), (4_096, 4_096))

    def __post_init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.sides = {shape: [torch.randn(size, EMBED, generator=generator) for size in shape] for shape in self.shapes}
        self.times: dict[tuple[int, int], list[float]] = {shape: [] for shape in self.shapes}

    def time_again(self, repeats: int = 6) -> None:
        for shape, (left, right) in self.sides.items():
            out = torch.empty(shape)
            for _ in range(repeats):
                start = time.process_time()
                torch.mm(left, right.T, out=out)
                self.times[shape].append((time.process_time() - start) / (shape[0] * shape[1]))

    def cpu_s(self, num_queries: int, num_entries: int) -> tuple[float, str]:
        """CPU seconds of the whole product, from the median in the fastest shape."""
        medians = {shape: float(np.median(times)) for shape, times in self.times.items()}
        shape = min(medians, key=medians.__getitem__)
        rate = 2 * EMBED / medians[shape] / 1e9
        return medians[shape] * num_queries * num_entries, f"{shape[0]} x {shape[1]}, {rate:.0f} Gflop/s"


def plain_blocks(query: EmbeddingTable, gallery: EmbeddingTable) -> float:
    """The mAP, as one writes it: 256 queries against everything, sorted, a loop over the queries."""
    units = torch.nn.functional.normalize(torch.from_numpy(np.asarray(gallery.embeddings)))
    pids, camids = torch.from_numpy(gallery.pids), torch.from_numpy(gallery.camids)
    found = []
    for start in range(0, len(query), PLAIN_QUERIES):
        asking = torch.nn.functional.normalize(torch.from_numpy(query.embeddings[start : start + PLAIN_QUERIES]))
        for row, order in enumerate(torch.argsort(asking @ units.T, dim=1, descending=True), start=start):
            found.append(average_precision(pids[order] == query.pids[row], camids[order] == query.camids[row]))
    return float(np.nanmean(found))


def average_precision(same_pid: torch.Tensor, same_camera: torch.Tensor) -> float:
    matches = same_pid[~(same_pid & same_camera)]
    if not matches.any():
        return float("nan")
    hits = torch.cumsum(matches, 0)[matches].double()
    return float((hits / (torch.nonzero(matches)[:, 0] + 1)).mean())


def plain_s(sample: EmbeddingTable, num_queries: int, num_entries: int) -> tuple[float, float]:
    """CPU seconds of the plain way: of its product, and of all behind it."""
    asking = torch.from_numpy(sample.unit_embeddings[:PLAIN_QUERIES])
    units = torch.from_numpy(sample.unit_embeddings)
    product = Timed()
    for _ in range(3):
        product(lambda: asking @ units.T)
    product_cpu_s = product.cpu_each_s * (num_queries / PLAIN_QUERIES) * (num_entries / len(units))
    generator = torch.Generator().manual_seed(0)
    similarities = torch.randn(SORTED_QUERIES, num_entries, generator=generator)
    pids = torch.randint(0, 5_000, (num_entries,), generator=generator)
    camids = torch.randint(0, 6, (num_entries,), generator=generator)

    def behind() -> None:
        for order in torch.argsort(similarities, dim=1, descending=True):
            average_precision(pids[order] == 7, camids[order] == 3)

    behind_it = Timed()
    behind_it(behind)
    return product_cpu_s, behind_it.cpu_each_s * num_queries / SORTED_QUERIES


def agree(folder: Path, query: EmbeddingTable, gallery: EmbeddingTable) -> None:
    """On a small part all ways must give one mAP."""
    save_table(folder / "small", gallery, shard_rows=7_000)
    ours = evaluate(query, open_table(folder / "small"), CROSS_CAMERA).mAP
    plain = plain_blocks(query, gallery)
    if abs(ours - plain) > 1e-6:
        raise SystemExit(f"the two sides disagree: mAP {ours!r} and {plain!r}")
    print(f"same mAP on {len(query):,} x {len(gallery):,}: {ours:.6f}, plain {plain:.6f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=533_000)
    parser.add_argument("--gallery", type=int, default=1_900_000)
    parser.add_argument("--people", type=int, default=5_000, help="some hundred good entries a query")
    parser.add_argument("--units", type=int, default=3, help="files that a block of queries is compared with")
    chosen = parser.parse_args()
    print(facts())
    with TemporaryDirectory() as made:
        measure(Path(made), chosen.queries, chosen.gallery, chosen.people, chosen.units)


def measure(folder: Path, num_queries: int, num_entries: int, people: int, num_units: int) -> None:
    samples = [random_table(seed, 2 * SHARD_ROWS, EMBED, people) for seed in (1, 2)]
    few = [table.select(np.arange(len(table)) < size) for table, size in zip(samples, (300, 20_000), strict=True)]
    agree(folder, *few)
    plain_product, plain_behind = plain_s(samples[1], num_queries, num_entries)
    query, gallery = (
        whole_table(folder / name, table, size)
        for name, table, size in zip(("query", "gallery"), samples, (num_queries, num_entries), strict=True)
    )
    num_queries, num_entries = len(query), len(gallery)
    product = Product()
    del samples, few
    before_gb = private_gb()
    prepare, opening, matching, joining, counting, merging = (Timed() for _ in range(6))
    with PeakMemory() as memory:
        (comparison,) = prepare(lambda: comparisons(query, gallery, CROSS_CAMERA))
        parts, blocks = by_shard(comparison), query_blocks(comparison)
        block = blocks[0]
        for part in parts[:num_units]:
            opening(lambda part=part: part.comparison.gallery.parts[0].source.embeddings)
        found = [matching(lambda part=part: match_similarities(part, block)) for part in parts[:num_units]]
        everywhere = [replace(found[part.number % num_units], number=part.number) for part in parts]
        matches = joining(lambda: join_matches(everywhere))
        counted = []
        for part in parts[:num_units]:
            product.time_again()
            counted.append(counting(lambda part=part: count_shard(part, block, matches)))
        everywhere = [replace(counted[part.number % num_units], numbers=frozenset((part.number,))) for part in parts]
        merging(lambda: merge(everywhere, matches))
    units = len(blocks) * len(parts)
    total = (
        prepare.cpu_s
        + len(parts) * opening.cpu_each_s
        + units * (matching.cpu_each_s + counting.cpu_each_s)
        + len(blocks) * (joining.cpu_s + merging.cpu_s)
    )
    good = matches.offsets[-1] / (block.stop - block.start)
    alone, shape = product.cpu_s(num_queries, num_entries)
    plain = plain_product + plain_behind
    ranks_gb = 8 * good * num_queries / 1e9
    plain_gb = (num_entries * EMBED * 4 + PLAIN_QUERIES * num_entries * 12) / 1e9
    lines = [
        f"{num_queries:,} x {num_entries:,} x {EMBED}, {people:,} people, {good:.0f} good entries a query: "
        f"{len(blocks)} blocks of {block.stop - block.start:,} queries, {len(parts)} files of "
        f"{gallery.shards[0].rows:,} entries",
        f"  good entries   {matching.cpu_each_s:8.2f} s a unit, of {num_units} timed",
        f"  counting       {counting.cpu_each_s:8.2f} s a unit",
        f"  joining        {joining.cpu_s:8.2f} s a block, merging {merging.cpu_s:.2f}",
        f"  opening        {opening.cpu_each_s:8.2f} s a file, once in a process; the columns {prepare.cpu_s:.1f}",
        f"  skyreid        {total / 3600:8.2f} core hours",
        f"  product alone  {alone / 3600:8.2f} core hours ({shape}): {alone / total:.0%} of ours",
        f"  plain blocks   {plain / 3600:8.2f} core hours, {plain_product / 3600:.2f} of them its product: "
        f"{plain / total:.1f} x ours",
        f"  own memory     {memory.private_gb:8.2f} GB of a process at most, {before_gb:.2f} before a unit",
        f"  ranks          {ranks_gb:8.2f} GB where all are put together, twice that for a moment (computed)",
        f"  plain memory   {plain_gb:8.2f} GB: the gallery, and {PLAIN_QUERIES} rows with their order (computed)",
    ]
    print("\n".join(lines))


def facts() -> str:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    load = Path("/proc/loadavg").read_text().split()[0]
    return (
        f"commit {commit.strip() or 'unknown'}, {model}, {torch.get_num_threads()} threads, load {load}, "
        f"torch {torch.__version__}, numpy {np.__version__}; CPU seconds of all threads"
    )


if __name__ == "__main__":
    main()
