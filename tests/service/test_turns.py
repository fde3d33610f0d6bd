"""Too many at once: who waits, who is told to come again, and that nobody keeps the others out."""

import asyncio

import httpx
import pytest
from fastapi import HTTPException

from skyreid.service.app import make_app
from skyreid.service.turns import Turns

PASSWORD = "a long and quiet river"


async def hold(turns, user, until):
    async with turns.turn(user):
        await until.wait()


async def refused(turns, user):
    with pytest.raises(HTTPException) as told:
        async with turns.turn(user):
            pass
    return told.value.status_code, told.value.headers


def test_who_would_wait_too_long_or_stands_there_too_often_is_told_to_come_again():
    async def story():
        turns, done = Turns(at_once=1, most_waiting=1, most_of_one=2, patience_s=0.05), asyncio.Event()
        at_work = asyncio.create_task(hold(turns, "anna", done))
        await asyncio.sleep(0)
        assert await refused(turns, "bert") == (503, {"Retry-After": "3"})  # after a while
        waiting = asyncio.create_task(hold(turns, "anna", done))
        await asyncio.sleep(0)
        assert (await refused(turns, "anna"))[0] == 503  # is there twice
        assert (await refused(turns, "bert"))[0] == 503  # the line is full
        done.set()
        await asyncio.gather(at_work, waiting)
        with pytest.raises(ValueError, match="of ours"):
            async with turns.turn("anna"):
                raise ValueError("of ours")
        async with turns.turn("anna"):  # whatever went wrong, the place is free again
            pass

    asyncio.run(story())


def test_a_busy_server_says_so_at_once_and_its_health_all_the_same(tmp_path):
    app = make_app(tmp_path, names=())
    people = app.state.cases.people
    people.add_first(people.setup_token(), "anna", PASSWORD)

    async def story():
        ours = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=ours, base_url="http://here", headers={"origin": "http://here"}) as anna:
            token = (await anna.get("/api/session")).json()["csrf"]
            entered = {"json": {"name": "anna", "password": PASSWORD}, "headers": {"x-csrf-token": token}}
            assert (await anna.post("/api/login", **entered)).status_code == 200
            assert (await anna.get("/api/cases")).status_code == 200
            app.state.turns, done = Turns(at_once=1, patience_s=0.05), asyncio.Event()
            at_work = asyncio.create_task(hold(app.state.turns, "bert", done))
            await asyncio.sleep(0)
            told, page = await anna.get("/api/cases"), await anna.get("/", headers={"accept": "text/html"})
            for answer in (told, page):
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
            assert "try again in a moment" in told.json()["error"] and "try again in a moment" in page.text
            assert (await anna.get("/health")).status_code == 200
            done.set()
            await at_work
            assert (await anna.get("/api/cases")).status_code == 200

    asyncio.run(story())
    app.state.cases.close()
