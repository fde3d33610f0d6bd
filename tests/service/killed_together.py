"""Workers, servers and their PostgreSQL, killed at random; run as a program by test_crash_together.py.

`python -m tests.service.killed_together KILLS JOBS SEED` makes a case in a PostgreSQL of its own, has four workers do
its jobs and two servers take decisions over HTTP, and kills one of them, or the database, again and again. At the end
no decision that was acknowledged is missing, none is there twice, every video became one source with everybody in it,
nobody had to log in again, and the case is whole.
"""

import multiprocessing
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from itertools import combinations, cycle
from pathlib import Path

import httpx

from tests.cases.own_postgres import OwnPostgres

FORKED = multiprocessing.get_context("fork")
PASSWORD = "a long and quiet river"
WORKERS, SERVERS = 4, 2
LEASE_S, BEAT_S = 3.0, 0.5
"""A minute would make the run as long as that for every worker that is killed."""
PEOPLE = 3
SEARCHED = 12


def prepare():
    """What every process has, since it is forked from one that has it: starting is cheap then, and goes on often."""
    from skyreid.cases.work import leases, worker

    leases.LEASE_S, worker.BEAT_S = LEASE_S, BEAT_S
    leases.MOST_ATTEMPTS = 10_000  # a video is not given up that lost many workers to us


def work(folder, log):
    write_to(log)
    from skyreid.cases.work.worker_process import work_on_all

    work_on_all(Path(folder), idle_s=None, ask_s=0.5, least_room=0)


def serve(folder, log, port):
    write_to(log)
    from skyreid.cli import main

    sys.exit(main(["serve", folder, "--port", str(port), "--workers", "0"]))


def write_to(log):
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)


class Crowd:
    """Processes that are begun anew when they end, in whatever way."""

    def __init__(self, folder, ports):
        logs = folder.parent / "logs"
        logs.mkdir()
        slots = [(work, (str(folder), str(logs / f"worker-{number}"))) for number in range(WORKERS)]
        slots += [(serve, (str(folder), str(logs / f"server-{port}"), port)) for port in ports]
        self._slots = slots
        self._processes = [self._begin(*slot) for slot in slots]

    def _begin(self, target, arguments):
        process = FORKED.Process(target=target, args=arguments)
        process.start()
        return process

    def look_after(self):
        """Begin anew who ended."""
        for place, process in enumerate(self._processes):
            if not process.is_alive():
                process.join()
                self._processes[place] = self._begin(*self._slots[place])

    def kill(self, place):
        os.kill(self._processes[place].pid, signal.SIGKILL)

    def end(self):
        for process in self._processes:
            process.kill()
            process.join()


class Client:
    """A person who decides, again and again, at one server and then at the other, in a process of their own."""

    def __init__(self, ports, case_id, first_attempt):
        self._ends, (self._told, telling) = FORKED.Event(), FORKED.Pipe(duplex=False)
        arguments = (ports, case_id, first_attempt, self._ends, telling)
        self._process = FORKED.Process(target=decide_often, args=arguments)
        self._process.start()
        telling.close()

    def stop(self):
        """What was acknowledged, attempt by attempt, all attempts, and how often was answered what."""
        self._ends.set()
        self.acknowledged, self.attempts, self.statuses = self._told.recv()
        self._process.join()

    def end(self):
        self._process.kill()
        self._process.join()


def decide_often(ports, case_id, attempt, ends, telling):
    browsers = cycle([httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) for port in ports])
    pairs = cycle(combinations(range(1, 1 + SEARCHED), 2))
    csrf, cookies = log_in(next(browsers))
    acknowledged, attempts, statuses = {}, [], Counter()
    while not ends.is_set():
        browser, (first, second) = next(browsers), next(pairs)
        browser.cookies.update(cookies)
        attempt += 1
        attempts.append(attempt)
        told = {"first": first, "second": second, "decision": "unsure", "rank": attempt}
        headers = {"origin": str(browser.base_url).rstrip("/"), "x-csrf-token": csrf}
        try:
            answer = browser.post(f"/api/c/{case_id}/decisions", json=told, headers=headers)
        except httpx.TransportError as error:
            statuses[type(error).__name__] += 1
            time.sleep(0.2)
            continue
        statuses[answer.status_code] += 1
        if answer.status_code == 201:
            acknowledged[attempt] = answer.json()["event_id"]
        else:
            assert answer.status_code == 503 and "postgres" not in answer.text, (answer.status_code, answer.text)
            time.sleep(0.2)
    telling.send((acknowledged, attempts, statuses))


def log_in(browser):
    origin = {"origin": str(browser.base_url).rstrip("/")}
    csrf = browser.get("/api/session").json()["csrf"]
    told = {"name": "boss", "password": PASSWORD}
    answer = browser.post("/api/login", json=told, headers={**origin, "x-csrf-token": csrf})
    assert answer.status_code == 200, answer.text
    return answer.json()["csrf"], dict(browser.cookies)


def fill(folder, url, jobs):
    """A case with people to decide on, and videos to be looked at; gives its id."""
    from skyreid.cases.case import create_case
    from skyreid.cases.people_database import open_people
    from skyreid.cases.work.importing import import_build
    from skyreid.cases.work.jobs import add_job
    from tests.building.source_pairs import write_source
    from tests.cases.builds import drawn, write_build

    names = [f"gate-a-{number:04d}" for number in range(1, 1 + SEARCHED // 2)]
    names += [f"roof-a-{number:04d}" for number in range(1, 1 + SEARCHED // 2)]
    write_build(folder.parent / "built", names, embeddings=drawn(names))
    people = open_people(folder, database=url)
    people.add("boss", PASSWORD, by="anna", is_admin=True)
    people.close()
    with create_case(folder / "square", by="anna", database=url) as case:
        import_build(case, folder.parent / "built", by="anna", purpose="a test")
        for number in range(jobs):
            name = f"door-{number}"
            write_source(folder.parent, name, people=range(1 + number, 1 + number + PEOPLE))
            text = f"{name}.mov,platform=ground,camera={name},annotations={name}.txt,identities=shared"
            add_job(case, text, by="anna", purpose="a test", folder=folder.parent)
        return case.facts().case_id


def hurt(crowd, postgres, moments, kills, longest_s):
    """Kill one after the other; gives how often each kind was."""
    told = Counter()
    for number in range(kills):
        until = time.monotonic() + moments.uniform(0.2, longest_s)
        while time.monotonic() < until:
            crowd.look_after()
            time.sleep(0.05)
        what = ("worker", "server", "database, killed", "worker", "server", "database, stopped at once")[number % 6]
        told[what] += 1
        if what == "worker":
            crowd.kill(moments.randrange(WORKERS))
        elif what == "server":
            crowd.kill(WORKERS + moments.randrange(SERVERS))
        else:
            (postgres.kill if what == "database, killed" else postgres.stop_at_once)()
            time.sleep(moments.uniform(0, 0.5))
            postgres.start()
    return told


def finish(crowd, folder, jobs, limit_s):
    """Let the jobs come to their end."""
    from skyreid.cases.case import open_case
    from skyreid.cases.work.jobs import read_jobs

    deadline = time.monotonic() + limit_s
    with open_case(folder / "square") as case:
        while True:
            states = Counter(job.state for job in read_jobs(case))
            if states == {"done": jobs}:
                return
            assert time.monotonic() < deadline, states
            crowd.look_after()
            time.sleep(0.1)


def check(folder, clients, jobs):
    """Nothing lost, nothing doubled, everything whole."""
    from skyreid.cases.audit import read_audit
    from skyreid.cases.case import open_case
    from skyreid.cases.deciding.decisions import read_events
    from skyreid.cases.sources import read_sources
    from skyreid.cases.tracklets import read_tracklets
    from skyreid.cases.verification import verify_case

    with open_case(folder / "square") as case:
        stored = read_events(case)
        by_rank = {event.rank: event.event_id for event in stored}
        assert len(by_rank) == len(stored), "a decision is there twice"
        acknowledged = {rank: event for client in clients for rank, event in client.acknowledged.items()}
        assert acknowledged.items() <= by_rank.items(), "a decision is lost that was acknowledged"
        assert set(by_rank) <= {rank for client in clients for rank in client.attempts}
        for client in clients:
            ranks = [event.rank for event in stored if event.rank in set(client.attempts)]
            assert ranks == sorted(ranks), "decisions of one person changed places"
        sources = {source.name: source.num_tracklets for source in read_sources(case)}
        assert sources == {"gate-a": SEARCHED // 2, "roof-a": SEARCHED // 2} | {
            f"door-{number}-door-{number}": PEOPLE for number in range(jobs)
        }
        ids = [one.tracklet.tracklet_id for one in read_tracklets(case)]
        assert len(ids) == len(set(ids)) == SEARCHED + jobs * PEOPLE
        with case.database.reading() as connection:
            log = read_audit(connection)
        assert [row for row in log if row.action == "job failed"] == []
        assert Counter(row.action for row in log)["source add"] == 2 + jobs
        first = verify_case(case)
        assert first.damage == (), first.damage
        second = verify_case(case, rebuild=False)
        assert (second.damage, second.mended) == ((), ())
        assert [path.name for path in (case.folder / "work").glob("*-*")] == []
    return len(stored), len(acknowledged), first.mended


def free_ports():
    held = [socket.socket() for _ in range(SERVERS)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def wait_for(ports, crowd):
    deadline = time.monotonic() + 180
    for port in ports:
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/health")
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                crowd.look_after()
                time.sleep(0.05)


def main():
    kills, jobs, seed = map(int, sys.argv[1:4])
    begun, moments, ports = time.monotonic(), random.Random(seed), free_ports()
    with tempfile.TemporaryDirectory(prefix="together-") as place, OwnPostgres() as postgres:
        folder = Path(place) / "cases"
        folder.mkdir()
        prepare()
        case_id = fill(folder, postgres.url, jobs)
        crowd, clients = Crowd(folder, ports), []
        try:
            wait_for(ports, crowd)
            clients += [Client(ports, case_id, first) for first in (0, 1_000_000)]
            ready = time.monotonic()
            told = hurt(crowd, postgres, moments, kills, longest_s=1.0 if kills < 10 else 4.0)
            finish(crowd, folder, jobs, limit_s=60 + 5 * jobs)
            for client in clients:
                client.stop()
        except BaseException:
            for log in sorted((folder.parent / "logs").iterdir()):
                print(log.name, log.read_text()[-3000:], sep="\n", file=sys.stderr)
            raise
        finally:
            for one in (crowd, *clients):
                one.end()
        stored, acknowledged, mended = check(folder, clients, jobs)
    print(f"{kills} kills: {', '.join(f'{count} {what}' for what, count in told.items())}")
    print(f"answers: {dict(sum((client.statuses for client in clients), Counter()))}")
    print(f"put right: {len(mended)} folders of crops that nobody named")
    print(f"{jobs} jobs done once, {acknowledged} decisions acknowledged, {stored} stored, none lost, none doubled")
    print(f"{ready - begun:.0f} s until all ran, {time.monotonic() - begun:.0f} s in all")


if __name__ == "__main__":
    main()
