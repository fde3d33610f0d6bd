"""One query in a large table: `skyreid.search` beside the plainest product of the table with the query.

    python benchmarks/search.py
    python benchmarks/search.py --rows 200000 --embed 512

The plain product gives float32 cosines of all rows, and nothing else: no order, no ids, no equal treatment of equal
rows. Nothing that compares every candidate can be faster than reading the table once, so bytes a second stand beside
what this machine reads at best. Times are the shortest of several, in CPU milliseconds.

random     rows of independent numbers
clustered  200 rows for each of 1,000 people, around their centres
some       a tenth of the rows are candidates; the plain product gathers them first
part       the last 3/5 of the columns, as a text asks
loading    a fresh process: reading the table from disk, the first search (which loads PyTorch), and the next

Of float16 it says for 200 queries how often the first 100 are those of float32, in the same order, and how far apart
in cosine those stand that changed places.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cpu_time import quickest
from skyreid.retrieval.candidates import Candidates
from skyreid.retrieval.comparing import Direction
from skyreid.retrieval.embedding_table import EmbeddingTable, save_table
from skyreid.retrieval.search import directions_of, rank_candidates, search

TOP = 100
QUERIES = 200
FRESH = """
import re, sys, time
from pathlib import Path
def told(what):  # the pages of a mapped file are the system's, which may take them back
    status = Path("/proc/self/status").read_text()
    own, most = (int(re.search(name + r":\\s+(\\d+) kB", status)[1]) // 1024 for name in ("RssAnon", "VmHWM"))
    took = 1000 * (time.process_time() - started)
    print(f"  {what:<14} {took:7.0f} CPU-ms; memory of its own {own} MiB, with mapped files {most} MiB at most")
started = time.process_time()
from skyreid.retrieval.embedding_table import load_table
from skyreid.retrieval.search import search
told("imports")
for what in ("load_table", "first search", "second search"):
    started = time.process_time()
    if what == "load_table":
        table = load_table(sys.argv[1])
    else:
        search(table, 5, top_k=20)
    told(what)
"""


def cpu_ms(work: Callable[[], object], rounds: int) -> float:
    return 1000 * quickest({"work": work}, rounds)["work"]


def table_of(embeddings: np.ndarray) -> EmbeddingTable:
    rows = np.arange(len(embeddings))
    return EmbeddingTable(
        embeddings=embeddings,
        pids=rows,
        camids=rows % 6,
        platforms=rows % 2,
        tracklet_ids=np.array([f"gate-{row:07d}" for row in rows]),
    )


def random_rows(rows: int, embed: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((rows, embed), dtype=np.float32)


def clustered_rows(rows: int, embed: int) -> np.ndarray:
    drawn = random_rows(rows, embed)
    centres = np.random.default_rng(1).standard_normal((rows // 200 + 1, embed), dtype=np.float32)
    for start in range(0, rows, 200):
        drawn[start : start + 200] *= 0.5
        drawn[start : start + 200] += centres[start // 200]
    return drawn


def show(name: str, ours: float, plain: float, num_bytes: int, bandwidth: float) -> None:
    speed = num_bytes / ours * 1000
    print(
        f"  {name:<28} ours {ours:6.1f} CPU-ms, plain float32 product {plain:6.1f}: x {ours / plain:.2f}   "
        f"{speed / 1e9:5.1f} GB/s, {speed / bandwidth:4.0%} of the best"
    )


def compare(table: EmbeddingTable, plain: np.ndarray, name: str, bandwidth: float, rounds: int) -> None:
    rows, embed = table.embeddings.shape
    unit = plain[5] / np.linalg.norm(plain[5])
    product = cpu_ms(lambda: plain @ unit, rounds)
    show(name, cpu_ms(lambda: search(table, 5, top_k=TOP), rounds), product, table.embeddings.nbytes, bandwidth)
    some = np.flatnonzero(np.random.default_rng(2).random(rows) < 0.1)
    mask = np.zeros(rows, dtype=bool)
    mask[some] = True
    chosen = Candidates(rows=mask, left_out=(), impossible={})
    directions, _ = directions_of(table, 5)
    ours = cpu_ms(lambda: rank_candidates(table, directions, chosen, top_k=TOP), rounds)
    show(f"{name}, some", ours, cpu_ms(lambda: plain[some] @ unit, rounds), table.embeddings.nbytes // 10, bandwidth)
    first = 2 * embed // 5
    part = [Direction(unit[np.newaxis, first:] / np.linalg.norm(unit[first:]), first)]
    everybody = Candidates(rows=np.ones(rows, dtype=bool), left_out=(), impossible={})
    ours = cpu_ms(lambda: rank_candidates(table, part, everybody, top_k=TOP), rounds)
    show(
        f"{name}, part",
        ours,
        cpu_ms(lambda: plain[:, first:] @ unit[first:], rounds),
        table.embeddings.nbytes,
        bandwidth,
    )


def agreement(whole: EmbeddingTable, half: EmbeddingTable) -> None:
    """How the first of float16 differ from those of float32."""
    same_order = same_set = moved = 0
    apart = [0.0]
    for row in np.random.default_rng(3).integers(0, len(whole), QUERIES).tolist():
        exact, rounded = search(whole, row, top_k=TOP), search(half, row, top_k=TOP)
        same_order += np.array_equal(exact.rows, rounded.rows)
        same_set += set(exact.rows.tolist()) == set(rounded.rows.tolist())
        places = np.flatnonzero(exact.rows != rounded.rows)
        moved += places.size
        of = dict(zip(exact.rows.tolist(), exact.similarities.tolist(), strict=True))
        apart += [abs(of[row] - exact.similarities[at]) for at in places if (row := int(rounded.rows[at])) in of]
    print(
        f"  float16: of {QUERIES} queries, the first {TOP} are the same for {same_set}, in the same order for "
        f"{same_order}; {moved / QUERIES:.1f} of {TOP} places differ, by cosines at most {max(apart):.1e} apart"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--embed", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    rows, embed, rounds = arguments.rows, arguments.embed, arguments.rounds
    numbers = np.arange(rows * embed // 2)
    bandwidth = numbers.nbytes / cpu_ms(numbers.max, rounds) * 1000
    print(f"{rows} x {embed}, one query, first {TOP}; this machine reads {bandwidth / 1e9:.1f} GB/s on one core")
    for name, made in (("random", random_rows), ("clustered", clustered_rows)):
        plain = made(rows, embed)
        whole, half = table_of(plain), table_of(plain).in_float16()
        compare(whole, plain, f"{name} float32", bandwidth, rounds)
        compare(half, plain, f"{name} float16", bandwidth, rounds)
        agreement(whole, half)
    with tempfile.TemporaryDirectory() as folder:
        for name, table in (("float32", whole), ("float16", half)):
            path = Path(folder) / f"{name}.npz"
            save_table(path, table)
            print(f"loading {name}, {path.stat().st_size / 1e6:.0f} MB", flush=True)
            subprocess.run([sys.executable, "-c", FRESH, str(path)], check=True)


if __name__ == "__main__":
    main()
