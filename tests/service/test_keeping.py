"""Cases are made, and what is in them goes, by hand or by its time: from the pages, and by the server itself."""

import time
from types import SimpleNamespace

import pytest

from skyreid.cases.case import create_case, open_case
from skyreid.cases.keeping.retention import remains
from skyreid.cases.schema import SOURCES
from skyreid.cases.sources import read_sources
from skyreid.cases.tracklets import read_tracklets
from skyreid.cases.work.importing import import_build
from tests.building.films import smooth, write_film
from tests.cases.builds import drawn, write_build
from tests.service.running import Running

PAST = "2020-01-01T00:00:00+00:00"


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A server without workers over a case with three sources, the authorisation of one of which has ended."""
    root = tmp_path_factory.mktemp("kept")
    (root / "cases").mkdir()
    write_build(root / "built", embeddings=drawn())
    with create_case(root / "cases" / "square", by="anna") as case:
        import_build(case, root / "built", by="anna", purpose="a test")
        with case.database.writing() as connection:
            of_it = SOURCES.update().where(SOURCES.c.name == "gate-b")
            connection.execute(of_it.values(authorisation="order 12/26", authorised_until=PAST))
        case_id = case.facts().case_id
    with Running(root / "cases", "--workers", "0") as server, open_case(root / "cases" / "square") as case:
        begun = time.monotonic()
        boss = server.make_first()
        yield SimpleNamespace(
            root=root, boss=boss, case=case, home=f"/c/{case_id}", api=f"/api/c/{case_id}", begun=begun, server=server
        )
        boss.close()


def change(kept, name, action, **more):
    number = next(one.number for one in read_sources(kept.case, with_trash=True) if one.name == name)
    return kept.boss.post(f"{kept.api}/sources/{number}", json={"action": action, **more})


def test_what_is_allowed_no_longer_is_seen_by_nobody_and_the_server_purges_it(kept):
    number = 3  # gate-b-0001, by the order of the build
    assert kept.boss.get(f"{kept.home}/films/1.jpg").status_code == 200
    assert kept.boss.get(f"{kept.home}/films/{number}.jpg").status_code == 404
    assert kept.boss.get(f"{kept.home}/search?t={number}").status_code == 404
    assert kept.boss.get(f"{kept.api}/tracklets").json()["total"] == 5
    while any(one.name == "gate-b" for one in read_sources(kept.case, with_trash=True)):
        assert time.monotonic() < kept.begun + 60, "nobody purged it"
        time.sleep(0.2)
    assert remains(kept.case, "gate-b") == []


def test_a_source_is_trashed_restored_and_purged_once_its_name_is_typed(kept):
    film = write_film(kept.root / "film.mov", smooth(8)).read_bytes()
    number = kept.boss.post(f"{kept.api}/uploads?name=film.mov", content=film).json()["number"]
    said = {"number": number, "platform": "ground", "camera": "gate", "purpose": "a test"}
    assert kept.boss.post(f"{kept.api}/footage", json=said).status_code == 201
    (upload,) = (kept.case.folder / "footage").glob("*/film.mov")
    with kept.case.database.writing() as connection:  # as if it were what the source was made of
        connection.execute(SOURCES.update().where(SOURCES.c.name == "roof-a").values(path=str(upload)))
        connection.exec_driver_sql("DELETE FROM jobs")
    assert change(kept, "roof-a", "purge", typed_name="roof-a").status_code == 422  # not in the trash
    assert change(kept, "roof-a", "trash").status_code == 200
    assert "✕ in the trash" in kept.boss.get(f"{kept.home}/retention").text
    assert len(read_tracklets(kept.case)) == 2
    assert change(kept, "roof-a", "restore").status_code == 200
    assert len(read_tracklets(kept.case)) == 5
    held = kept.boss.post(f"{kept.api}/hold", json={"reason": "court order"})
    assert held.json()["legal_hold"] == "court order"
    assert change(kept, "roof-a", "trash").status_code == 409
    csrf = {"csrf": kept.boss.headers["x-csrf-token"]}
    assert kept.boss.post(f"{kept.home}/hold", data=csrf | {"end": "true"}).status_code == 303
    assert change(kept, "roof-a", "trash").status_code == 200
    wrong = change(kept, "roof-a", "purge", typed_name="roof")
    assert wrong.status_code == 409 and "type the name of the source" in wrong.json()["error"]
    assert upload.exists()
    assert change(kept, "roof-a", "purge", typed_name="roof-a").status_code == 200
    assert remains(kept.case, "roof-a") == [] and not upload.exists()


def test_days_and_authorisations_are_set_and_logged(kept):
    assert kept.boss.post(f"{kept.api}/retention", json={"days": 0}).status_code == 422
    assert kept.boss.post(f"{kept.api}/retention", json={"days": 12}).json()["days"] == 12
    late = change(kept, "gate-a", "authorise", authorisation="order 1/26", until="2020-01-01")
    assert late.status_code == 409 and "may not be looked at" in late.json()["error"]
    told = change(kept, "gate-a", "authorise", authorisation="order 1/26", until="2099-12-31").json()["sources"][0]
    assert (told["authorisation"], told["authorised_until"]) == ("order 1/26", "2100-01-01T00:00:00+00:00")
    assert (
        change(kept, "gate-a", "keep", until="2099-05-04").json()["sources"][0]["retain_until"].startswith("2099-05-05")
    )
    acts = [row["action"] for row in kept.boss.get(f"{kept.api}/audit").json()["rows"]]
    assert {"case retention", "source authorisation", "source retention", "source purged", "hold"} <= set(acts)


def test_an_administrator_makes_a_case_whose_folder_has_a_plain_name(kept):
    for name, folder in (("../Square, 4 May", "square-4-may"), ("../square 4 MAY", "square-4-may-2")):
        made = kept.boss.post("/api/cases", json={"name": name, "retention_days": 3})
        assert made.status_code == 201 and made.json()["name"] == name
        assert (kept.root / "cases" / folder / "case.sqlite").is_file()
    csrf = {"csrf": kept.boss.headers["x-csrf-token"]}
    made = kept.boss.post("/new-case", data=csrf | {"name": "площадь", "days": "30"})
    assert made.status_code == 303 and kept.boss.get(made.headers["location"]).status_code == 200
    assert kept.boss.post("/new-case", data=csrf | {"name": "\u202e", "days": "30"}).status_code == 422
    assert "New case" in kept.boss.get("/").text
