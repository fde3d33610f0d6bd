"""What it takes: from streams, hours and people to cores, memory, disk and money, and where each part is full first.

    python benchmarks/sizing.py --cameras 200 --hours 10 --people 40
    python benchmarks/sizing.py --cameras 200 --hours 10 --people 40 --core-hour 0.05 --terabyte-month 20
    python benchmarks/sizing.py --scales          # 10, 1,000 and 100,000 cameras, as docs/sizing.md shows them

Every number rests on COSTS, which were measured (docs/results.md), and on what the options say. Then events are played
through: segments of cameras arrive, workers take and do them, the database commits, people search. It says how busy
each part is and how long its line becomes. Nothing of skyreid is imported: it runs anywhere.
"""

import argparse
import json
import math
import random
from dataclasses import dataclass

from queueing import Events, Station

SECONDS_AN_HOUR = 3600.0


@dataclass(frozen=True)
class Cost:
    """A number that was measured."""

    value: float
    unit: str
    measured_by: str
    stands: str
    """Words of docs/results.md that hold it."""


FILM = "unit_costs.py footage"
DATABASE = "unit_costs.py database"
SERVER = "unit_costs.py server"
COSTS = {
    "work_motion": Cost(1.19, "CPU s a second of a 1080p camera", FILM, "| motion | 1.19 |"),
    "work_detector": Cost(2.59, "CPU s a second of a 1080p camera", FILM, "| YOLOX-Nano, whole frames | 2.59 |"),
    "work_tiles": Cost(9.59, "CPU s a second of a 1080p camera", FILM, "| YOLOX-Nano in tiles | 9.59 |"),
    "embed_published": Cost(0.122, "CPU s a tracklet of 12 crops", "unit_costs.py embedding", "122 (115 and 142"),
    "embed_checkpoint": Cost(0.41, "CPU s a clip of 8 frames, one a tracklet", "embedding.py", "bfloat16 | 0.41 |"),
    "commit": Cost(0.129, "CPU ms of PostgreSQL a tracklet", DATABASE, "| a tracklet is brought in | 0.129 |"),
    "sign": Cost(0.502, "CPU ms of PostgreSQL a sign of life", DATABASE, "| a sign of life of a worker | 0.502 |"),
    "look": Cost(0.196, "CPU ms of PostgreSQL a look for work", DATABASE, "| a look for work in a case | 0.196 |"),
    "search": Cost(55.8, "CPU ms of a server a search", SERVER, "| a search | 55.8 |"),
    "search_row": Cost(
        0.13, "CPU ms of a server a thousand rows", "service.py", "| 1,000,000 (once; 10 queries, twice) | 129.9 ms"
    ),
    "page": Cost(20.8, "CPU ms of a server a page of the grid", SERVER, "| a page of the grid | 20.8 |"),
    "crops": Cost(21.2, "kB a tracklet", FILM, "| crops | 21.2 |"),
    "database": Cost(4.44, "kB a tracklet", DATABASE, "| rows in PostgreSQL, with the vector | 4.44 |"),
    "cache": Cost(1.08, "kB a tracklet", SERVER, "| cache of searches | 1.08 |"),
    "worker_memory": Cost(843, "MiB a worker", FILM, "| a worker, its decoder and its detector, at most | 843 |"),
    "server_memory": Cost(547, "MiB a server, beside the cache", SERVER, "| a server | 547 |"),
}

# What nobody measured: choices, to be changed by whoever knows better.
FULL = 0.7
"""Share of a part that is planned for; above it, lines grow long."""
CONNECTIONS, DATABASE_CORES = 1_000, 16
"""Of one PostgreSQL; a connection is a process of it, and each worker keeps one to each case of its folder."""
ROWS_A_CASE = 2_000_000
SEGMENT_S, ASKED_S = 600.0, 30.0
"""Length of the files that a recorder writes; from one search, and page, of a person to the next."""
FOOTAGE_GB_AN_HOUR = 1.62
"""Of a camera, at the 3.6 Mbit/s of the footage that was measured."""
SIGN_S, LOOK_S = 2.0, 5.0
"""From one sign of life, and one look for work in each case, to the next: so skyreid has them."""
MOST_PLAYED = 1_000_000
"""Cameras, and people who search: minutes of playing, and no installation is larger."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What comes in, and how it is looked at."""

    cameras: int
    hours: float
    people: float
    """Tracklets a camera and hour."""
    searchers: int
    keep_days: float
    looks: str
    """`motion`, `detector` (whole frames) or `tiles`."""
    model: str
    """`published` or `checkpoint`."""

    def __post_init__(self) -> None:
        for name in ("cameras", "hours", "people", "keep_days"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be more than 0; got {getattr(self, name)}")
        if self.searchers < 0:
            raise ValueError(f"searchers must be 0 or more; got {self.searchers}")
        for name in ("cameras", "searchers"):
            if getattr(self, name) > MOST_PLAYED:
                raise ValueError(
                    f"{name} must be at most {MOST_PLAYED:,}, what can be played through; got {getattr(self, name)}. "
                    "Ask for a part of the installation: parts do not share a case"
                )
        if self.hours > 24:
            raise ValueError(f"a camera films at most 24 hours a day; got hours={self.hours}")

    @property
    def tracklets(self) -> float:
        """That are kept."""
        return self.cameras * self.hours * self.people * self.keep_days

    @property
    def footage_gb(self) -> float:
        """That is kept."""
        return self.cameras * self.hours * self.keep_days * FOOTAGE_GB_AN_HOUR

    @property
    def cases(self) -> int:
        """That hold them."""
        return max(1, math.ceil(self.tracklets / ROWS_A_CASE))

    @property
    def commits(self) -> float:
        """Tracklets a second while all cameras film."""
        return self.cameras * self.people / SECONDS_AN_HOUR

    @property
    def worker_s(self) -> float:
        """CPU seconds of workers for a second of one camera."""
        return cost(f"work_{self.looks}") + cost(f"embed_{self.model}") * self.people / SECONDS_AN_HOUR

    @property
    def rows(self) -> float:
        """Tracklets that one search compares: those of a case."""
        return self.tracklets / self.cases

    @property
    def search_s(self) -> float:
        """CPU seconds of a server for a search and a page of the grid."""
        return cost("search") + cost("search_row") * self.rows / 1000 + cost("page")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much of each part there is."""

    workers: int
    databases: int
    servers: int


def cost(name: str) -> float:
    """One of COSTS, milliseconds as seconds."""
    found = COSTS[name]
    return found.value / 1000 if found.unit.startswith("CPU ms") else found.value


def background_s(load: Load, made: Plan) -> float:
    """CPU seconds a second of databases for signs of life of who works, and looks into each case of who does not."""
    working = min(made.workers, load.cameras * load.worker_s)
    looks = (made.workers - working) * math.ceil(load.cases / made.databases) / LOOK_S
    return working / SIGN_S * cost("sign") + looks * cost("look")


def plan(load: Load) -> Plan:
    """As much of each part as keeps it below FULL while all cameras film at once."""
    workers = math.ceil(load.cameras * load.worker_s / FULL)
    servers = math.ceil(max(1, load.searchers / ASKED_S * load.search_s / FULL))
    databases = 1
    while True:
        made = Plan(workers=workers, databases=databases, servers=servers)
        has_room = background_s(load, made) + load.commits * cost("commit") <= FULL * DATABASE_CORES * databases
        if has_room and workers / databases * math.ceil(load.cases / databases) <= CONNECTIONS:
            return made
        databases += 1


def simulate(load: Load, made: Plan, *, segments: int = 3, seed: int = 0) -> dict[str, dict[str, float]]:
    """Play so many segments of each camera through, after those that are not counted: until the first ones are done.

    Signs of life and looks for work take their share of the databases beforehand: there are too many of them.
    """
    drawn = random.Random(seed)
    counted_from_s = (math.ceil(load.worker_s) + 1) * SEGMENT_S
    events = Events(counted_from_s + segments * SEGMENT_S, from_s=counted_from_s)
    workers = Station("workers", made.workers)
    database = Station("database cores", made.databases * DATABASE_CORES)
    servers = Station("servers", made.servers)
    free = 1 - background_s(load, made) / database.servers
    if free <= 0:
        raise SystemExit(f"{made.databases} databases cannot even hear {made.workers} workers' signs of life")
    commit_s = load.people * SEGMENT_S / SECONDS_AN_HOUR * cost("commit") / free

    def segment() -> None:
        events.at(events.now + SEGMENT_S, segment)
        takes_s = SEGMENT_S * load.worker_s * drawn.uniform(0.5, 1.5)  # scenes differ
        events.ask(workers, takes_s, lambda: events.ask(database, commit_s))

    def question() -> None:
        events.at(events.now + drawn.expovariate(1 / ASKED_S), question)
        events.ask(servers, load.search_s)

    for _ in range(load.cameras):
        events.at(drawn.uniform(0, SEGMENT_S), segment)
    for _ in range(load.searchers):
        events.at(drawn.expovariate(1 / ASKED_S), question)
    at_first: list[int] = []
    events.at(counted_from_s, lambda: at_first.append(len(workers.waiting)))
    events.run()
    told = {station.name: events.told(station) for station in (workers, database, servers)}
    more = len(workers.waiting) - at_first[0]
    told["workers"]["more_waiting_an_hour"] = round(more * SECONDS_AN_HOUR / SEGMENT_S / segments)
    busy = told["database cores"]
    busy["utilisation"] = round(busy["utilisation"] * free + 1 - free, 3)  # of the whole
    return told


def limits(load: Load) -> dict[str, float]:
    """Where one of each part is full: cameras, and people who search at once."""
    database_s = load.worker_s / SIGN_S * cost("sign") + load.people / SECONDS_AN_HOUR * cost("commit")
    return {
        "cameras_a_worker": round(1 / load.worker_s, 2),
        "cameras_a_database_by_its_connections": round(CONNECTIONS / load.worker_s),
        "cameras_a_database_by_its_cores": round(DATABASE_CORES / database_s),
        "people_who_search_a_server": round(ASKED_S / load.search_s),
    }


def answer(load: Load, prices: dict[str, float]) -> dict[str, object]:
    """All of it, for people and programs."""
    made = plan(load)
    cores = made.workers + made.servers + made.databases * DATABASE_CORES
    disk = {name: load.tracklets * cost(name) / 1e6 for name in ("crops", "database", "cache")}  # GB
    mapped = disk["cache"] * 1000 / 1.048576 / load.cases * made.servers  # the case that each searches, in MiB
    memory = made.workers * cost("worker_memory") + made.servers * cost("server_memory") + mapped
    told: dict[str, object] = {
        **vars(made),
        "cores": cores,
        "gpus": 0 if load.model == "published" else "not measured",
        "memory_GiB_of_workers_and_servers": round(memory / 1024, 1),
        "disk_GB": {name: round(size, 2) for name, size in (disk | {"footage": load.footage_gb}).items()},
        "tracklets": round(load.tracklets),
        "cases": load.cases,
        "search_and_page_CPU_s": round(load.search_s, 3),
        "full_at": limits(load),
    }
    if any(prices.values()):
        core_hours = 30 * (made.workers * load.hours + (cores - made.workers) * 24)  # servers and databases stay
        terabytes = (sum(disk.values()) + load.footage_gb) / 1000
        told["money_a_month"] = round(core_hours * prices["core_hour"] + terabytes * prices["terabyte_month"], 2)
    return told | {"simulated": simulate(load, made)}


def scales() -> None:
    """The table of docs/sizing.md."""
    print("| cameras | workers, databases, servers | busy | longest line | mean wait, s | with half the workers |")
    print("|---|---|---|---|---|---|")
    usual = {"hours": 10, "people": 40, "keep_days": 30, "looks": "detector", "model": "published"}
    for cameras in (10, 1_000, 100_000):
        load = Load(cameras=cameras, searchers=max(1, cameras // 20), **usual)
        made = plan(load)
        told = simulate(load, made)
        half = Plan(workers=math.ceil(made.workers / 2), databases=made.databases, servers=made.servers)
        more = simulate(load, half)["workers"]["more_waiting_an_hour"]
        busy, longest, wait = (
            ", ".join(f"{part[key]:{form}}" for part in told.values())
            for key, form in (("utilisation", ".1%"), ("longest_line", ",d"), ("mean_wait_s", ",.1f"))
        )
        print(
            f"| {cameras:,} | {made.workers:,}, {made.databases:,}, {made.servers:,} | {busy} | {longest} | {wait} | "
            f"{more:,} segments more wait each hour |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cameras", type=int, default=10)
    parser.add_argument("--hours", type=float, default=10, help="that each films a day")
    parser.add_argument("--people", type=float, default=40, help="tracklets a camera and hour")
    parser.add_argument("--searchers", type=int, default=5, help="people who search at once")
    parser.add_argument("--keep-days", type=float, default=30)
    parser.add_argument("--looks", choices=("motion", "detector", "tiles"), default="detector")
    parser.add_argument("--model", choices=("published", "checkpoint"), default="published")
    parser.add_argument("--core-hour", type=float, default=0.0, help="price of a core for an hour, in your money")
    parser.add_argument("--terabyte-month", type=float, default=0.0, help="price of a terabyte for a month")
    parser.add_argument("--scales", action="store_true", help="10, 1,000 and 100,000 cameras")
    given = vars(parser.parse_args())
    if given.pop("scales"):
        scales()
        return
    prices = {name: given.pop(name) for name in ("core_hour", "terabyte_month")}
    if not all(0 <= price < math.inf for price in prices.values()):
        parser.error(f"prices are 0 or more; got {prices}")
    try:
        load = Load(**given)
    except ValueError as error:
        parser.error(str(error))
    print(json.dumps(answer(load, prices), indent=2))


if __name__ == "__main__":
    main()
