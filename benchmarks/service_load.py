"""How long people wait who use a server at once: `python benchmarks/service_load.py [--rows 20000]`.

`skyreid serve` on the loopback over a case of so many tracklets of 512 numbers, and 1, 10 and 50 clients that are
logged in. Each asks for a search and for a page of the grid in turn, as fast as it is answered, for so many seconds.
Meanwhile one more client asks /health every second. Clients share the cores with the server.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np

from service import fill
from skyreid.cases.people import open_people

NAME, PASSWORD = "benchmark", "a long and quiet river"
CLIENTS = (1, 10, 50)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=15)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / "case", given.rows, 512)
        people = open_people(Path(folder))
        token = people.setup_token()
        assert token is not None
        people.add_first(token, NAME, PASSWORD)
        people.close()
        command = [sys.executable, "-m", "skyreid", "serve", folder, "--port", "0", "--workers", "0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            try:
                assert server.stderr is not None
                url = next(found[1] for line in server.stderr if (found := re.search(r"(http://127\S+?)/ ", line)))
                threading.Thread(target=server.stderr.read, daemon=True).start()  # else it waits for a reader
                measure(url, given.rows, given.seconds)
            finally:
                server.kill()


def measure(url: str, rows: int, seconds: float) -> None:
    with httpx.Client(base_url=url, headers={"origin": url}, timeout=300) as first:
        first.headers["x-csrf-token"] = first.get("/api/session").json()["csrf"]
        first.post("/api/login", json={"name": NAME, "password": PASSWORD}).raise_for_status()
        (case,) = first.get("/api/cases").json()
        home, cookies = f"/api/c/{case['case_id']}", dict(first.cookies)
        first.get(f"{home}/search?t=1").raise_for_status()  # writes the cache
    for clients in CLIENTS:
        taken: dict[str, list[float]] = {"search": [], "browse": []}
        statuses: list[int] = []
        until = time.monotonic() + seconds
        asking = [
            threading.Thread(target=ask, args=(url, home, cookies, rows, until, number, taken, statuses))
            for number in range(clients)
        ]
        beats = threading.Thread(target=beat, args=(url, until, statuses))
        for one in (*asking, beats):
            one.start()
        for one in (*asking, beats):
            one.join()
        told = {
            kind: {"n": len(each), "p50_s": quantile(each, 50), "p95_s": quantile(each, 95)}
            for kind, each in taken.items()
        }
        print(json.dumps({"clients": clients, **told, "all_200": set(statuses) == {200}}), flush=True)


def quantile(seconds: list[float], percent: int) -> float:
    return round(float(np.percentile(seconds, percent)), 3)


def ask(url, home, cookies, rows, until, number, taken, statuses):
    random = np.random.default_rng(number)
    with httpx.Client(base_url=url, cookies=cookies, timeout=300) as client:
        while time.monotonic() < until:
            for kind, path in (("search", f"/search?t={random.integers(1, rows)}"), ("browse", "/tracklets?page=2")):
                begun = time.monotonic()
                statuses.append(client.get(home + path).status_code)
                taken[kind].append(time.monotonic() - begun)


def beat(url, until, statuses):
    with httpx.Client(base_url=url, timeout=300) as client:
        while time.monotonic() < until:
            statuses.append(client.get("/health").status_code)
            time.sleep(1)


if __name__ == "__main__":
    main()
