"""The cases of a server, and what it says of where they lie: nothing."""

import shutil

import pytest

from skyreid.cases.case import DATABASE_FILE, create_case
from skyreid.cases.people_database import PEOPLE_FILE
from skyreid.errors import CaseError, StoreError
from skyreid.service.open_cases import OpenCases
from tests.files.own_object_store import new_place, on_store


def test_a_case_that_was_put_in_the_place_of_another_is_the_one_that_is_served(tmp_path):
    create_case(tmp_path / "a", by="anna").close()
    cases = OpenCases(tmp_path)
    try:
        (before,) = cases.all()
        assert cases.all() == [before]
        shutil.rmtree(tmp_path / "a")
        with create_case(tmp_path / "a", by="anna") as other:
            case_id = other.facts().case_id
        (after,) = cases.all()
        assert (after.case_id, after.facts().case_id) == (case_id, case_id) != (before.case_id, before.case_id)
        assert cases.find(before.case_id) is None
    finally:
        cases.close()


def test_a_case_that_cannot_be_opened_keeps_none_of_the_others_from_being_served(tmp_path, caplog):
    for name in ("a", "b"):
        create_case(tmp_path / name, by="anna").close()
    cases = OpenCases(tmp_path)
    try:
        (tmp_path / "b" / DATABASE_FILE).write_bytes(b"not a database, and long enough to be read as one" * 99)
        assert [one.case.folder.name for one in cases.all()] == ["a"]
        assert [one.case.folder.name for one in cases.all()] == ["a"]
        (said,) = caplog.messages
        assert str(tmp_path / "b") in said and "not served until" in said
        with pytest.raises(CaseError, match="b"):
            cases.all(strict=True)
        shutil.rmtree(tmp_path / "b")
        create_case(tmp_path / "b", by="anna").close()
        assert [one.case.folder.name for one in cases.all(strict=True)] == ["a", "b"]
    finally:
        cases.close()


@pytest.mark.parametrize("place", [".", "a"], ids=["a folder of cases", "a case"])
def test_words_for_a_browser_do_not_say_where_things_lie(tmp_path, monkeypatch, place):
    for name in ("a", "ab"):
        create_case(tmp_path / name, by="anna").close()
    monkeypatch.chdir(tmp_path)
    cases = OpenCases((tmp_path / place).relative_to(tmp_path))
    try:
        (first, *others) = [one.case.folder for one in cases.all()]
        said = {
            f"{first}: has no tracklet 'a.b'": "has no tracklet 'a.b'",
            f"{first / 'crops'}: cannot be read": "the case/crops: cannot be read",
            **{f"{other / 'crops'}: cannot be read": "the case/crops: cannot be read" for other in others},
        }
        for words, expected in said.items():
            assert cases.without_paths(words) == expected
        assert str(tmp_path) not in cases.without_paths(f"{cases.folder / PEOPLE_FILE}: somebody else has written")
    finally:
        cases.close()


def test_a_server_does_not_begin_with_a_place_in_a_store_that_is_none(tmp_path):
    with pytest.raises(StoreError, match="s3://BUCKET/PREFIX"):
        OpenCases(tmp_path, files="https://store.example/bucket")


@on_store
def test_a_case_that_is_made_on_a_page_has_its_files_where_the_server_was_told(tmp_path):
    place = new_place()
    cases = OpenCases(tmp_path, files=place)
    try:
        made = cases.create("Square", by="anna", retention_days=30)
        assert made.case.files.root == f"{place}/case_{made.case_id}"
        assert cases.without_paths(f"{made.case.files.root}/crops/a: was changed") == "the case/crops/a: was changed"
        assert cases.without_paths("s3://b1c at store.example: is away") == "the object store: is away"
    finally:
        cases.close()
