"""People of a server, by page and by program: added, given roles, logged out, disabled; and one's own password."""

import json
from contextlib import ExitStack, closing

import pytest

from skyreid.cases.audit import read_audit
from tests.service.running import PASSWORD

JSON = {"accept": "application/json"}
NEXT = "another calm and wide lake"


@pytest.fixture
def log_in(site):
    """A browser in which somebody is logged in; it is closed at the end."""
    with ExitStack() as opened:
        yield lambda *who: opened.enter_context(closing(site.server.log_in(*who)))


def test_an_administrator_lets_somebody_in_and_out_by_program(site, square, log_in):
    boss, name = site.browsers["boss"], "carl <b>"
    assert boss.post("/api/admin/users", json={"name": name, "password": "short"}).status_code == 422
    assert boss.post("/api/admin/users", json={"name": name, "password": PASSWORD}).status_code == 201
    carl = log_in(name)
    assert carl.get("/api/cases").json() == []
    role = {"name": name, "case": site.ids["square"], "role": "viewer"}
    assert boss.post("/api/admin/roles", json=role).status_code == 200
    assert [one["role"] for one in carl.get("/api/cases").json()] == ["viewer"]
    with square.database.reading() as connection:
        last = read_audit(connection)[-1]
    assert (last.who, last.action, last.subject, last.details["role"]) == ("boss", "role", name, "viewer")
    assert boss.post("/api/admin/roles", json=role | {"case": "0" * 32}).status_code == 422
    page = boss.get("/admin").text
    assert "carl &lt;b&gt;" in page and name not in page and "viewer" in page
    told = next(one for one in boss.get("/api/admin/users").json() if one["name"] == name)
    assert len(told["sessions"]) == 1 and "password" not in json.dumps(told)
    assert boss.post("/api/admin/sessions", json={"name": name}).status_code == 200
    assert carl.get("/api/cases", headers=JSON).status_code == 401
    assert boss.post("/api/admin/disable", json={"name": name, "is_disabled": True}).status_code == 200
    with site.server.client() as late:
        late.headers["x-csrf-token"] = late.get("/api/session").json()["csrf"]
        assert late.post("/api/login", json={"name": name, "password": PASSWORD}).status_code == 409
    refused = boss.post("/api/admin/disable", json={"name": "boss", "is_disabled": True})
    assert refused.status_code == 422 and "last administrator" in refused.json()["error"]
    rows = boss.get("/api/admin/log").json()
    assert rows["damage"] == [] and {"role", "user disabled", "sessions ended"} <= {
        row["action"] for row in rows["rows"]
    }
    assert "Every row follows" in boss.get("/admin/log").text


def test_forms_do_the_same_without_a_script(site, log_in):
    boss, csrf = site.browsers["boss"], site.browsers["boss"].headers["x-csrf-token"]
    with site.server.client() as browser:
        browser.cookies = boss.cookies
        added = browser.post("/admin/users", data={"csrf": csrf, "name": "dora", "password": PASSWORD})
        again = browser.post("/admin/users", data={"csrf": csrf, "name": "dora", "password": PASSWORD})
        assert added.status_code == 303 and again.status_code == 422 and "There is a user" in again.text
        for path, form in (
            ("/admin/roles", {"name": "dora", "case": site.ids["other"], "role": "auditor"}),
            ("/admin/password", {"name": "dora", "password": NEXT}),
            ("/admin/disable", {"name": "dora", "is_disabled": "true"}),
            ("/admin/disable", {"name": "dora"}),
            ("/admin/sessions", {"name": "dora"}),
        ):
            assert browser.post(path, data={"csrf": csrf, **form}).headers["location"] == "/admin", path
    dora = log_in("dora", NEXT)
    assert [one["role"] for one in dora.get("/api/cases").json()] == ["auditor"]
    csrf = dora.headers["x-csrf-token"]
    with site.server.client() as browser:
        browser.cookies = dora.cookies
        form = {"csrf": csrf, "old": NEXT, "password": PASSWORD, "again": PASSWORD}
        assert "differ" in browser.post("/account", data=form | {"again": NEXT}).text
        assert browser.post("/account", data=form | {"old": PASSWORD}).status_code == 422
        changed = browser.post("/account", data=form)
        assert changed.headers["location"] == "/" and "skyreid_session=" in changed.headers["set-cookie"]
    assert dora.get("/api/cases", headers=JSON).status_code == 401


def test_the_disk_and_the_models_are_shown_to_whoever_keeps_the_machine(site):
    told = site.browsers["boss"].get("/api/admin/server").json()
    assert told["free_bytes"] > 0 and {one["models"][0]["vectors"] for one in told["cases"]} == {6}
    page = site.browsers["boss"].get("/admin/server").text
    assert "m" * 16 in page and str(site.folder) not in page
    with site.server.client() as anybody:
        assert anybody.get("/health").json() == {"status": "ok"}
