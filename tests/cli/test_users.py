"""`skyreid user …`: people of a server from the command line; a password is never a word of it."""

import io
import json

import pytest

from skyreid.cases.case import create_case
from skyreid.cases.people import Role
from skyreid.cases.people_database import open_people
from skyreid.cli import main

PASSWORD = "a long and quiet river"


@pytest.fixture
def cases(tmp_path):
    create_case(tmp_path / "square", by="anna", name="The square").close()
    return tmp_path


@pytest.fixture
def say(monkeypatch):
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_somebody_is_let_in_given_a_role_and_kept_out(cases, say, capsys):
    say(f"{PASSWORD}\n")
    assert main(["user", "add", str(cases), "anna", "--by", "keeper"]) == 0
    for case in ("square", "The square"):
        assert main(["user", "role", str(cases), "anna", case, "examiner"]) == 0
    assert main(["user", "role", str(cases), "anna", "triangle", "examiner"]) == 1
    assert "its cases: The square" in capsys.readouterr().err
    say("another calm and wide lake\n")
    assert main(["user", "password", str(cases), "anna"]) == 0
    people = open_people(cases)
    people.log_in("anna", "another calm and wide lake", address="::1")
    capsys.readouterr()
    assert main(["user", "list", str(cases), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told == {"user": "anna", "is_admin": False, "is_disabled": False, "roles": {"The square": Role.EXAMINER}}
    assert main(["user", "sessions", str(cases), "--end", "anna", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    say(f"{PASSWORD}\n")
    main(["user", "add", str(cases), "boss", "--admin"])
    for options, is_disabled in (([], True), (["--end"], False)):
        assert main(["user", "disable", str(cases), "anna", *options]) == 0
        assert [user.is_disabled for user in people.users() if user.name == "anna"] == [is_disabled]
    people.close()


def test_a_password_that_is_none_and_a_folder_that_is_none_are_refused(cases, say, capsys):
    say("")
    assert main(["user", "add", str(cases), "anna"]) == 1
    assert "at least 12 characters" in capsys.readouterr().err
    assert main(["user", "list", str(cases / "nowhere")]) == 1
    assert not (cases / "nowhere").exists()


def test_the_name_is_looked_at_before_a_password_is_asked_for(cases, say, capsys, monkeypatch):
    say(f"{PASSWORD}\n")
    main(["user", "add", str(cases), "anna"])
    monkeypatch.setattr("sys.stdin", None)  # whoever reads it fails otherwise
    capsys.readouterr()
    assert main(["user", "add", str(cases), "anna"]) == 1
    assert main(["user", "password", str(cases), "bert"]) == 1
    said = capsys.readouterr().err
    assert "there is a user 'anna' already" in said and "there is no user 'bert'" in said
