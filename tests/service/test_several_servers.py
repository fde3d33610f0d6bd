"""Two servers of one folder, with people and cases in one PostgreSQL: whatever one knows, the other knows."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from skyreid.cases.case import create_case, open_case
from skyreid.cases.people_database import open_people
from skyreid.cases.work.importing import import_build
from skyreid.errors import CaseError
from tests.cases.builds import drawn, write_build
from tests.cases.conftest import POSTGRES
from tests.service.running import PASSWORD, Running

pytestmark = pytest.mark.skipif(not POSTGRES, reason="SKYREID_TEST_POSTGRES is not set")
BEHIND = ("--database", POSTGRES, "--workers", 0, "--balancer", "127.0.0.1")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair") / "cases"
    with create_case(folder / "square", by="anna", database=POSTGRES) as case:
        write_build(folder.parent / "built", embeddings=drawn())
        import_build(case, folder.parent / "built", by="anna", purpose="a test")
        people = open_people(folder, database=POSTGRES)
        people.add("boss", PASSWORD, by="anna", is_admin=True)
        people.close()
        with ThreadPoolExecutor(2) as threads:
            first, second = threads.map(lambda _: Running(folder, *BEHIND), range(2))
        with first, second:
            yield folder, case, first, second
        for path in folder.glob("*/database.json"):
            with open_case(path.parent) as made:
                made.database.drop()
        open_people(folder).database.drop()


def ids(found):
    return [one["tracklet_id"] for one in found["candidates"]]


def follow(server, browser):
    """The same browser, whom the balancer sends to another server."""
    other = server.client()
    other.cookies.update({cookie.name: cookie.value for cookie in browser.cookies.jar})
    other.headers["x-csrf-token"] = browser.headers["x-csrf-token"]
    return other


def test_who_logged_in_at_one_is_logged_in_at_the_other_until_they_leave_any(pair):
    _, _, first, second = pair
    with closing(first.log_in("boss")) as here, closing(follow(second, here)) as there:
        assert there.get("/api/session").json()["user"] == "boss"
        assert there.post("/api/logout").status_code == 200
        assert here.get("/api/session").json()["user"] is None


def test_a_form_of_one_is_taken_by_the_other(pair):
    _, _, first, second = pair
    with first.client() as here:
        here.headers["x-csrf-token"] = here.get("/api/session").json()["csrf"]
        with closing(follow(second, here)) as there:
            assert there.post("/api/login", json={"name": "boss", "password": PASSWORD}).status_code == 200


def test_what_one_decides_the_other_finds_at_once(pair):
    _, case, first, second = pair
    case_id = case.facts().case_id
    with closing(first.log_in("boss")) as here, closing(follow(second, here)) as there:
        asked = f"/api/c/{case_id}/search?t=1&k=20&refine=false"
        before = ids(there.get(asked).json())
        told = {"first": 1, "second": 4, "decision": "rejected"}
        assert here.post(f"/api/c/{case_id}/decisions", json=told).status_code == 201
        after = ids(there.get(asked).json())
        assert set(before) - set(after) == {"roof-a-0001"}


def test_wrong_passwords_count_at_both_and_for_the_address_that_the_balancer_tells(pair):
    _, _, first, second = pair
    for number in range(6):
        server = (first, second)[number % 2]
        with server.client() as browser:
            browser.headers["x-csrf-token"] = browser.get("/api/session").json()["csrf"]
            browser.headers["x-forwarded-for"] = "6.6.6.6"
            answer = browser.post("/api/login", json={"name": "mallory", "password": "wrong"})
            assert answer.status_code == 409
    with second.client() as browser:
        browser.headers["x-csrf-token"] = browser.get("/api/session").json()["csrf"]
        browser.headers["x-forwarded-for"] = "6.6.6.6"
        assert browser.post("/api/login", json={"name": "boss", "password": PASSWORD}).status_code == 409
    first.log_in("boss").close()  # from elsewhere


def test_a_case_that_one_makes_is_in_the_same_database_and_open_at_the_other(pair):
    folder, _, first, second = pair
    with closing(first.log_in("boss")) as here, closing(follow(second, here)) as there:
        made = here.post("/api/cases", json={"name": "New place", "retention_days": 3})
        assert made.status_code == 201, made.text
        assert (folder / "new-place" / "database.json").exists()
        assert "New place" in [one["name"] for one in there.get("/api/cases").json()]


def test_who_may_make_no_schema_is_told_what_to_grant(tmp_path, pair):
    _, case, _, _ = pair
    with case.database.writing() as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS poor")
        connection.exec_driver_sql("CREATE ROLE poor LOGIN")
    poor = POSTGRES.replace("postgres@", "poor@", 1)
    try:
        with pytest.raises(CaseError, match="GRANT CREATE ON DATABASE"):
            create_case(tmp_path / "poor", by="anna", database=poor)
        assert list(tmp_path.iterdir()) == []
    finally:
        with case.database.writing() as connection:
            connection.exec_driver_sql("DROP ROLE poor")
