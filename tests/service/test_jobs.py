"""Work on footage beside a server: seen as it goes on, stopped and taken up again, and done by whoever is left."""

import os
import signal
import time
from types import SimpleNamespace

import pytest

from skyreid.cases.case import create_case, open_case
from skyreid.cases.schema import JOBS
from skyreid.cases.tracklets import read_tracklets
from skyreid.cases.verification import verify_case
from skyreid.cases.work.jobs import add_job
from tests.building.motion.scenes import scene, walk
from tests.building.source_pairs import write_source
from tests.service.browsing import chromium, own_context
from tests.service.running import Running

WAIT_S = 90


def add(folder, case, name, frames=16):
    write_source(folder, name, people=(4, 9), frames=frames)
    text = f"{name}.mov,platform=ground,camera={name},annotations={name}.txt,identities=shared"
    return add_job(case, text, folder=folder, by="boss", purpose="a test").number


def until(ask):
    """Wait for something to become true."""
    end = time.monotonic() + WAIT_S
    while not (found := ask()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A server with one worker and without room problems, its case, and a browser of its administrator."""
    root = tmp_path_factory.mktemp("jobs")
    (root / "cases").mkdir()
    with create_case(root / "cases" / "square", by="anna") as case:
        case_id = case.facts().case_id
    with Running(root / "cases") as server:
        boss = server.make_first()
        with open_case(root / "cases" / "square") as case:
            yield SimpleNamespace(
                root=root, server=server, boss=boss, case=case, page=f"/c/{case_id}/jobs", api=f"/api/c/{case_id}/jobs"
            )
        boss.close()


def job(running, number):
    return next(one for one in running.boss.get(running.api).json()["jobs"] if one["number"] == number)


def test_a_video_is_worked_on_beside_the_server_though_another_one_fails(running):
    (running.root / "noise.mov").write_bytes(b"no film")
    bad = add_job(
        running.case, "noise.mov,platform=ground,camera=n", folder=running.root, by="boss", purpose="t"
    ).number
    good = add(running.root, running.case, "gate")
    until(lambda: job(running, good)["state"] == "done")
    failed = job(running, bad)
    assert failed["state"] == "failed" and failed["reason"].startswith("noise.mov: is not a video")
    assert failed["changes"] == ["retry"]
    page = running.boss.get(running.page).text
    assert "noise.mov: is not a video" in page and str(running.root) not in page
    assert 'data-busy="no"' in page
    assert len(read_tracklets(running.case)) == 2


def test_a_worker_that_is_killed_is_replaced_and_the_job_is_done_once(running):
    number = add(running.root, running.case, "long", frames=500)

    def worker():
        with running.case.database.reading() as connection:
            row = connection.execute(JOBS.select().where(JOBS.c.number == number)).one()
        return row.worker if row.state == "running" else None

    os.kill(int(until(worker).partition(":")[2]), signal.SIGKILL)
    until(lambda: job(running, number)["state"] == "done")
    assert job(running, number)["attempt"] == 2
    assert len(read_tracklets(running.case)) == 4
    assert verify_case(running.case, rebuild=False).damage == ()


def test_jobs_are_paused_resumed_cancelled_and_retried_from_the_page(running):
    number = add(running.root, running.case, "door", frames=500)
    until(lambda: job(running, number)["state"] == "running")
    form = {"csrf": running.boss.headers["x-csrf-token"]}
    for change, state in (("pause", "paused"), ("resume", None), ("cancel", "cancelled")):
        answer = running.boss.post(f"{running.page}/{number}", data=form | {"change": change})
        assert answer.status_code == 303, answer.text
        assert job(running, number)["state"] == state or state is None
    assert running.boss.post(f"{running.api}/{number}", json={"priority": 7}).json()["jobs"]
    assert job(running, number)["priority"] == 7
    refused = running.boss.post(f"{running.api}/{number}", json={"change": "pause"})
    assert refused.status_code == 422 and "is cancelled; only what is queued or running" in refused.json()["error"]
    assert str(running.root) not in refused.text
    assert "1 of " not in running.boss.get(running.page.replace("jobs", "tracklets")).text


@pytest.mark.slow
def test_footage_is_added_in_a_browser_and_its_page_shows_by_itself_that_it_is_done(running):
    film, _ = scene(running.root, 75, {1: (walk(-210, 9), 10)})
    (running.root / "noise.mp4").write_bytes(b"no film")
    with chromium() as browser:
        page = own_context(browser, running.server, running.boss).new_page()
        page.set_default_timeout(1000 * WAIT_S)
        complaints = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(running.server.url + running.page.replace("jobs", "footage"))
        page.set_input_files("[name=file]", [str(film), str(running.root / "noise.mp4")])
        page.click("text=Upload")
        page.wait_for_selector("text=noise.mp4: is not a video")
        page.click("text=Describe what was uploaded")
        assert "h264" in page.inner_text("fieldset")
        page.select_option("[name=platform]", "ground")
        page.fill("[name=start]", "2026-05-04T09:00:00")
        page.fill("[name=purpose]", "a test")
        page.click("button.main")
        page.wait_for_selector(".job .chip")
        page.wait_for_selector(".job:has-text('scene.mp4') .chip.done")  # nobody loads the page again
        page.click(".job:has-text('scene.mp4') >> text=Browse")
        page.wait_for_selector(".card")
        assert complaints == []


def test_the_server_ends_in_order_and_the_job_at_work_goes_on_with_the_next_one(tmp_path):
    (tmp_path / "cases").mkdir()
    with create_case(tmp_path / "cases" / "square", by="anna") as case, Running(tmp_path / "cases") as server:
        number = add(tmp_path, case, "long", frames=800)
        boss, api = server.make_first(), f"/api/c/{case.facts().case_id}/jobs"
        until(lambda: boss.get(api).json()["jobs"][0]["state"] == "running")
        shown = boss.get(api.replace("/api", "").replace("jobs", "tracklets")).text
        assert "Nothing to search yet: 1 of 1 source is still being processed" in shown
        assert server.end() == 0
        with case.database.reading() as connection:
            row = connection.execute(JOBS.select().where(JOBS.c.number == number)).one()
        assert (row.state, row.accidents) == ("queued", 0)
        boss.close()
