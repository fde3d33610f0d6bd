import json
import subprocess
import sys
from pathlib import Path

import pytest

from skyreid.cli import main
from tests.cases.builds import drawn, write_build

GATE, ROOF = "gate-a-0001", "roof-a-0001"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    write_build(folder / "built", embeddings=drawn())
    assert main(["case", "new", str(folder / "case"), "--by", "anna"]) == 0
    assert main(["case", "add", str(folder / "case"), str(folder / "built"), "--purpose", "a test"]) == 0
    return folder


def told(capsys, *words):
    capsys.readouterr()
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_case_is_made_filled_searched_decided_on_and_written(place, capsys, tmp_path):
    case = place / "case"
    assert [one["name"] for one in told(capsys, "case", "list", place)] == ["case"]
    assert main(["case", "list", str(place / "typo")]) == 1 and "is no folder" in capsys.readouterr().err
    held = told(capsys, "case", "list", case)
    assert (held["tracklets"], held["confirmed_pairs"], len(held["sources"])) == (6, 0, 3)
    assert told(capsys, "case", "list", case, "--tracklets")[0] == GATE
    found = told(capsys, "case", "search", case, "--tracklet", GATE, "-k", "2")
    assert [one["platform"] for one in found["candidates"]] == ["aerial", "aerial"]
    assert told(capsys, "case", "decide", case, GATE, ROOF, "confirmed", "--annotator", "anna")["state"] == "confirmed"
    assert told(capsys, "case", "decide", case, ROOF, GATE, "undo", "--annotator", "anna")["state"] == "open"
    assert told(capsys, "case", "export", case, "--out", tmp_path / "d.csv", "--format", "csv")["count"] == 2
    assert told(capsys, "case", "export", case, "--out", tmp_path / "all.json", "--format", "json")["count"] == 6
    assert told(capsys, "case", "verify", case)["damage"] == []
    assert (
        main(["search", str(place / "built" / "embeddings.npz"), "--query", GATE, "--out", str(tmp_path / "p.html")])
        == 0
    )


def test_footage_is_brought_in_with_what_allows_it_and_not_without(place, tmp_path, capsys):
    assert main(["case", "new", str(tmp_path / "case"), "--by", "anna"]) == 0
    add = ["case", "add", tmp_path / "case", place / "built", "--purpose", "a test", "--authorisation", "order 12/26"]
    assert main([*map(str, add), "--authorised-until", "2020-01-01"]) == 5
    assert "may not be looked at" in capsys.readouterr().err
    assert len(told(capsys, *add, "--authorised-until", "2099-12-31")["sources"]) == 3
    for source in told(capsys, "case", "list", tmp_path / "case")["sources"]:
        assert (source["authorisation"], source["authorised_until"]) == ("order 12/26", "2100-01-01T00:00:00+00:00")


def test_with_four_eyes_a_confirmation_counts_and_leaves_when_a_second_person_made_it(place, capsys, tmp_path):
    case, pair = place / "case", ("gate-a-0002", "roof-a-0002")  # nobody has seen a decision on them
    assert told(capsys, "case", "agreement", case, "--require", "2", "--by", "anna")["required"] == 2
    for person, state, held_back in (("anna", "waiting", 1), ("bert", "confirmed", 0)):
        made = told(capsys, "case", "decide", case, *pair, "confirmed", "--annotator", person)
        out = tmp_path / f"{person}.json"
        left = told(capsys, "case", "export", case, "--out", out, "--format", "json")
        assert (made["state"], left["held_back"]) == (state, held_back)
    agreement = told(capsys, "case", "agreement", case)["agreement"]
    assert agreement == [{"people": ["anna", "bert"], "pairs": 1, "agreed": 1, "kappa": None}]
    assert main(["case", "agreement", str(case)]) == 0
    assert "Cohen's kappa is undefined" in capsys.readouterr().out
    for person in ("anna", "bert"):
        told(capsys, "case", "decide", case, *pair, "undo", "--annotator", person)
    told(capsys, "case", "agreement", case, "--require", "1")


def test_the_command_that_comes_next_can_be_pasted(tmp_path, capsys):
    assert main(["case", "new", str(tmp_path / "a case")]) == 0
    assert f"skyreid case add '{tmp_path}/a case' FOLDER" in capsys.readouterr().out


def test_what_a_case_refuses_ends_with_status_5(place, capsys):
    write_build(place / "uncovered", ["door-a-0001"], faces_masked=False)
    assert main(["case", "add", str(place / "case"), str(place / "uncovered"), "--purpose", "a test"]) == 5
    assert main(["case", "add", str(place / "case"), str(place / "built")]) == 5
    assert "every source has a purpose" in capsys.readouterr().err


def test_damage_is_named_and_ends_with_status_4(place, tmp_path, capsys):
    assert main(["case", "new", str(tmp_path / "case")]) == 0
    assert main(["case", "add", str(tmp_path / "case"), str(place / "built"), "--purpose", "a test"]) == 0
    next((tmp_path / "case" / "crops").glob("*/*/*.jpg")).unlink()
    capsys.readouterr()
    assert main(["case", "verify", str(tmp_path / "case")]) == 4
    assert "cannot be read: No such file" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (["search", "{case}"], "a search asks with something: --tracklet ID"),
        (["search", "{case}", "--tracklet", "gate-a-9"], "has no tracklet 'gate-a-9'"),
        (["decide", "{case}", GATE, ROOF, "undo", "--annotator", "cleo"], "'cleo' has said nothing"),
        (["add", "{case}", "{place}/nothing", "--purpose", "a test"], "platform is missing"),
        (["list", "{place}/nothing", "--tracklets"], "must be a case"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(place, capsys, words, refusal):
    filled = [word.format(case=place / "case", place=place) for word in words]
    assert main(["case", *filled]) == 1
    assert refusal in capsys.readouterr().err


def test_without_the_extra_everything_else_works_and_a_case_says_what_to_install():
    program = "import sys; sys.modules['sqlalchemy'] = None; from skyreid.cli import main; sys.exit(main({}))"
    called = [
        subprocess.run([sys.executable, "-c", program.format(words)], capture_output=True, text=True, check=False)
        for words in (["--help"], ["case", "list"])
    ]
    assert called[0].returncode == 0 and "skyreid case …" in called[0].stdout
    assert called[1].returncode == 1
    assert called[1].stderr.strip() == "error: cases need SQLAlchemy: pip install 'skyreid[serve]'"


@pytest.mark.parametrize("command", ["list", "upgrade"])
def test_one_case_that_cannot_be_had_hides_none_of_the_others(tmp_path, capsys, command):
    for name in ("a", "b", "c"):
        assert main(["case", "new", str(tmp_path / name), "--by", "anna"]) == 0
    (tmp_path / "b" / "case.sqlite").write_bytes(b"no database" * 500)
    capsys.readouterr()
    assert main(["case", command, str(tmp_path)]) == 4
    told = capsys.readouterr()
    assert [Path(line.split(":")[0]).name for line in told.out.splitlines()] == ["a", "c"]
    assert f"{tmp_path / 'b'}" in told.err
    assert "damaged" in told.err
    assert main(["case", "upgrade", str(tmp_path / "b")]) == 1
    assert "damaged" in capsys.readouterr().err
