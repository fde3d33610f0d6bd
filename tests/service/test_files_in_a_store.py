"""A server of a case whose files lie in an object store: pictures, uploads, and what it says while that is away."""

import os

from skyreid.cases.case import create_case, open_case
from skyreid.cases.work.importing import import_build
from skyreid.cases.work.jobs import read_jobs
from tests.building.films import smooth, write_film
from tests.cases.builds import drawn, write_build
from tests.files.own_object_store import BUCKET, Way, new_place, objects_of, on_store
from tests.service.running import Running


@on_store
def test_pictures_and_uploads_come_from_the_store_and_while_it_is_away_pages_say_so(tmp_path):
    write_build(tmp_path / "built", embeddings=drawn())
    film = write_film(tmp_path / "film.mov", smooth(8)).read_bytes()
    (tmp_path / "cases").mkdir()
    with create_case(tmp_path / "cases" / "square", by="anna", files=new_place()) as case:
        import_build(case, tmp_path / "built", by="anna", purpose="a test")
        api, home = (f"{begin}/c/{case.facts().case_id}" for begin in ("/api", ""))
    with Way() as way, Running(tmp_path / "cases", "--workers", "0") as server:
        boss = server.make_first()
        picture = f"{home}/strips/1.jpg"
        shown = boss.get(picture)
        assert shown.status_code == 200 and shown.content.startswith(b"\xff\xd8")
        sent = boss.post(f"{api}/uploads?name=gate.mov", content=film)
        assert sent.status_code == 201, sent.text
        number = sent.json()["number"]
        assert [one["number"] for one in boss.get(f"{api}/footage").json()["files"]] == [number]
        assert boss.get(f"{api}/footage/{number}").json()["codec"] == "png"
        said = {"number": number, "platform": "ground", "camera": "gate", "purpose": "a test", "model": None}
        made = boss.post(f"{api}/footage", json=said | {"detector": None})
        assert made.status_code == 201 and BUCKET not in made.text, made.text
        assert boss.get(f"{api}/footage").json()["files"] == []
        way.cut()
        for answer in (
            boss.get(picture),
            boss.get(f"{api}/footage"),
            boss.post(f"{api}/uploads?name=roof.mov", content=film),
        ):
            assert answer.status_code == 503 and answer.headers["retry-after"] == "2"
            assert "the object store of this server cannot be reached" in answer.text
            assert BUCKET not in answer.text and os.environ["AWS_SECRET_ACCESS_KEY"] not in answer.text
        refused = boss.post(f"{home}/uploads", data={"csrf": boss.headers["x-csrf-token"]}, files={"file": film})
        assert refused.status_code in (422, 503) and BUCKET not in refused.text and "127.0.0.1:" not in refused.text
        way.mend()
        assert boss.get(picture).content == shown.content
        boss.close()
    with open_case(tmp_path / "cases" / "square") as case:
        (job,) = read_jobs(case)
        assert job.where in [one.url for one in objects_of(case)]
        assert not (case.folder / "footage").exists() and not (case.folder / "crops").exists()
