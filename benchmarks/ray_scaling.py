"""What a second worker of a Ray cluster gives: `python benchmarks/ray_scaling.py [--films 60]`.

Films that are drawn and annotated are built by one process, then by clusters of one and of two nodes with a CPU each on
the loopback of this machine; the manifests must be the same. Printed is the share of the ideal speed-up, twice as fast,
and of what the cores allow while others use them: how much more two processes count at the same time than one.
Needs skyreid[cluster]; run from the root of the repository.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from skyreid.building.build import build
from skyreid.building.sources import Source
from tests.building.source_pairs import write_source
from tests.processes.ray_nodes import ray_nodes

COUNT_S = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--films", type=int, default=60)
    parser.add_argument("--frames", type=int, default=16)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "in").mkdir()
        sources = [
            write_source(folder / "in", f"c{number}", people=(4, 9), frames=given.frames)
            for number in range(given.films)
        ]
        began = time.monotonic()
        whole = build(sources, folder / "here")
        print(f"{given.films} films; this process: {time.monotonic() - began:.1f} s", flush=True)
        allowed = counted(2) / counted(1)
        took = {}
        for num_nodes in (1, 2):
            took[num_nodes], sha256 = on_cluster(sources, folder / f"on-{num_nodes}", num_nodes)
            is_same = "the same manifest" if sha256 == whole.manifest_sha256 else "ANOTHER MANIFEST"
            print(f"{num_nodes} x 1 CPU: {took[num_nodes]:.1f} s, {is_same}, load {os.getloadavg()[0]:.1f}", flush=True)
        gain = took[1] / took[2]
        allowed = max(1.0, min(2.0, (allowed + counted(2) / counted(1)) / 2))
        print(f"1 -> 2 workers: {gain:.2f} times as fast, {gain / 2:.2f} of the ideal")
        print(f"the cores allow {allowed:.2f} times: {gain / allowed:.2f} of it")


def on_cluster(sources: list[Source], out: Path, num_nodes: int) -> tuple[float, str]:
    """Seconds from the first film that is looked at to the manifest, and its hash; the workers are warm."""
    with ray_nodes(out.parent, *[1] * num_nodes) as nodes:
        build(sources[: 2 * num_nodes], out.with_name(f"warm-{num_nodes}"), ray=nodes.address)
        began = time.monotonic()
        report = build(sources, out, ray=nodes.address)
        return time.monotonic() - began, report.manifest_sha256


def counted(processes: int) -> float:
    """How far so many processes count at the same time."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return sum(pool.map(count, [time.time() + 2] * processes, chunksize=1))


def count(begin: float) -> int:
    """Count for some seconds, from a moment on."""
    time.sleep(max(0, begin - time.time()))
    number, end = 0, time.monotonic() + COUNT_S
    while time.monotonic() < end:
        number += 1
    return number


if __name__ == "__main__":
    main()
