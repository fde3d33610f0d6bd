"""One server for all tests of this folder: two cases, people of every role in the first of them."""

from types import SimpleNamespace

import pytest

from skyreid.cases.case import create_case, open_case
from skyreid.cases.people import Role
from skyreid.cases.people_database import open_people
from skyreid.cases.work.importing import import_build
from tests.cases.builds import drawn, write_build
from tests.service.running import PASSWORD, Running

HOSTILE = "<img src=x onerror=pwn()>"
"""A name that would run, were it not escaped."""
CANARY = "nobody may read this through the server"


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The server, its cases by name, and a browser for everybody; nobody changes who may do what."""
    root = tmp_path_factory.mktemp("site")
    folder = root / "cases"
    folder.mkdir()
    (folder / "canary.txt").write_text(CANARY)
    write_build(root / "built", embeddings=drawn())
    ids = {}
    for name, called in (("square", f"Square {HOSTILE}"), ("other", "Other")):
        with create_case(folder / name, by="anna", name=called) as case:
            import_build(case, root / "built", by="anna", purpose=f"a test {HOSTILE}")
            ids[name] = case.facts().case_id
    with Running(folder) as server:
        token = server.read_token()
        with server.client() as first:
            first.headers["x-csrf-token"] = first.get("/api/session").json()["csrf"]
            boss = {"token": token, "name": "boss", "password": PASSWORD}
            refused = first.post("/api/first-run", json=boss | {"token": "guessed"})
            made = first.post("/api/first-run", json=boss)
            again = first.post("/api/first-run", json=boss | {"name": "second"})
        people = open_people(folder)
        for role in Role:
            people.add(role.value, PASSWORD, by="boss")
            people.set_role(role.value, ids["square"], role, by="boss")
        people.add("nobody", PASSWORD, by="boss")
        people.close()
        browsers = {name: server.log_in(name) for name in ("boss", "nobody", *map(str, Role))}
        yield SimpleNamespace(
            server=server,
            folder=folder,
            ids=ids,
            browsers=browsers,
            first_run=[answer.status_code for answer in (refused, made, again)],
        )
        for browser in browsers.values():
            browser.close()


@pytest.fixture
def square(site):
    """The case in which everybody has a role, opened beside the server."""
    with open_case(site.folder / "square") as case:
        yield case
