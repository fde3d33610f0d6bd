"""The simulation of benchmarks/sizing.py gives what queueing theory does, and the page shows its numbers."""

import json
import math
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks/sizing.py"
sys.path.insert(0, str(SCRIPT.parent))
try:
    import queueing
    import sizing
finally:
    sys.path.remove(str(SCRIPT.parent))


def one_line(*, arrivals_s, service_s, servers=1, until_s):
    events = queueing.Events(until_s)
    station = queueing.Station("one", servers)

    def arrive():
        events.at(events.now + arrivals_s(), arrive)
        events.ask(station, service_s())

    events.at(0.0, arrive)
    events.run()
    return events.told(station)


def test_with_time_to_spare_nobody_waits():
    told = one_line(arrivals_s=lambda: 1.0, service_s=lambda: 0.75, until_s=1000.0)
    assert told["utilisation"] == pytest.approx(0.75, abs=0.002)
    assert told["longest_line"] == told["mean_wait_s"] == 0


def test_whoever_comes_faster_than_they_are_served_leaves_a_line_that_grows_steadily():
    told = one_line(arrivals_s=lambda: 1.0, service_s=lambda: 1.25, until_s=1000.0)
    assert told["utilisation"] == 1.0
    assert told["waiting_at_the_end"] == pytest.approx(1000 * (1 - 1 / 1.25), abs=2)
    assert told["longest_line"] == told["waiting_at_the_end"]


@pytest.mark.parametrize(
    ("servers", "waits_s"),
    [(1, 0.5 / (1 - 0.5)), (2, 0.5**2 / (1 - 0.5**2))],  # M/M/1, M/M/2 at half load, in mean services
)
def test_the_mean_wait_is_that_of_queueing_theory(servers, waits_s):
    drawn = random.Random(1)
    told = one_line(
        arrivals_s=lambda: drawn.expovariate(0.5 * servers),
        service_s=lambda: drawn.expovariate(1.0),
        servers=servers,
        until_s=40_000.0,
    )
    assert told["utilisation"] == pytest.approx(0.5, abs=0.01)
    assert told["mean_wait_s"] == pytest.approx(waits_s, rel=0.05)


def load(**changed):
    usual = {"cameras": 100, "hours": 10, "people": 40, "searchers": 5, "keep_days": 30}
    return sizing.Load(**usual | {"looks": "detector", "model": "published"} | changed)


def test_a_plan_is_as_busy_as_it_was_made_for():
    told = sizing.simulate(load(), sizing.plan(load()))
    assert told["workers"]["utilisation"] == pytest.approx(sizing.FULL, abs=0.04)
    assert told["database cores"]["utilisation"] < sizing.FULL


def test_with_too_few_workers_segments_pile_up():
    half = math.ceil(sizing.plan(load()).workers / 2)
    told = sizing.simulate(load(), sizing.Plan(workers=half, databases=1, servers=1), segments=20)
    assert told["workers"]["utilisation"] > 0.99
    come_an_hour = load().cameras * 3600 / sizing.SEGMENT_S
    lost = come_an_hour - half * 3600 / (load().worker_s * sizing.SEGMENT_S)
    assert told["workers"]["more_waiting_an_hour"] == pytest.approx(lost, rel=0.1)


def test_the_answer_is_json_that_grows_with_what_is_asked():
    asked = [sys.executable, str(SCRIPT), "--cameras", "20", "--hours", "10", "--people", "40", "--core-hour", "2"]
    told = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)
    assert told["tracklets"] == 20 * 10 * 40 * 30
    assert told["workers"] == sizing.plan(load(cameras=20)).workers
    assert told["money_a_month"] == 2 * 30 * (told["workers"] * 10 + (told["cores"] - told["workers"]) * 24)


@pytest.mark.parametrize("name", ["cameras", "hours", "people", "keep_days"])
def test_what_cannot_be_is_refused_by_its_name(name):
    for number in (0, -1, math.inf, math.nan):
        with pytest.raises(ValueError, match=f"{name} must be more than 0"):
            load(**{name: number})


@pytest.mark.parametrize("name", ["cameras", "searchers"])
def test_more_than_can_be_played_through_is_refused_at_once(name):
    with pytest.raises(ValueError, match=f"{name} must be at most 1,000,000"):
        load(**{name: 1_000_001})


def test_whoever_keeps_footage_pays_for_its_disk():
    told = sizing.answer(load(cameras=20), {"core_hour": 0, "terabyte_month": 1000})
    assert told["disk_GB"]["footage"] == pytest.approx(20 * 10 * 30 * 3.6e6 / 8 * 3600 / 1e9)
    assert told["money_a_month"] == pytest.approx(sum(told["disk_GB"].values()), abs=0.1)


def test_people_who_search_come_evenly_from_the_first_moment():
    told = sizing.simulate(load(cameras=1, searchers=2_000), sizing.Plan(workers=4, databases=1, servers=8))
    expected = 2_000 / sizing.ASKED_S * load(cameras=1).search_s / 8
    assert expected < 0.8, "the line is short only where there is room"
    assert told["servers"]["longest_line"] < 50


def test_the_line_is_that_of_the_time_that_is_counted():
    events, station = queueing.Events(200.0, from_s=100.0), queueing.Station("one", 1)
    for at_s, asking in ((0.0, 5), (150.0, 3)):
        events.at(at_s, lambda asking=asking: [events.ask(station, 1.0) for _ in range(asking)])
    events.run()
    assert events.told(station)["longest_line"] == 2


def test_every_cost_stands_in_the_results_and_on_the_page():
    results, page = ((ROOT / f"docs/{name}.md").read_text() for name in ("results", "sizing"))
    shown = re.findall(r"^\| `(\w+)` \| (\S+) \| ([^|]+) \| `([^`]+)` \|$", page, re.MULTILINE)
    assert shown == [(name, f"{each.value:g}", each.unit, each.measured_by) for name, each in sizing.COSTS.items()]
    for name, each in sizing.COSTS.items():
        assert each.stands in results, name
        assert re.match(r"[\w.]+", each.measured_by)


def test_what_the_page_shows_is_what_the_program_says():
    page = (ROOT / "docs/sizing.md").read_text()
    for cameras in (10, 1_000, 100_000):
        made = sizing.plan(load(cameras=cameras, searchers=max(1, cameras // 20)))
        assert f"| {cameras:,} | {made.workers:,}, {made.databases:,}, {made.servers:,} |" in page
    full = sizing.limits(load(cameras=1_000_000))  # cases are full
    assert f"| a worker | {full['cameras_a_worker']} cameras |" in page
    assert f"| a server | {full['people_who_search_a_server']} people" in page
    assert f"| a PostgreSQL | {full['cameras_a_database_by_its_connections']} cameras" in page
    assert f" {full['cameras_a_database_by_its_cores']:,} by its 16 cores |" in page
    told = sizing.answer(load(cameras=200), {"core_hour": 0.04, "terabyte_month": 20})
    assert f" P / 3600) / 0.7 | {told['workers']} |" in page
    assert f"costs {told['money_a_month']:,.0f} a month" in page
