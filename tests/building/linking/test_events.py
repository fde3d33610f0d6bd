import json
from datetime import UTC, datetime

import pytest

from skyreid.building.linking.events import (
    Decision,
    DecisionEvent,
    RebuildEvent,
    RequireEvent,
    Seen,
    UndoEvent,
    check_annotator,
    event_from_line,
    event_to_line,
    make_pair,
)
from skyreid.errors import ManifestError, SourceError

SHARED = {"event_id": "e1", "time": datetime(2026, 5, 4, 9, tzinfo=UTC), "annotator": "Zoë"}
DECISION = DecisionEvent(
    **SHARED,
    decision=Decision.SAME,
    tracklets=("a", "b"),
    fingerprints=("0", "1"),
    rank=2,
    similarity=0.5,
    seconds=3.25,
)
PLAIN = DecisionEvent(**SHARED, decision=Decision.UNSURE, tracklets=("a", "b"), fingerprints=("0", "1"))
EVENTS = [DECISION, PLAIN, UndoEvent(**SHARED, undoes="e0"), RequireEvent(**SHARED, annotators=2)]
EVENTS.append(RebuildEvent(**SHARED, moved={Seen("a", "0"): Seen("b", "1"), Seen("b", "0"): Seen("a", "1")}))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_is_read_back_as_it_was_written(event):
    line = event_to_line(event)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert event_from_line(line, "here") == event


def test_the_line_is_what_other_programs_read():
    assert json.loads(event_to_line(DECISION)) == {
        "event": "e1",
        "time": "2026-05-04T09:00:00+00:00",
        "annotator": "Zoë",
        "decision": "same",
        "tracklets": ["a", "b"],
        "fingerprints": ["0", "1"],
        "rank": 2,
        "similarity": 0.5,
        "seconds": 3.25,
    }


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (
            {"decision": "maybe"},
            "here: an event's decision is one of same, different, unsure, undo, require, rebuilt",
        ),
        (
            {"decision": ["same"]},
            "here: an event's decision is one of same, different, unsure, undo, require, rebuilt",
        ),
        ({"colour": "red"}, "here: 'same' has the keys"),
        ({"annotator": None}, "here: a value is of another kind than its key wants; got"),
        ({"time": "2026-05-04T09:00:00"}, "here: a value is of another kind than its key wants; got"),
        ({"time": "today"}, "here: a value is of another kind than its key wants; got"),
        ({"tracklets": ["b", "a"]}, "here: a value is of another kind than its key wants; got"),
        ({"tracklets": ["a", "a"]}, "here: a value is of another kind than its key wants; got"),
        ({"fingerprints": ["0"]}, "here: a value is of another kind than its key wants; got"),
        ({"rank": 0}, "here: a value is of another kind than its key wants; got"),
        ({"similarity": "high"}, "here: a value is of another kind than its key wants; got"),
    ],
)
def test_a_line_that_is_no_event_is_refused(change, refusal):
    line = json.dumps({**json.loads(event_to_line(DECISION)), **change}).encode()
    with pytest.raises(ManifestError) as raised:
        event_from_line(line, "here")
    assert str(raised.value).startswith(refusal)


@pytest.mark.parametrize("line", [b"", b"[]", b"\xff", b'{"event":'])
def test_a_line_that_is_no_object_is_refused(line):
    with pytest.raises(ManifestError, match="here: "):
        event_from_line(line, "here")


def test_a_pair_has_one_order_and_two_tracklets():
    assert make_pair("b", "a") == make_pair("a", "b") == ("a", "b")
    with pytest.raises(SourceError, match="a decision is about two tracklets; got 'a' twice"):
        make_pair("a", "a")


@pytest.mark.parametrize("name", ["", " ann", "ann\n", "a\u200bb", "x" * 101])
def test_a_name_that_cannot_be_told_from_another_is_refused(name):
    with pytest.raises(
        SourceError, match="an annotator's name has 1 to 100 visible characters and no blanks around it"
    ):
        check_annotator(name)
    assert check_annotator("Ann Lee 李") == "Ann Lee 李"
