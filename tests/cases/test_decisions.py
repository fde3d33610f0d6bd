import pytest

from skyreid.cases.audit import read_audit
from skyreid.cases.deciding.decisions import decide, preview_merge, read_events, require, undo
from skyreid.cases.deciding.standing import read_standing
from skyreid.cases.schema import SOURCES
from skyreid.errors import CaseError, RefusedError, SettingError, SourceError

GATE, GATE2, GATE3, ROOF, ROOF2, ROOF3 = "gate-a-0001", "gate-a-0002", "gate-b-0001", *(f"roof-a-000{n}" for n in "123")


def states(case, *pairs):
    standing = read_standing(case)
    return [standing.pair_state(*pair) for pair in pairs]


def test_a_decision_is_stored_with_what_the_person_saw_and_stands_in_the_log(case):
    made = decide(case, ROOF, GATE, "confirmed", annotator="anna", rank=2, similarity=0.75, model=1, seconds=3.5)
    (event,) = read_events(case)
    assert event == made
    assert (event.tracklets, event.rank, event.similarity, event.seconds) == ((GATE, ROOF), 2, 0.75, 3.5)
    with case.database.reading() as connection:
        last = read_audit(connection)[-1]
    assert (last.who, last.action, last.subject, last.details["rank"]) == ("anna", "confirmed", f"{GATE} {ROOF}", 2)


def test_confirmed_pairs_chain_to_an_identity_and_an_undo_takes_it_apart(case):
    decide(case, GATE, ROOF, "confirmed", annotator="anna")
    second = decide(case, GATE3, ROOF, "confirmed", annotator="anna")
    assert states(case, (GATE, GATE3), (GATE, GATE2)) == ["confirmed", "open"]
    standing = read_standing(case)
    assert standing.members[standing.identities.pids[ROOF]] == (GATE, GATE3, ROOF)
    assert undo(case, annotator="anna") == second
    assert states(case, (GATE, ROOF), (GATE, GATE3)) == ["confirmed", "open"]


def test_any_decision_of_one_s_own_can_be_undone_from_the_history_and_no_other(case):
    first = decide(case, GATE, ROOF, "confirmed", annotator="anna")
    decide(case, GATE2, ROOF2, "confirmed", annotator="anna")
    with pytest.raises(CaseError, match="'bert' has no decision to undo"):
        undo(case, annotator="bert")
    with pytest.raises(CaseError, match="'bert' has no standing decision"):
        undo(case, annotator="bert", event_id=first.event_id)
    undo(case, annotator="anna", event_id=first.event_id)
    assert states(case, (GATE, ROOF), (GATE2, ROOF2)) == ["open", "confirmed"]
    with pytest.raises(CaseError, match="no standing decision"):
        undo(case, annotator="anna", event_id=first.event_id)


def test_a_rejection_holds_for_the_whole_identity(case):
    decide(case, GATE, ROOF, "confirmed", annotator="anna")
    decide(case, GATE, ROOF2, "rejected", annotator="anna")
    assert states(case, (ROOF, ROOF2), (GATE2, ROOF2)) == ["rejected", "open"]
    assert read_standing(case).rejected_with(ROOF) == {ROOF2}


def test_a_confirmation_that_contradicts_a_rejection_is_refused_and_names_it(case):
    decide(case, GATE, ROOF, "confirmed", annotator="anna")
    decide(case, GATE, GATE3, "rejected", annotator="anna")
    with pytest.raises(RefusedError, match=f"that would join {GATE} and {GATE3}, which are rejected"):
        decide(case, GATE3, ROOF, "confirmed", annotator="bert")
    merge = preview_merge(read_standing(case), GATE3, ROOF)
    assert (merge.first, merge.second) == ((GATE, ROOF), (GATE3,)) or (merge.second, merge.first) == (
        (GATE, ROOF),
        (GATE3,),
    )
    assert [one.different for one in merge.rejected] == [(GATE, GATE3)]
    assert len(read_events(case)) == 2
    undo(case, annotator="anna")
    decide(case, GATE3, ROOF, "confirmed", annotator="bert")
    assert states(case, (GATE, GATE3)) == ["confirmed"]


def test_who_is_seen_twice_at_once_by_one_camera_is_told_before_and_after(case):
    assert [one.tracklets for one in preview_merge(read_standing(case), GATE, GATE2).overlaps] == [(GATE, GATE2)]
    assert preview_merge(read_standing(case), GATE, ROOF).overlaps == ()
    decide(case, GATE, GATE2, "confirmed", annotator="anna")
    assert [one.tracklets for one in read_standing(case).overlaps] == [(GATE, GATE2)]


def test_two_people_who_see_it_differently_link_nothing(case):
    decide(case, GATE, ROOF, "confirmed", annotator="anna")
    decide(case, GATE, ROOF, "rejected", annotator="bert")
    assert read_standing(case).state.disagreements() == [(GATE, ROOF)]
    assert read_standing(case).state.links() == []


def test_with_four_eyes_a_match_counts_when_a_second_person_confirmed_it(case):
    require(case, 2, annotator="anna")
    decide(case, GATE, ROOF, "confirmed", annotator="anna")
    assert states(case, (GATE, ROOF)) == ["waiting"]
    decide(case, GATE, ROOF, "confirmed", annotator="bert")
    assert states(case, (GATE, ROOF)) == ["confirmed"]


def test_decisions_on_what_lies_in_the_trash_rest_and_come_back_with_it(case):
    decide(case, GATE, ROOF, "confirmed", annotator="anna")
    for trashed_at, count in (("2026-11-28", 0), (None, 1)):
        with case.database.writing() as connection:
            connection.execute(SOURCES.update().where(SOURCES.c.name == "roof-a").values(trashed_at=trashed_at))
        assert len(read_standing(case).state.links()) == count


@pytest.mark.parametrize(
    ("pair", "decision", "annotator", "error", "refusal"),
    [
        ((GATE, "gate-a-0009"), "confirmed", "anna", CaseError, "has no tracklet 'gate-a-0009'"),
        ((GATE, GATE), "confirmed", "anna", SourceError, "a decision is about two tracklets"),
        ((GATE, ROOF), "same", "anna", SettingError, "a decision is confirmed, rejected, unsure; got 'same'"),
        ((GATE, ROOF), "confirmed", "", SourceError, "an annotator's name"),
    ],
)
def test_what_is_no_decision_is_refused(case, pair, decision, annotator, error, refusal):
    with pytest.raises(error, match=refusal):
        decide(case, *pair, decision, annotator=annotator)
    assert read_events(case) == []
