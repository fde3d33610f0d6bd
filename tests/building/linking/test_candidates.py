"""Suggestions against a slow loop."""

import csv
import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.building.linking.candidates import (
    Candidate,
    CandidateConfig,
    rank_candidates,
    read_pair_list,
    write_pair_list,
)
from skyreid.building.linking.event_log import Decision
from skyreid.building.linking.link_state import OpenPairs, fingerprints, identify, replay
from skyreid.building.linking.presence import presences
from skyreid.errors import SettingError, SourceError, TableError
from skyreid.retrieval.cosine import cosine_similarities
from tests.building.linking.folders import INFO, says, seen, table_of


def numbered(tracklets):
    return [replace(tracklet, pid=number) for number, tracklet in enumerate(tracklets, start=1)]


def rank(tracklets, table, config=None, *, events=(), annotator=None, info=INFO):
    state = replay(events, fingerprints(tracklets))
    open_pairs = OpenPairs(identify(tracklets, state).pids, state, annotator=annotator)
    return rank_candidates(tracklets, presences(tracklets, info), open_pairs, table, config or CandidateConfig())


def slow_rank(tracklets, table, open_pairs, per_tracklet, tolerance):
    """Every pair on its own."""
    found = presences(tracklets, INFO)
    row_of = {str(tracklet_id): row for row, tracklet_id in enumerate(table.tracklet_ids)}
    ids = sorted(row_of)
    ground, aerial = ([i for i in ids if i.startswith("roof") == in_air] for in_air in (False, True))
    similarities = cosine_similarities(table.unit_embeddings, table.unit_embeddings)
    pairs = {}
    for g, a in product(ground, aerial):
        if not open_pairs.is_open(g, a):
            continue
        similarity, plausibility = float(similarities[row_of[g], row_of[a]]), None
        if found[g].clock and found[a].clock:
            (g0, g1), (a0, a1) = found[g].clock, found[a].clock
            gap = max(0.0, (a0 - g1).total_seconds(), (g0 - a1).total_seconds())
            plausibility = 0.5 ** (gap / tolerance)
        score = max(similarity, 0.0) * (1.0 if plausibility is None else plausibility)
        pairs[g, a] = Candidate(ground=g, aerial=a, similarity=similarity, plausibility=plausibility, score=score)

    def best(key):
        return sorted(
            (p for p in pairs if key in p), key=lambda p: (-round(pairs[p].score, 12), -pairs[p].similarity, p)
        )

    kept = {pair for key in ids for pair in best(key)[:per_tracklet]}
    return [pairs[p] for p in sorted(kept, key=lambda p: (-round(pairs[p].score, 12), -pairs[p].similarity, p))]


directions = st.lists(st.integers(-2, 2), min_size=3, max_size=3).filter(any)
sightings = st.tuples(st.sampled_from(["gate-a", "gate-b", "door-a", "roof-a"]), st.integers(0, 40), directions)


@given(st.lists(sightings, min_size=2, max_size=9), st.integers(1, 3), st.sampled_from([7.0, 60.0]))
def test_suggestions_are_what_a_slow_loop_finds(specified, per_tracklet, tolerance):
    tracklets = numbered(
        seen(f"{source}-{number:04d}", first_s, first_s + 3) for number, (source, first_s, _) in enumerate(specified)
    )
    table = table_of(tracklets, [direction for *_, direction in specified])
    events = [says("ann", "different", tracklets[0], tracklets[-1])]
    state = replay(events, fingerprints(tracklets))
    open_pairs = OpenPairs(identify(tracklets, state).pids, state, annotator=None)
    config = CandidateConfig(per_tracklet=per_tracklet, clock_tolerance_s=tolerance)
    found = rank_candidates(tracklets, presences(tracklets, INFO), open_pairs, table, config)
    expected = slow_rank(tracklets, table, open_pairs, per_tracklet, tolerance)
    assert [(c.ground, c.aerial, c.similarity) for c in found] == [(c.ground, c.aerial, c.similarity) for c in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-9)
        assert one.plausibility == pytest.approx(other.plausibility, abs=1e-6)


def test_more_tracklets_than_a_block_are_all_compared():
    generator = np.random.default_rng(0)
    tracklets = numbered([*(seen(f"door-a-{n:04d}") for n in range(520)), *(seen(f"roof-a-{n:04d}") for n in range(3))])
    table = table_of(tracklets, generator.normal(size=(523, 4)))
    open_pairs = OpenPairs(
        identify(tracklets, replay([], fingerprints(tracklets))).pids,
        replay([], fingerprints(tracklets)),
        annotator=None,
    )
    found = rank(tracklets, table, CandidateConfig(per_tracklet=1))
    assert [(c.ground, c.aerial) for c in found] == [
        (c.ground, c.aerial) for c in slow_rank(tracklets, table, open_pairs, 1, 60.0)
    ]


PAIR = numbered(
    [seen("gate-a-0001", 0, 5), seen("door-a-0001"), seen("roof-a-0001", 0, 5), seen("roof-a-0002", 300, 305)]
)


def test_without_a_table_time_alone_ranks():
    found = rank(PAIR, None)
    assert (found[0].ground, found[0].aerial) == ("door-a-0001", "roof-a-0001")  # no clock: nothing against it
    assert all(c.similarity is None for c in found)
    by_pair = {(c.ground, c.aerial): c for c in found}
    assert by_pair["gate-a-0001", "roof-a-0001"].score > by_pair["gate-a-0001", "roof-a-0002"].score
    assert by_pair["door-a-0001", "roof-a-0001"].plausibility is None


def test_with_nothing_to_rank_by_it_says_so():
    unknown = {**INFO, "sources": [{**source, "start_time": None} for source in INFO["sources"]]}
    with pytest.raises(SettingError, match="pairs are ranked by similarity or by time: give a table"):
        rank(PAIR, None, info=unknown)


def test_one_platform_alone_has_no_pairs():
    assert rank(PAIR[:2], table_of(PAIR[:2], np.eye(2))) == []


@pytest.mark.parametrize(
    ("names", "where"),
    [
        (["gate-a-0001", "door-a-0001", "roof-a-0001"], "'roof-a-0002' is in the folder, not in the table"),
        ([*(t.tracklet_id for t in PAIR), "gate-a-0009"], "'gate-a-0009' is in the table, not in the folder"),
    ],
)
def test_a_table_of_other_tracklets_is_refused(names, where):
    table = table_of([seen(name) for name in names], np.eye(len(names)))
    with pytest.raises(TableError) as raised:
        rank(PAIR, table)
    assert str(raised.value) == (
        f"the table must hold the folder's tracklets, all of them; 1 differ: {where}; "
        "embed the folder again by 'skyreid embed'"
    )


@pytest.mark.parametrize(
    ("settings", "refusal"),
    [
        ({"per_tracklet": 0}, "per_tracklet must be at least 1; got 0"),
        ({"clock_tolerance_s": 0.0}, "clock_tolerance_s must be a positive number of seconds; got 0.0"),
        ({"clock_tolerance_s": float("nan")}, "clock_tolerance_s must be a positive number of seconds; got nan"),
    ],
)
def test_impossible_settings_are_refused(settings, refusal):
    with pytest.raises(SettingError) as raised:
        CandidateConfig(**settings)
    assert str(raised.value) == refusal


def test_nan_scores_of_unknown_clocks_never_hide_a_known_one():
    found = rank(PAIR, table_of(PAIR, [[1, 0], [0, 1], [1, 0.1], [1, 0]]))
    assert found[0].ground == "gate-a-0001"
    assert found[0].aerial == "roof-a-0001"


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
