"""The runs page: what trainings left in a folder, and what it makes of damage and of names that lead elsewhere."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import pytest

from skyreid.evaluation.results.result_file import write_result
from skyreid.experiments.run_records import find_run, list_runs, read_curves
from skyreid.service.app import make_app
from tests.evaluation.results.result_examples import example_result

PASSWORD = "a long and quiet river"
SCORES = {"protocol": "ground-to-aerial", "mAP": 0.487, "mINP": 0.4, "cmc": {"1": 0.333, "5": 0.667}, "queries": 39}
RUNS = "/api/runs"


@pytest.fixture
def folder(tmp_path):
    """A run that is finished, one that is at work, one with a damaged file, and what is no run."""
    root = tmp_path / "runs"
    for name in ("g2a/seed-0", "at work", "<b>damaged", "no run"):
        (root / name / "checkpoint").mkdir(parents=True)
        (root / name / "config.json").write_text('{"benchmark": "g2a-vreid", "seed": 7, "data_sha256": "abc"}')
    losses = [{"stage": stage, "step": step, "loss": 9 / step + stage} for stage in (1, 2) for step in range(1, 1001)]
    again = {"stage": 2, "step": 1000, "loss": 5.0}  # of an epoch that was killed and run again
    lines = "".join(json.dumps(one) + "\n" for one in [*losses, again])
    for name in ("g2a/seed-0", "at work", "<b>damaged"):
        (root / name / "log.jsonl").write_text(lines + '{"stage": 2, "st')
    finished = root / "g2a/seed-0"
    (finished / "checkpoint/metrics.json").write_text(json.dumps(SCORES))
    (finished / "checkpoint/provenance.json").write_text('{"commit": "63dcc52dc9cf", "dirty": true}')
    (finished / "checkpoint/config.json").write_text('{"kind": "vsla-clip"}')
    (finished / "evaluation").mkdir()
    write_result(finished / "evaluation/a.json", example_result())
    (finished / "evaluation/b.json").write_text("{")
    (root / "<b>damaged/checkpoint/metrics.json").write_text("{")
    (root / "a link").symlink_to(finished)
    return root


@asynccontextmanager
async def anna(tmp_path, folder):
    """Somebody who is logged in to a server of these runs."""
    (tmp_path / "cases").mkdir()
    app = make_app(tmp_path / "cases", names=(), runs=folder)
    people = app.state.cases.people
    people.add_first(people.setup_token(), "anna", PASSWORD)
    ours = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=ours, base_url="http://here", headers={"origin": "http://here"}) as client:
        token = (await client.get("/api/session")).json()["csrf"]
        assert (await client.get(RUNS)).status_code == 401
        entered = {"json": {"name": "anna", "password": PASSWORD}, "headers": {"x-csrf-token": token}}
        assert (await client.post("/api/login", **entered)).status_code == 200
        yield client
    app.state.cases.close()


def test_runs_are_listed_with_state_scores_and_where_they_come_from(folder):
    damaged, at_work, finished = list_runs(folder)
    assert [one.name for one in (damaged, at_work, finished)] == ["<b>damaged", "at work", "g2a/seed-0"]
    assert (finished.is_finished, at_work.is_finished, damaged.is_finished) == (True, False, False)
    told = finished.benchmark, finished.method, finished.seed, finished.commit, finished.is_dirty
    assert told == ("g2a-vreid", "vsla-clip", 7, "63dcc52dc9cf", True)
    assert damaged.problems and "metrics.json" in damaged.problems[0]
    assert find_run(folder, "../runs/at work") is None and find_run(folder, "a link") is None
    assert [one.name for one in list_runs(folder / "g2a/seed-0")] == ["seed-0"]
    for seed in (10, 9):
        (folder / f"g2a/seed-{seed}").mkdir()
        for file in ("config.json", "log.jsonl"):
            (folder / f"g2a/seed-{seed}" / file).write_bytes((folder / "at work" / file).read_bytes())
    assert [one.name for one in list_runs(folder / "g2a")] == ["seed-0", "seed-9", "seed-10"]


def test_a_loss_is_the_mean_of_parts_and_the_later_line_of_a_step(folder):
    (first, second), problem = read_curves(folder / "g2a/seed-0")
    assert problem == "" and (first.stage, second.stage) == (1, 2) and len(first.losses) == 300
    assert first.losses[0] == pytest.approx(sum(9 / step + 1 for step in range(1, 5)) / 4)
    assert second.losses[-1] == pytest.approx((9 / 998 + 9 / 999 + 2 + 2 + 5) / 3)
    assert second.steps[-1] == 999
    assert read_curves(folder / "no run") == ([], "the run has no log")
    log = folder / "at work/log.jsonl"
    no_steps = [f'{{"loss": 1, "step": {step}}}\n' for step in ("Infinity", "1e400", "1" + 400 * "0")]
    log.write_text("".join(no_steps) + "[" * 100_000 + "\n{")
    assert read_curves(folder / "at work") == ([], "the log holds no loss")
    log.unlink()
    log.mkdir()
    curves, problem = read_curves(folder / "at work")
    assert curves == [] and problem.startswith("the log cannot be read (not a regular file")


def test_pages_show_them_and_open_no_other_folder(tmp_path, folder):
    async def story():
        async with anna(tmp_path, folder) as client:
            page = await client.get("/runs")
            assert page.status_code == 200 and "48.7" in page.text and "63dcc52dc9" in page.text
            assert "&lt;b&gt;damaged" in page.text and "<b>damaged" not in page.text
            assert page.text.count("a file is damaged") == 1
            shown = (await client.get("/runs", params={"run": "g2a/seed-0"})).text
            assert "Loss of stage 2" in shown and "Evaluations" in shown and "b.json" in shown
            told = (await client.get(RUNS, params={"run": "g2a/seed-0"})).json()
            assert told["scores"]["mAP"] == 0.487 and told["results"] and len(told["loss"]) == 2
            assert str(tmp_path) not in shown + page.text + json.dumps(told)
            for name in ("no run", "..", "../runs/at work", str(folder / "at work"), "a link"):
                assert (await client.get(RUNS, params={"run": name})).status_code == 404
            damaged = (await client.get("/runs", params={"run": "<b>damaged"})).text
            assert "metrics.json" in damaged and "Not at its end" in damaged
            (folder / "<b>damaged/checkpoint/metrics.json").write_text('{"mAP": "x", "mINP": 7, "cmc": [0.5]}')
            for of in ({}, {"run": "<b>damaged"}):
                assert (await client.get("/runs", params=of)).status_code == 200

    asyncio.run(story())


def test_a_server_without_a_folder_says_how_to_name_one(tmp_path):
    async def story():
        async with anna(tmp_path, None) as client:
            assert (await client.get(RUNS)).json() == []
            assert "--runs FOLDER" in (await client.get("/runs")).text
            assert (await client.get(RUNS, params={"run": "x"})).status_code == 404

    asyncio.run(story())
