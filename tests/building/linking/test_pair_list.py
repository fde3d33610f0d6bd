import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.building.linking.candidates import Candidate
from skyreid.building.linking.events import Decision
from skyreid.building.linking.pair_list import read_pair_list, write_pair_list
from skyreid.errors import SourceError

HOSTILE = ["=1+1", "+1", "-gate", "@cmd", "'=quoted", '"a,b"\n;', "Zoë"]


def fill(path, words):
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *([*row[:-1], word] for row, word in zip(rows, words, strict=True))])


def listed(*names):
    return [
        Candidate(ground=name, aerial=f"roof {name}", similarity=None, plausibility=0.25, score=0.25) for name in names
    ]


def test_a_list_comes_back_with_what_was_filled_in(tmp_path):
    path = tmp_path / "pairs.csv"
    write_pair_list(path, listed("g1", "g2", "g3", "g4"))
    fill(path, ["same", " Different ", "", "unsure"])
    filled = read_pair_list(path)
    assert [(d.tracklets, d.decision) for d in filled.decisions] == [
        (("g1", "roof g1"), Decision.SAME),
        (("g2", "roof g2"), Decision.DIFFERENT),
        (("g4", "roof g4"), Decision.UNSURE),
    ]
    assert filled.left_open == 1


def test_no_name_can_become_a_formula_and_each_comes_back(tmp_path):
    path = tmp_path / "pairs.csv"
    write_pair_list(path, listed(*HOSTILE))
    with path.open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    fill(path, ["same"] * len(HOSTILE))
    assert {name for decided in read_pair_list(path).decisions for name in decided.tracklets} == {
        *HOSTILE,
        *(f"roof {name}" for name in HOSTILE),
    }


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=6)


@given(names)
def test_any_name_survives_the_round_trip(tmp_path_factory, name):
    path = tmp_path_factory.mktemp("list") / "pairs.csv"
    write_pair_list(path, [Candidate(ground=name, aerial=name + "x", similarity=None, plausibility=None, score=1.0)])
    fill(path, ["same"])
    assert read_pair_list(path).decisions[0].tracklets == tuple(sorted((name, name + "x")))


def test_a_spreadsheet_s_mark_and_one_s_own_columns_are_no_obstacle(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("\ufeffnote,decision,b,a\r\nred bag,same,x,w\r\n", encoding="utf-8")
    (decided,) = read_pair_list(path).decisions
    assert (decided.tracklets, decided.decision) == (("w", "x"), Decision.SAME)


def test_json_lines_are_read_alike(tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = [{"a": "'x", "b": "w", "decision": "same", "note": 3}, {"a": "x", "b": "y", "decision": ""}]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    filled = read_pair_list(path)
    assert [decided.tracklets for decided in filled.decisions] == [("'x", "w")]
    assert filled.left_open == 1


@pytest.mark.parametrize(
    ("name", "text", "refusal"),
    [
        (
            "p.csv",
            "a,b\nx,y\n",
            ": must have the columns a, b, decision once each, separated by commas; got ['a', 'b']",
        ),
        ("p.csv", "", " must be a list of pairs ('skyreid link --out' writes it); it is an empty file: "),
        ("p.csv", "a,b,a,decision\n", ": must have the columns a, b, decision once each, separated by commas; got"),
        ("p.csv", "a,b,decision\nx,y,maybe\n", ", line 2: a decision is same, different, unsure or empty; got 'maybe'"),
        ("p.csv", "a,b,decision\nx,y\n", ", line 2: must have 3 cells like the first line"),
        ("p.csv", "a,b,decision\nx,y,same,z\n", ", line 2: must have 3 cells like the first line"),
        ("p.csv", "a,b,decision\nx,x,same\n", ", line 2: a decision is about two tracklets; got 'x' twice"),
        ("p.csv", 'a,b,decision\nx,"y"z,same\n', ", after line 1: not CSV: ',' expected after '\"'"),
        ("p.jsonl", '{"a": "x"}\n', ', line 1: must be an object with the texts a, b, decision; got \'{"a": "x"}\''),
        ("p.jsonl", "\n{\n", ", line 2: not JSON: "),
        ("p.xlsx", "a", ": decisions come as .csv or .jsonl; got '.xlsx'"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused_with_the_line(tmp_path, name, text, refusal):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SourceError) as raised:
        read_pair_list(path)
    assert str(raised.value).startswith(f"{path}{refusal}")


def test_a_pair_that_stands_twice_is_refused_in_either_order(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("a,b,decision\nx,y,same\ny,x,same\n")
    with pytest.raises(SourceError) as raised:
        read_pair_list(path)
    assert str(raised.value) == f"{path}, line 3: the pair x and y stands at {path}, line 2 already"


def test_a_list_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"must be a list of pairs .*; nothing lies there"):
        read_pair_list(tmp_path / "p.csv")
    (tmp_path / "p.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(SourceError, match="the decisions must be text in UTF-8"):
        read_pair_list(tmp_path / "p.csv")
