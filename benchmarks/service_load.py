"""How long people wait who use a server at once: `python benchmarks/service_load.py [--rows 20000]`.

`skyreid serve` on the loopback over a case of so many tracklets of 512 numbers, and 1, 10 and 50 clients that are
logged in, each a person of their own. Each asks for a search and for a page of the grid in turn, as fast as it is
answered, for so many seconds; whoever is told to come again does so when it was told to. Meanwhile one more client asks
/health every second. Clients share the cores with the server.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import numpy as np

from service import fill
from skyreid.cases.people import People
from skyreid.cases.people_database import open_people

NAME, PASSWORD = "benchmark", "a long and quiet river"
CLIENTS = (1, 10, 50)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=15)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / "case", given.rows, 512)
        people = first_of(folder)
        for number in range(max(CLIENTS)):
            people.add(f"{NAME}-{number}", PASSWORD, by=NAME, is_admin=True)
        people.close()
        with serving(folder) as (url, _):
            measure(url, given.rows, given.seconds)


def first_of(folder: str) -> People:
    """The people of a server of this folder, with the first of them."""
    people = open_people(Path(folder))
    token = people.setup_token()
    assert token is not None
    people.add_first(token, NAME, PASSWORD)
    return people


@contextmanager
def serving(folder: str) -> Iterator[tuple[str, int]]:
    """Give the address and the process of a server of a folder of cases, which ends with the block."""
    command = [sys.executable, "-m", "skyreid", "serve", folder, "--port", "0", "--workers", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            url = next(found[1] for line in server.stderr if (found := re.search(r"(http://127\S+?)/ ", line)))
            threading.Thread(target=server.stderr.read, daemon=True).start()  # else it waits for a reader
            yield url, server.pid
        finally:
            server.kill()


def measure(url: str, rows: int, seconds: float) -> None:
    with closing(log_in(url, NAME)) as first:
        (case,) = first.get("/api/cases").json()
        home = f"/api/c/{case['case_id']}"
        first.get(f"{home}/search?t=1").raise_for_status()  # writes the cache
    everybody = [log_in(url, f"{NAME}-{number}") for number in range(max(CLIENTS))]
    for clients in CLIENTS:
        taken: dict[str, list[float]] = {"search": [], "browse": [], "health": []}
        statuses: Counter[int] = Counter()
        until = time.monotonic() + seconds
        asking = [
            threading.Thread(target=ask, args=(one, home, rows, until, number, taken, statuses))
            for number, one in enumerate(everybody[:clients])
        ]
        beats = threading.Thread(target=beat, args=(url, until, taken, statuses))
        for one in (*asking, beats):
            one.start()
        for one in (*asking, beats):
            one.join()
        told = {
            kind: {"n": len(each), "p50_s": quantile(each, 50), "p95_s": quantile(each, 95)}
            for kind, each in taken.items()
        }
        print(json.dumps({"clients": clients, **told, "statuses": statuses}), flush=True)


def log_in(url: str, name: str) -> httpx.Client:
    client = httpx.Client(base_url=url, headers={"origin": url}, timeout=300)
    client.headers["x-csrf-token"] = client.get("/api/session").json()["csrf"]
    client.post("/api/login", json={"name": name, "password": PASSWORD}).raise_for_status()
    return client


def quantile(seconds: list[float], percent: int) -> float:
    return round(float(np.percentile(seconds, percent)), 3)


def ask(client, home, rows, until, number, taken, statuses):
    random = np.random.default_rng(number)
    while time.monotonic() < until:
        for kind, path in (("search", f"/search?t={random.integers(1, rows)}"), ("browse", "/tracklets?page=2")):
            begun = time.monotonic()
            answer = client.get(home + path)
            statuses[answer.status_code] += 1
            if answer.status_code == 200:
                taken[kind].append(time.monotonic() - begun)
            else:
                time.sleep(float(answer.headers.get("retry-after", "0")))


def beat(url, until, taken, statuses):
    with httpx.Client(base_url=url, timeout=300) as client:
        while time.monotonic() < until:
            begun = time.monotonic()
            statuses[client.get("/health").status_code] += 1
            taken["health"].append(time.monotonic() - begun)
            time.sleep(1)


if __name__ == "__main__":
    main()
