"""A session that has ended opens no route, whatever ended it, and a role that was taken away opens no case."""

import hashlib
import time

import pytest

from skyreid.cases.people import IDLE_S, LONGEST_S, RIGHTS, Right, Role
from skyreid.cases.people_database import open_people
from skyreid.cases.schema import SESSIONS
from skyreid.service.access import CSRF_HEADER, SESSION_COOKIE, Everyone
from skyreid.service.app import ROUTES
from tests.service.every_page import address
from tests.service.running import PASSWORD

JSON = {"accept": "application/json"}
GUARDED = [route[:2] for route in ROUTES if route[3] is not Everyone.PUBLIC]
OF_CASES = [route for route in ROUTES if isinstance(route[3], Right)]
ENDS = {
    "logged out": lambda people, token: people.log_out(token),
    "ended by an administrator": lambda people, token: people.end_sessions("leaver", by="boss"),
    "password changed": lambda people, token: people.set_password("leaver", PASSWORD, by="boss"),
    "let in no more": lambda people, token: people.disable("leaver", by="boss"),
}
LATE = {"idle": {"begun": IDLE_S + 1, "used": IDLE_S + 1}, "too long": {"begun": LONGEST_S + 1, "used": 1}}
"""Seconds ago."""


@pytest.fixture(scope="module")
def people(site):
    opened = open_people(site.folder)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def guest(site, people):
    """Gives a browser of somebody who may go, and their session; nobody of the site is one of them."""
    people.add("leaver", PASSWORD, by="boss", is_admin=True)
    people.add("walker", PASSWORD, by="boss")

    def let_in(name):
        people.enable(name, by="boss")
        made = people.log_in(name, PASSWORD, address="127.0.0.1")
        browser = site.server.client()
        browser.headers.update({CSRF_HEADER: made.csrf, **JSON})
        browser.cookies.set(SESSION_COOKIE, made.token)
        assert browser.get("/api/session").json()["user"] == name
        return browser, made

    yield let_in
    for name in ("leaver", "walker"):
        people.disable(name, by="boss")


def refused_everywhere(site, browser, before=lambda: None):
    for method, path in GUARDED:
        before()
        answer = browser.request(method, address(path, site.ids["square"]))
        assert answer.status_code == 401, (method, path, answer.status_code)


@pytest.mark.parametrize("end", ENDS)
def test_a_session_that_was_ended_opens_no_route(site, people, guest, end):
    browser, made = guest("leaver")
    assert browser.get(f"/api/c/{site.ids['square']}/audit").status_code == 200  # an administrator, everywhere
    ENDS[end](people, made.token)
    refused_everywhere(site, browser)
    people.enable("leaver", by="boss")
    assert browser.get("/api/session").json()["user"] is None  # who is let in again logs in again
    page = browser.get(f"/c/{site.ids['square']}/tracklets", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/login")
    browser.close()


@pytest.mark.parametrize("late", LATE)
def test_a_session_that_is_over_opens_no_route_and_is_gone(site, people, guest, late):
    browser, made = guest("leaver")
    row = {"token_sha256": hashlib.sha256(made.token.encode()).hexdigest(), "user": "leaver", "csrf": made.csrf}
    people.log_out(made.token)

    def begin_again():
        """Fails where the last request left the session behind."""
        times = {name: time.time() - seconds for name, seconds in LATE[late].items()}
        with people.database.writing() as connection:
            connection.execute(SESSIONS.insert().values(**row, **times))

    refused_everywhere(site, browser, begin_again)
    browser.close()


def test_a_role_that_was_taken_away_opens_no_case_to_a_session_that_goes_on(site, people, guest):
    browser, _ = guest("walker")
    for role in (Role.ADMIN, Role.VIEWER, None):
        people.set_role("walker", site.ids["square"], role, by="boss")
        for method, path, _, right in OF_CASES:
            if role is Role.ADMIN and method != "GET":
                continue  # what an administrator may change is changed in test_access
            status = browser.request(method, address(path, site.ids["square"])).status_code
            if role is None or right not in RIGHTS[role]:
                assert status == (404 if role is None else 403), (role, method, path, status)
            else:
                assert status in (200, 201, 409, 422), (role, method, path, status)
    assert browser.get("/api/cases").json() == []
    browser.close()
