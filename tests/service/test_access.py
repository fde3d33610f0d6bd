"""Who may use which route, generated from the table of routes."""

import pytest
from fastapi import FastAPI

from skyreid.cases.audit import read_audit
from skyreid.cases.deciding.decisions import read_events
from skyreid.cases.people import RIGHTS, Right, Role
from skyreid.cases.people_database import open_people
from skyreid.errors import SettingError
from skyreid.service.access import API, Everyone, GuardedRoute, require_guards
from skyreid.service.app import ROUTES
from skyreid.service.guardrails import LARGEST_BODY
from tests.service.every_page import address

JSON = {"accept": "application/json"}
GUESTS = ("boss", "nobody", *map(str, Role))
OF_CASES = [route for route in ROUTES if isinstance(route[3], Right)]
UNSAFE = [route for route in ROUTES if route[0] != "GET"]


def named(route):
    return f"{route[0]} {route[1]}"


def free():
    return {}


def test_a_route_without_a_rule_ends_the_start():
    with pytest.raises(TypeError):
        GuardedRoute("/free", free, methods=["GET"])
    with pytest.raises((SettingError, TypeError), match="access"):
        GuardedRoute("/free", free, methods=["GET"], access=None)
    with pytest.raises(SettingError, match="a right is one in the case"):
        GuardedRoute("/c/{case_id}/free", free, methods=["GET"], access=Everyone.PUBLIC)
    app = FastAPI(openapi_url=None)
    app.add_api_route("/free", free)
    with pytest.raises(SettingError, match="route /free"):
        require_guards(app.router.routes)


@pytest.mark.parametrize("route", OF_CASES, ids=named)
def test_a_case_shows_itself_to_those_with_the_right_and_to_nobody_else(site, route):
    method, path, _, access = route
    here, there = (address(path, site.ids[name]) for name in ("square", "other"))
    with site.server.client() as stranger:
        assert stranger.request(method, here, headers=JSON).status_code == 401
    for guest in GUESTS:
        rights = frozenset(Right) if guest == "boss" else RIGHTS[Role(guest)] if guest != "nobody" else None
        expected = 404 if rights is None else 403 if access not in rights else None
        answer = site.browsers[guest].request(method, here, headers=JSON)
        # 409, 422: a request that cannot be met, or asks nothing, once it was let in.
        is_in = answer.status_code in (200, 201, 409, 422)
        assert is_in if expected is None else answer.status_code == expected, (guest, answer.status_code)
        if guest != "boss":
            assert site.browsers[guest].request(method, there, headers=JSON).status_code == 404


@pytest.mark.parametrize("route", [one for one in ROUTES if one[3] is Everyone.LOGGED_IN], ids=named)
def test_what_is_for_people_is_for_nobody_who_is_not_logged_in(site, route):
    with site.server.client() as stranger:
        assert stranger.request(route[0], route[1], headers=JSON).status_code == 401
        if route[0] == "GET" and not route[1].startswith(API):
            assert stranger.get(route[1], headers={"accept": "text/html"}).headers["location"] == "/login"


@pytest.mark.parametrize("route", [one for one in ROUTES if one[3] is Everyone.ADMIN], ids=named)
def test_what_is_for_administrators_of_the_server_is_for_nobody_else(site, route):
    method, path = route[:2]
    with site.server.client() as stranger:
        assert stranger.request(method, path, headers=JSON).status_code == 401
    for guest in ("nobody", *map(str, Role)):
        assert site.browsers[guest].request(method, path, headers=JSON).status_code == 403
    assert site.browsers["boss"].request(method, path, headers=JSON).status_code in (200, 422)


@pytest.mark.parametrize("route", UNSAFE, ids=named)
def test_what_changes_something_comes_from_our_own_page_or_changes_nothing(site, square, route):
    method, path = route[:2]
    where = address(path, site.ids["square"])
    own = site.browsers["boss"]
    before = len(read_events(square))
    for changed in (
        {"x-csrf-token": ""},
        {"x-csrf-token": "guessed"},
        {"origin": "http://elsewhere.example"},
        {"origin": "null"},
        {"origin": site.server.url.replace("http:", "https:")},
    ):
        assert own.request(method, where, headers=JSON | changed, json={}).status_code == 403, changed
    bare = own.build_request(method, where, headers=JSON, json={})
    del bare.headers["origin"]
    assert own.send(bare).status_code == 403
    assert len(read_events(square)) == before
    assert own.get("/api/session").json()["user"] == "boss"


def test_every_answer_carries_what_keeps_a_browser_safe(site):
    for path in ("/login", "/health", "/nowhere", f"/c/{site.ids['square']}/films/1.jpg"):
        headers = site.browsers["viewer"].get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_a_foreign_name_and_a_large_body_are_refused_at_the_door(site):
    with site.server.client() as stranger:
        assert stranger.get("/login", headers={"host": "rebound.example"}).status_code == 421
        assert stranger.post("/login", content=b"x" * (LARGEST_BODY + 1)).status_code == 413
        assert stranger.post("/login", content=iter([b"x"])).status_code == 411


def test_what_somebody_was_refused_stands_in_the_log_of_the_server(site):
    site.browsers["viewer"].get(f"/c/{site.ids['square']}/audit", headers=JSON)
    people = open_people(site.folder)
    with people.database.reading() as connection:
        rows = read_audit(connection)
    people.close()
    assert any((row.who, row.action) == ("viewer", "refused") and "audit" in row.subject for row in rows)
