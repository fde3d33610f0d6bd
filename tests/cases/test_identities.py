import csv
import json

import pytest

from skyreid.building.linking.event_log import DecisionEvent
from skyreid.cases.deciding.decisions import decide, read_events, require, undo
from skyreid.cases.deciding.identities import CaseIdentities, preview
from skyreid.cases.deciding.standing import read_standing
from skyreid.cases.exports.exporting import export_case
from skyreid.datasets.manifest import read_manifest
from skyreid.errors import NothingFoundError, RefusedError
from tests.cases.test_decisions import GATE, GATE2, GATE3, ROOF, ROOF2, ROOF3


def people(case, person="anna"):
    return CaseIdentities(read_standing(case).seen_by(person))


def test_an_identity_that_was_merged_away_leads_to_the_other_until_that_is_undone(case):
    decide(case, GATE, ROOF, "confirmed", annotator="anna")
    decide(case, GATE3, ROOF2, "confirmed", annotator="anna")
    assert [people(case).identity(pid).pid for pid in (1, 4, 3, 5)] == [1, 1, 3, 3]
    shown = preview(read_standing(case), ROOF2, GATE, person="anna")
    assert (shown.keeps.pid, shown.gives.pid, shown.pair, shown.is_possible) == (1, 3, (GATE, ROOF2), True)
    decide(case, *shown.pair, "confirmed", annotator="anna")
    merged = people(case).identity(3)
    assert merged.pid == 1 and merged.members == (GATE, ROOF, ROOF2, GATE3)  # by the clock: the roof's begins later
    with pytest.raises(RefusedError, match="are one identity already \\(1\\)"):
        preview(read_standing(case), GATE, GATE3, person="anna")
    undo(case, annotator="anna")
    assert people(case).identity(3).members == (ROOF2, GATE3)
    with pytest.raises(NothingFoundError, match="there is no identity 99"):
        people(case).identity(99)


def test_the_list_knows_which_side_is_missing_and_what_cannot_be(case):
    decide(case, GATE, ROOF, "confirmed", annotator="anna")
    decide(case, GATE2, GATE3, "confirmed", annotator="anna")
    decide(case, ROOF2, ROOF3, "confirmed", annotator="anna")  # one camera saw them at once
    listed = {show: people(case).listed(show) for show in ("all", "ground", "aerial", "both", "conflicts")}
    assert listed == {"all": [1, 2, 5], "ground": [5], "aerial": [2], "both": [1], "conflicts": [5]}
    progress = people(case).progress()
    assert (progress.both, progress.at_most) == (1, 2)
    decide(case, GATE, ROOF2, "rejected", annotator="anna")
    assert [one.different for one in preview(read_standing(case), GATE, ROOF3, person="anna").merge.rejected] == [
        (GATE, ROOF2)
    ]
    assert not preview(read_standing(case), GATE, ROOF3, person="anna").is_possible


def test_with_four_eyes_nobody_is_told_what_another_one_said_first(case):
    require(case, 2, annotator="anna")
    decide(case, GATE, ROOF, "confirmed", annotator="anna")
    decide(case, GATE, ROOF2, "rejected", annotator="anna")
    pairs = ((GATE, ROOF), (GATE, ROOF2))

    def states(person):
        standing = read_standing(case).seen_by(person)
        return [standing.pair_state(*pair) for pair in pairs], len(standing.state.standing)

    assert states("anna") == (["waiting", "rejected"], 2)
    assert states("bert") == (["open", "open"], 0)
    assert read_standing(case).seen_by("bert").open_pairs("bert").is_open(*pairs[1])
    decide(case, GATE, ROOF, "confirmed", annotator="bert")
    assert states("bert") == (["confirmed", "open"], 2)
    decide(case, GATE, ROOF2, "confirmed", annotator="bert")
    assert states("bert") == states("anna") == (["confirmed", "rejected"], 4)


def test_a_confirmation_leaves_the_case_when_a_second_person_made_it(case, tmp_path):
    require(case, 2, annotator="anna")
    decide(case, GATE, ROOF, "confirmed", annotator="anna")
    decide(case, GATE2, ROOF2, "rejected", annotator="anna")

    def exported(name):
        report = export_case(case, tmp_path / f"{name}.csv", "csv", by="anna")
        export_case(case, tmp_path / f"{name}.json", "json", by="anna")
        export_case(case, tmp_path / name, "build", by="anna")
        with (tmp_path / f"{name}.csv").open(newline="") as file:
            words = [row["kind"] for row in csv.DictReader(file)]
        told = json.loads((tmp_path / f"{name}.json").read_text())
        assert [one["kind"] for one in told["decisions"]] == words
        assert (tmp_path / name / "links.jsonl").read_text().count('"same"') == words.count("confirmed")
        pids = {one.tracklet_id: one.pid for one in read_manifest(tmp_path / name / "manifest.jsonl").tracklets}
        return words, report.held_back, pids[GATE] == pids[ROOF]

    assert exported("early") == (["require", "rejected"], 1, False)
    decide(case, GATE, ROOF, "confirmed", annotator="bert")
    assert exported("late") == (["require", "confirmed", "rejected", "confirmed"], 0, True)
    assert sum(isinstance(event, DecisionEvent) for event in read_events(case)) == 3
