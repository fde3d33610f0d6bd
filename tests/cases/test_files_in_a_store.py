"""A case whose files lie in an object store: what it does as any other, and what only a store can do to it."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from skyreid.cases import case_files
from skyreid.cases.case import create_case, open_case
from skyreid.cases.case_files import CROPS
from skyreid.cases.exports.exported_build import write_build as export_build
from skyreid.cases.keeping.retention import purge_due, remains, trash_source
from skyreid.cases.schema import CASE
from skyreid.cases.search.searching import CaseSearch
from skyreid.cases.sources import read_sources
from skyreid.cases.tracklets import read_tracklets
from skyreid.cases.verification import verify_case
from skyreid.cases.work.footage import Upload
from skyreid.cases.work.importing import import_build, sweep_crops
from skyreid.cli import main
from skyreid.datasets.data_hash import unchanged_picture
from skyreid.errors import CaseError, MissingFrameError, SkyreidError, StoreAwayError, StoreError
from skyreid.files.object_store import list_objects, read_object, remove_objects, write_object
from skyreid.files.regular_file import bytes_sha256
from skyreid.pages.frame_strip import draw_frame_strip
from skyreid.processes.progress import silent
from tests.cases.builds import write_build
from tests.cases.conftest import on_postgres
from tests.cases.test_crash import place  # noqa: F401 - a fixture
from tests.files.own_object_store import BUCKET, Way, new_place, objects_of, on_store

BY = {"by": "anna", "purpose": "a test"}
LATER = datetime.now(UTC) + timedelta(days=8)


@pytest.fixture
def stored(tmp_path, built):
    with create_case(tmp_path / "case", by="anna", files=new_place()) as case:
        import_build(case, built, **BY)
        yield case


def trees(*folders):
    return [
        {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in folders
    ]


@pytest.mark.parametrize(
    ("case_id", "files", "said"),
    [
        ("../another", "s3://bucket", "32 hexadecimal digits"),
        ("a" * 32, "/somewhere", "s3://BUCKET/PREFIX"),
        ("a" * 32, "s3://bucket/../other", "s3://BUCKET/PREFIX"),
        ("a" * 32, "s3://key:secret@bucket", "s3://BUCKET/PREFIX"),
    ],
)
def test_a_case_of_a_stranger_leads_to_no_place_but_one_for_a_case(copied, case_id, files, said):
    with open_case(copied) as case, case.database.writing() as connection:
        connection.execute(CASE.update().values(case_id=case_id, files=files))
    with pytest.raises(SkyreidError, match=said) as refusal:
        open_case(copied)
    assert "secret" not in str(refusal.value)


def test_a_case_that_names_no_place_keeps_none_of_the_others_from_being_listed(copied, capsys):
    with open_case(copied) as case, case.database.writing() as connection:
        connection.execute(CASE.update().values(files="/somewhere"))
    create_case(copied.with_name("whole"), by="anna").close()
    assert main(["case", "list", str(copied.parent)]) == 4
    told = capsys.readouterr()
    assert "whole" in told.out and f"{copied}: " in told.err and "s3://BUCKET/PREFIX" in told.err


@on_store
class TestInAStore:
    def test_its_crops_lie_there_by_their_hashes_and_none_in_the_folder(self, stored):
        facts = stored.facts()
        frames = [(one.source.crops, frame) for one in read_tracklets(stored) for frame in one.tracklet.frames]
        wanted = {f"{stored.files.root}/{CROPS}/{key}/{f.sha256[:2]}/{f.sha256}.jpg" for key, f in frames}
        assert stored.files.root.endswith(f"/case_{facts.case_id}")
        assert {one.url for one in objects_of(stored)} == wanted == {frame.path for _, frame in frames}
        assert all(bytes_sha256(read_object(f.path, most_bytes=2**20)) == f.sha256 for _, f in frames)
        assert not list(stored.folder.rglob("*.jpg"))

    def test_it_is_searched_shown_and_whole(self, stored):
        found = CaseSearch(stored).search(["gate-a-0001"])
        assert found.candidates and draw_frame_strip(found.candidates[0].seen.tracklet)
        verified = verify_case(stored)
        frames = sum(len(one.tracklet.frames) for one in read_tracklets(stored))
        assert (verified.damage, verified.tracklets, verified.crops) == ((), 6, frames)

    def test_it_is_exported_as_one_in_a_folder_to_the_byte(self, stored, filled, tmp_path):
        with open_case(filled) as case:
            export_build(case, tmp_path / "of_folder", silent)
        export_build(stored, tmp_path / "of_store", silent)
        of_folder, of_store = trees(tmp_path / "of_folder", tmp_path / "of_store")
        assert of_store == of_folder and len(of_folder) > 6

    def test_what_was_changed_or_removed_there_is_named(self, stored):
        first, second = (read_tracklets(stored)[number].tracklet.frames[0] for number in (0, 1))
        write_object(first.path, b"another")
        remove_objects([second.path])
        assert set(verify_case(stored).damage) == {
            f"{first.path}: a crop of gate-a-0001 was changed",
            f"{second.path}: a crop of gate-a-0002 cannot be read: is not in the object store",
        }
        with pytest.raises(MissingFrameError, match=second.path):
            unchanged_picture(second)

    def test_purged_nothing_is_left_there_and_that_is_proved(self, stored):
        for source in read_sources(stored):
            trash_source(stored, source.name, by="anna")
        assert len(purge_due(stored, at=LATER).purged) == 3
        assert [remains(stored, name) for name in ("gate-a", "gate-b", "roof-a")] == [[], [], []]
        assert objects_of(stored) == []

    def test_what_is_left_of_a_purged_source_is_told_and_goes_with_the_next_purge(self, stored):
        (source,) = (one for one in read_sources(stored) if one.name == "gate-a")
        trash_source(stored, "gate-a", by="anna")
        purge_due(stored, at=LATER)
        write_object(f"{stored.files.crops}{source.crops}/ab/x.jpg", b"left")  # as who is killed meanwhile leaves it
        assert remains(stored, "gate-a") == [f"its crops in {stored.files.crops}{source.crops}"]
        purge_due(stored)
        assert remains(stored, "gate-a") == []

    def test_crops_that_nobody_names_are_swept_when_they_are_old(self, stored, monkeypatch):
        write_object(f"{stored.files.crops}{'0' * 32}/ab/x.jpg", b"of somebody at work, or killed")
        assert sweep_crops(stored) == []
        monkeypatch.setattr(case_files, "GIVEN_UP_AFTER", timedelta(hours=-1))
        assert verify_case(stored).mended == (f"{stored.files.crops}{'0' * 32}: no source names it; removed",)
        assert sorted(stored.files.crop_keys()) == sorted(one.crops for one in read_sources(stored))

    def test_who_writes_for_half_a_day_names_nothing_and_leaves_nothing(self, tmp_path, built, monkeypatch):
        monkeypatch.setattr(case_files, "LONGEST_WRITING_S", -1.0)
        with create_case(tmp_path / "case", by="anna", files=new_place()) as case:
            with pytest.raises(CaseError, match="took longer than"):
                import_build(case, built, **BY)
            assert read_sources(case) == [] and objects_of(case) == []

    def test_what_is_refused_leaves_nothing_there(self, stored, tmp_path):
        before = objects_of(stored)
        write_build(tmp_path / "drawn", ["gate-c-0001"], simulated=True, sources=[_source("gate", "c")])
        with pytest.raises(Exception, match="simulated and filmed"):
            import_build(stored, tmp_path / "drawn", **BY)
        assert objects_of(stored) == before

    def test_while_it_is_away_nothing_comes_in_and_afterwards_all_of_it_does(self, tmp_path, built):
        with Way() as way, create_case(tmp_path / "case", by="anna", files=new_place()) as case:
            way.cut()
            with pytest.raises(StoreAwayError):
                import_build(case, built, **BY)
            assert read_sources(case) == []
            way.mend()
            import_build(case, built, **BY)
            assert verify_case(case).damage == ()
            way.cut()
            with pytest.raises(StoreAwayError):
                verify_case(case)

    def test_a_case_is_not_made_where_nothing_can_be_written(self, tmp_path, capsys):
        with pytest.raises(StoreError, match="there is no such bucket"):
            create_case(tmp_path / "case", by="anna", files="s3://skyreid-none/cases")
        assert not (tmp_path / "case").exists()
        assert main(["case", "new", str(tmp_path / "case"), "--files", "s3://skyreid-none"]) == 1
        assert "there is no such bucket" in capsys.readouterr().err
        assert main(["case", "new", str(tmp_path / "case"), "--files", new_place()]) == 0
        with open_case(tmp_path / "case") as case:
            assert case.files.root.startswith(f"{BUCKET}/")

    def test_a_place_of_the_same_name_in_another_store_is_told_from_it(self, stored, built, tmp_path):
        trash_source(stored, "gate-a", by="anna")
        purge_due(stored, at=LATER)
        remove_objects(one.url for one in list_objects(stored.files.root))  # as a store that knows nothing of it
        for ask in (
            lambda: remains(stored, "gate-a"),
            lambda: import_build(stored, built, **BY),
            lambda: Upload(stored, "a.mp4", size=1),
        ):
            with pytest.raises(StoreError, match=r"do not lie here; another store has .*AWS_ENDPOINT_URL_S3"):
                ask()

    @pytest.mark.parametrize("database", [on_postgres])
    def test_another_machine_needs_a_copy_of_one_file_and_no_common_disk(self, tmp_path, built, database):
        with create_case(tmp_path / "one", by="anna", database=database, files=new_place()) as here:
            (tmp_path / "other").mkdir()
            shutil.copy(tmp_path / "one" / "database.json", tmp_path / "other")
            with open_case(tmp_path / "other") as there:
                import_build(there, built, **BY)
                CaseSearch(here).search(["gate-a-0001"])
                CaseSearch(there).search(["gate-a-0001"])
                assert verify_case(here).damage == ()
                trash_source(here, "gate-a", by="anna")
                assert purge_due(there, at=LATER).purged == ("gate-a",)
                assert remains(there, "gate-a") == []
                assert remains(here, "gate-a") != []  # in its own cache of searches
                purge_due(here)
                assert remains(here, "gate-a") == []
            here.database.drop()

    @pytest.mark.parametrize(("kind", "kills"), [("ingest", 2), ("purge", 2)])
    def test_whoever_is_killed_loses_nothing_and_leaves_nothing(self, place, kind, kills):  # noqa: F811
        print(_killed(place, kind, kills, "-"))

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["ingest", "purge"])
    @pytest.mark.parametrize("database", [None, on_postgres])
    def test_whoever_is_killed_fifty_times_loses_nothing_and_leaves_nothing(self, place, kind, database):  # noqa: F811
        print(_killed(place, kind, 50, database or "-"))


def _killed(place, kind, kills, database):  # noqa: F811
    program = [
        sys.executable,
        "-m",
        "tests.cases.killed_case",
        str(place),
        kind,
        str(kills),
        "2",
        database,
        new_place(),
    ]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert f" of {kills} killed at work" in done.stdout and "none lost, none doubled" in done.stdout
    return done.stdout


def _source(camera, film):
    told = {"name": f"{camera}-{film}", "file": f"{film}.mp4", "camera": camera, "platform": "ground"}
    return {**told, "video_sha256": "1"}
