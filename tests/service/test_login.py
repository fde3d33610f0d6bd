"""First run, logging in and out, and tries that are counted over a restart."""

import time

from skyreid.cases.people_database import open_people
from skyreid.errors import RefusedError
from tests.service.running import PASSWORD, Running


def test_the_first_administrator_is_made_once_by_the_token_of_the_console(site):
    assert site.first_run == [409, 201, 409]
    with site.server.client() as stranger:
        assert stranger.get("/first-run").headers["location"] == "/login"


def test_a_session_is_a_cookie_that_no_script_reads_and_ends_when_somebody_logs_out(site):
    with site.server.client() as browser:
        page = browser.get("/login")
        csrf = page.text.split('name="csrf" value="')[1].split('"')[0]
        form = {"csrf": csrf, "name": "viewer", "password": PASSWORD}
        assert browser.post("/login", data=form | {"password": "wrong"}).status_code == 403
        answer = browser.post("/login", data=form)
        cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith("skyreid_session"))
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert "HttpOnly" in cookie and "SameSite=lax" in cookie
        held = dict(browser.cookies)
        csrf = browser.get("/api/session").json()["csrf"]
        assert browser.post("/logout", data={"csrf": csrf}).headers["location"] == "/login"
        assert "skyreid_session" not in browser.cookies
        browser.cookies.update(held)
        assert browser.get("/").status_code == 401


def test_wrong_passwords_are_counted_over_a_restart(tmp_path):
    tries, longest_s = 15, 1_000.0
    now = time.time() - tries * longest_s
    people = open_people(tmp_path, clock=lambda: now)
    people.add("anna", PASSWORD, by="test")
    for _ in range(tries):
        now += longest_s  # each waits until it is let in to be refused
        try:
            people.log_in("anna", "wrong", address="127.0.0.1")
        except RefusedError:
            continue
        raise AssertionError("a wrong password was taken")
    people.close()
    with Running(tmp_path) as server, server.client() as browser:
        browser.headers["x-csrf-token"] = browser.get("/api/session").json()["csrf"]
        answer = browser.post("/api/login", json={"name": "anna", "password": PASSWORD})
        assert answer.status_code == 409 and "too many tries" in answer.json()["error"]
