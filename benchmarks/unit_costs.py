"""What one of each costs: a second of footage, a tracklet, a sign of life, a search. `docs/sizing.md` rests on it.

    python benchmarks/unit_costs.py footage FILM [--detector DETECTOR]
    python benchmarks/unit_costs.py embedding MODEL
    .ci/with-postgres python benchmarks/unit_costs.py database
    python benchmarks/unit_costs.py server

`footage` decodes FILM, and has `skyreid case work` look at it by motion and by the detector. `embedding` embeds
tracklets of 12 crops by a model. `database` brings 20 videos of 250 tracklets (12 frames, a vector of 512 numbers) into
a case on PostgreSQL, as workers do, and then gives signs of life and looks for work. `server` asks `skyreid serve` for
searches and for pages of the grid of a case of 20,000. All are CPU seconds: what else the machine does counts less than
for the clock. A line of JSON each.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import numpy as np
import sqlalchemy as sa
from PIL import Image

from cpu_time import seconds_with_children, used
from service import add_camera, fill
from service_load import NAME, first_of, log_in, serving
from skyreid.building.video.decode import frames, probe
from skyreid.cases.case import create_case, open_case
from skyreid.cases.sources import read_sources
from skyreid.cases.work.jobs import Step, add_job
from skyreid.cases.work.leases import is_work_waiting, keep_lease, take_job

VIDEOS, TRACKLETS, FRAMES, WIDTH = 20, 250, 12, 512
CROP = (90, 40, 3)
BEATS, ROWS, QUESTIONS = 1_000, 20_000, 40


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    kinds = parser.add_subparsers(required=True)
    footage = kinds.add_parser("footage")
    footage.add_argument("film", type=Path)
    footage.add_argument("--detector")
    footage.set_defaults(measure=lambda given: measure_footage(given.film, given.detector))
    embedding = kinds.add_parser("embedding")
    embedding.add_argument("model")
    embedding.set_defaults(measure=lambda given: measure_embedding(given.model))
    kinds.add_parser("database").set_defaults(measure=lambda _: measure_database(os.environ["SKYREID_TEST_POSTGRES"]))
    kinds.add_parser("server").set_defaults(measure=lambda _: measure_server())
    given = parser.parse_args()
    given.measure(given)


def measure_footage(film: Path, detector: str | None) -> None:
    facts = probe(film)
    seconds = facts.duration_s or 0.0
    number = sum(1 for _ in frames(film))
    decoding = min(seconds_with_children(lambda: sum(1 for _ in frames(film, interval_s=1e6)))[0] for _ in range(2))
    told = {"film": film.name, "size": f"{facts.width}x{facts.height}", "frames": number, "seconds": seconds}
    told |= {"decode_ms_a_frame": 1000 * decoding / number}
    told |= {"decode_ms_a_megapixel": 1e9 * decoding / number / facts.width / facts.height}
    print(json.dumps(told), flush=True)
    for options in ([], ["--detector", detector]) if detector else ([],):
        print(json.dumps({"looks": options} | worked(film, options, seconds)), flush=True)


def worked(film: Path, options: list[str], seconds: float) -> dict[str, float]:
    """One worker does one job, beside a worker that finds none: start-up is told apart."""
    with tempfile.TemporaryDirectory() as folder:
        case = Path(folder) / "case"
        create_case(case, by="benchmark").close()
        database = case / "case.sqlite"
        empty = database.stat().st_size
        starting = seconds_with_children(lambda: skyreid("case", "work", str(case)))[0]
        skyreid(
            "case",
            "add",
            str(case),
            str(film),
            "--purpose",
            "a benchmark",
            "--platform",
            "ground",
            "--camera",
            "a",
            *options,
        )
        working = seconds_with_children(lambda: skyreid("case", "work", str(case)))[0]
        with open_case(case) as opened:
            tracklets = sum(source.num_tracklets for source in read_sources(opened))
        crops = [file.stat().st_size for file in case.rglob("*.jpg")]
        return {
            "start_cpu_s": starting,
            "MiB_of_the_largest_process": getrusage(RUSAGE_CHILDREN).ru_maxrss / 1024,
            "work_cpu_s_a_second": (working - starting) / seconds,
            "tracklets": tracklets,
            "crops_a_tracklet": len(crops) / max(1, tracklets),
            "database_kB_a_tracklet": (database.stat().st_size - empty) / 1000 / max(1, tracklets),
            "kB_a_crop": sum(crops) / 1000 / max(1, len(crops)),
        }


def skyreid(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "skyreid", *arguments, "--quiet"], check=True, stdout=subprocess.DEVNULL)


def measure_embedding(model: str) -> None:
    """Many tracklets less few: what a start takes goes away."""
    random = np.random.default_rng(0)
    few, many = 5, 45
    with tempfile.TemporaryDirectory() as folder:
        for number in (few, many):
            for tracklet in range(number):
                path = Path(folder) / f"{number}/{tracklet}"
                path.mkdir(parents=True)
                for frame in range(FRAMES):
                    Image.fromarray(random.integers(0, 256, CROP, dtype=np.uint8)).save(path / f"{frame}.jpg")

        def embed(number: int) -> float:
            out = Path(folder) / "table.npz"
            out.unlink(missing_ok=True)
            words = ("embed", f"{folder}/{number}", "--model", model, "--platform", "ground", "--out", str(out))
            return seconds_with_children(lambda: skyreid(*words))[0]

        embed(few)
        taken = [(embed(many) - embed(few)) / (many - few) for _ in range(3)]
    print(json.dumps({"model": model, "ms_a_tracklet": [round(1000 * each, 1) for each in taken]}))


def measure_database(url: str) -> None:
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        film.write_bytes(b"never opened")
        with create_case(Path(folder) / "case", by="benchmark", database=url) as case:
            engine = sa.create_engine(url)
            vectors = [random.standard_normal((TRACKLETS, WIDTH)).astype(np.float32) for _ in range(VIDEOS)]
            before = database_bytes(engine)
            bringing = both(
                lambda: [add_camera(case, number, each, num_frames=FRAMES) for number, each in enumerate(vectors)]
            )
            told = {"kB_a_tracklet": (database_bytes(engine) - before) / 1000 / VIDEOS / TRACKLETS}
            told |= {f"ms_a_tracklet_{side}": 1000 * s / VIDEOS / TRACKLETS for side, s in bringing.items()}
            add_job(case, f"{film},platform=ground,camera=a", by="benchmark", purpose="a benchmark")
            lease = take_job(case, "benchmark")
            assert lease is not None
            steps = (Step(task="finding people", done=1, total=9, seconds=1.0),)
            for name, call in (
                ("sign_of_life", lambda: keep_lease(case, lease, steps)),
                ("look_for_work", lambda: is_work_waiting(case)),
            ):
                taken = both(lambda call=call: [call() for _ in range(BEATS)])
                told |= {f"ms_a_{name}_{side}": 1000 * s / BEATS for side, s in taken.items()}
            print(json.dumps(told))


def both(work: Callable[[], object]) -> dict[str, float]:
    """CPU seconds here and in PostgreSQL."""
    here, there = used(), processes("postgres")
    work()
    return {"here": used() - here, "in_postgres": processes("postgres") - there}


def processes(name: str) -> float:
    """CPU seconds of all processes of a name that run; one that ends between two looks would be missed."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "comm").read_text().strip() == name:
                total += int((folder / "schedstat").read_text().split()[0])  # nanoseconds
        except OSError:
            continue  # it has ended
    return total / 1e9


def database_bytes(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(sa.text("select pg_database_size(current_database())")).scalar_one()


def measure_server() -> None:
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / "case", ROWS, WIDTH)
        database = Path(folder) / "case/case.sqlite"
        told: dict[str, float] = {"kB_a_tracklet_in_sqlite": database.stat().st_size / 1000 / ROWS}
        first_of(folder).close()
        begun = time.monotonic()
        with serving(folder) as (url, server), closing(log_in(url, NAME)) as client:
            told |= {"start_s_on_the_clock": time.monotonic() - begun, "start_cpu_s": of_process(server)}
            (case,) = client.get("/api/cases").json()
            home = f"/api/c/{case['case_id']}"
            client.get(f"{home}/search?t=1").raise_for_status()  # writes the cache
            for name, address in (("search", "/search?t={}"), ("page", "/tracklets?page={}")):
                before = of_process(server)
                for number in range(1, QUESTIONS + 1):
                    client.get(home + address.format(number)).raise_for_status()
                told[f"ms_a_{name}"] = 1000 * (of_process(server) - before) / QUESTIONS
            told["MiB_resident"] = resident(server)
        cached = sum(file.stat().st_size for file in (Path(folder) / "case/cache").rglob("*") if file.is_file())
        told["kB_a_tracklet_in_the_cache"] = cached / 1000 / ROWS
        print(json.dumps(told))


def of_process(number: int) -> float:
    """CPU seconds of a process that runs."""
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def resident(number: int) -> float:
    found = re.search(r"^VmRSS:\s+(\d+)", Path(f"/proc/{number}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
