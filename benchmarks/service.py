"""How fast a case is searched: `python benchmarks/service.py [--rows 200000] [--width 512]`.

A case of so many tracklets, 25 of each person, is made in a temporary folder and searched with and without a filter
that lets a tenth through. CPU seconds beside those of the bare float16 product over all rows (`half_products`),
measured in turns in the same process; recall against NumPy in float32 over everything.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from skyreid.cases.case import Case, create_case, next_revision, open_case
from skyreid.cases.search.searching import CaseSearch
from skyreid.cases.sources import NewSource, insert_source
from skyreid.cases.tracklets import find_model, insert_tracklets, put_vectors
from skyreid.retrieval.filters import Filters
from skyreid.retrieval.half_products import half_products
from skyreid.retrieval.search import Asked
from skyreid.tracklet import Frame, Platform, Tracklet

QUERIES, REPEATS, TOP_K = 20, 5, 10
CAMERAS = 10


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--width", type=int, default=512)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        vectors = fill(Path(folder) / "case", given.rows, given.width)
        print(f"filled: {time.process_time() - begun:.1f} CPU s")
        measure(Path(folder) / "case", vectors)


def fill(path: Path, rows: int, width: int) -> np.ndarray:
    random = np.random.default_rng(0)
    people = random.standard_normal((rows // 25 + 1, width)).astype(np.float32)
    vectors = np.empty((rows, width), dtype=np.float32)
    with create_case(path, by="benchmark") as case:
        for camera in range(CAMERAS):
            numbers = np.arange(camera, rows, CAMERAS)
            mine = people[numbers % len(people)] + random.standard_normal((len(numbers), width)).astype(np.float32)
            vectors[numbers] = mine
            add_camera(case, camera, mine)
    # In the order of the database: source after source.
    return np.concatenate([vectors[camera::CAMERAS] for camera in range(CAMERAS)])


def add_camera(case: Case, camera: int, vectors: np.ndarray, *, num_frames: int = 1) -> None:
    new = NewSource(
        name=f"camera-{camera}",
        platform=Platform.AERIAL if camera % 2 else Platform.GROUND,
        camera=f"camera-{camera}",
        file=f"{camera}.mp4",
        path=None,
        sha256=str(camera),
        crops=str(camera),
        start_time=None,
        purpose="a benchmark",
        facts={},
        settings={},
        is_simulated=True,
    )
    seen = {"box": (0.0, 0.0, 20.0, 50.0), "sha256": "0" * 64}
    frames = tuple(Frame("", index=index, time_s=1.0 + 0.5 * index, **seen) for index in range(num_frames))
    platform = new.platform
    with case.database.writing() as connection:
        source = insert_source(connection, new, by="benchmark")
        revision = next_revision(connection)
        tracklets = [
            Tracklet(tracklet_id=f"camera-{camera}-{n:06d}", frames=frames, pid=n + 1, camid=camera, platform=platform)
            for n in range(len(vectors))
        ]
        numbers = insert_tracklets(connection, source, tracklets, revision=revision)
        model = find_model(connection, model="m", feeding=None, seen_unmasked=False, width=vectors.shape[1])
        put_vectors(connection, model, dict(zip(numbers.values(), vectors, strict=True)), revision=revision)


def measure(path: Path, vectors: np.ndarray) -> None:
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    halves, rows = units.astype(np.float16), np.arange(len(units))
    questions = units[:: len(units) // QUERIES][:QUERIES]
    with open_case(path) as case:
        begun = time.process_time()
        searching = CaseSearch(case)
        ask(searching, questions[0])
        print(f"cache written and first search: {time.process_time() - begun:.1f} CPU s")
    with open_case(path) as case:
        begun, on_clock = time.process_time(), time.perf_counter()
        searching = CaseSearch(case)
        ask(searching, questions[0])
        told = f"{time.process_time() - begun:.2f} CPU s, {time.perf_counter() - on_clock:.2f} s"
        print(f"opened again, to the end of the first search: {told}")
        tenth = Filters(cameras=["camera-3"])
        ask(searching, questions[0], tenth)
        product, whole, filtered = [], [], []
        for _ in range(REPEATS):
            for question in questions:
                product.append(cpu(lambda question=question: half_products(halves, question, rows)))
                whole.append(cpu(lambda question=question: ask(searching, question)))
                filtered.append(cpu(lambda question=question: ask(searching, question, tenth)))
        recall = np.mean([recall_of(ask(searching, question), units, question) for question in questions])
    bare = np.median(product)
    for name, times in (("all", whole), ("a tenth", filtered)):
        taken = np.median(times)
        print(
            f"search of {name}: {1000 * taken:.1f} CPU ms, {taken / bare:.2f} x the float16 product ({1000 * bare:.1f})"
        )
    print(f"recall of the first {TOP_K}: {recall:.4f}")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"resident memory at its peak, with the oracle's float32 and float16 copies: {most:,.0f} MiB")


def ask(searching: CaseSearch, question: np.ndarray, filters: Filters | None = None):
    return searching.search(asked=[Asked(words="q", embedding=question)], top_k=TOP_K, filters=filters or Filters())


def cpu(call) -> float:
    begun = time.process_time()
    call()
    return time.process_time() - begun


def recall_of(ranking, units: np.ndarray, question: np.ndarray) -> float:
    exact = units @ question
    last = np.partition(exact, len(exact) - TOP_K)[len(exact) - TOP_K]
    return float(np.mean([candidate.similarity >= last - 1e-6 for candidate in ranking.candidates]))


if __name__ == "__main__":
    main()
