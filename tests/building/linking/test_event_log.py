import fcntl
import json
import logging
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from itertools import combinations

import pytest

from skyreid.building.linking.event_log import (
    LINKS_FILE,
    Decision,
    DecisionEvent,
    RebuildEvent,
    RequireEvent,
    Seen,
    UndoEvent,
    check_annotator,
    event_from_line,
    event_to_line,
    locked_log,
    make_pair,
    read_log,
)
from skyreid.building.linking.link_folder import LinkFolder
from skyreid.errors import ManifestError, SourceError
from tests.building.linking.folders import says, seen, write_folder

GATE, DOOR, ROOF = seen("gate-a-0001"), seen("door-a-0001"), seen("roof-a-0001")
EVENTS = [
    says("ann", "same", GATE, ROOF, rank=1),
    says("bob", "different", GATE, DOOR),
    says("ann", "unsure", DOOR, ROOF),
]


def append(folder, *events):
    with locked_log(folder) as log:
        log.append(events)


def test_a_folder_without_decisions_has_an_empty_log_and_gets_no_file(tmp_path):
    log = read_log(tmp_path)
    assert (log.events, log.sha256, log.torn_bytes) == ((), None, 0)
    assert list(tmp_path.iterdir()) == []


def test_what_was_appended_is_read_in_its_order_and_never_rewritten(tmp_path):
    append(tmp_path, EVENTS[0])
    before = (tmp_path / LINKS_FILE).read_bytes()
    append(tmp_path, *EVENTS[1:])
    assert list(read_log(tmp_path).events) == EVENTS
    assert (tmp_path / LINKS_FILE).read_bytes().startswith(before)


def test_the_open_log_knows_what_a_reader_will_find(tmp_path):
    with locked_log(tmp_path) as log:
        log.append(EVENTS[:1])
        log.append(EVENTS[1:])
        inside = log.log
    assert inside == read_log(tmp_path)


def test_a_log_that_was_cut_anywhere_keeps_its_whole_events_and_takes_new_ones(tmp_path, caplog):
    append(tmp_path, *EVENTS[:2])
    path = tmp_path / LINKS_FILE
    content = path.read_bytes()
    lines = content.splitlines()
    edges = {0, len(lines[0]), len(lines[0]) + 1, len(content) - 1, len(content)}
    for length in sorted({*range(0, len(content), 11), *edges}):
        path.write_bytes(content[:length])
        piece = content[:length].rpartition(b"\n")[2]
        is_torn = piece not in (b"", *lines)  # an event that only lacks its line end is whole
        whole = content[:length].count(b"\n") + (piece in lines)
        log = read_log(tmp_path)
        assert list(log.events) == EVENTS[:whole]
        assert log.torn_bytes == is_torn * len(piece)
        caplog.clear()
        append(tmp_path, EVENTS[2])
        assert list(read_log(tmp_path).events) == [*EVENTS[:whole], EVENTS[2]]
        assert path.read_bytes().count(b"\n") == whole + 1
        named = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert len(named) == is_torn
        assert all(f"the last {log.torn_bytes} bytes are a piece of an event" in message for message in named)


def test_damage_anywhere_else_is_refused_with_its_line(tmp_path):
    append(tmp_path, *EVENTS)
    path = tmp_path / LINKS_FILE
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1][:20] + b"\n" + lines[2])
    for use in (read_log, lambda folder: append(folder, EVENTS[0])):
        with pytest.raises(ManifestError, match=rf"{LINKS_FILE}, line 2: must be one event as a JSON object; got"):
            use(tmp_path)


def test_a_whole_last_line_that_is_no_event_is_refused(tmp_path):
    (tmp_path / LINKS_FILE).write_text('{"note": "mine"}')
    with pytest.raises(ManifestError, match="line 1: an event's decision is one of"):
        read_log(tmp_path)


def test_an_event_that_stands_twice_is_refused(tmp_path):
    append(tmp_path, EVENTS[0], EVENTS[0])
    with pytest.raises(ManifestError, match=f"event ids must be unique; '{EVENTS[0].event_id}' stands twice"):
        read_log(tmp_path)


def test_a_place_that_takes_no_decisions_is_refused(tmp_path):
    with pytest.raises(SourceError, match="decisions cannot be stored here: No such file or directory"):
        append(tmp_path / "nowhere", EVENTS[0])


def test_a_full_disk_leaves_the_log_as_it_was(tmp_path):
    append(tmp_path, EVENTS[0])
    program = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from skyreid.building.linking.event_log import locked_log\n"
        "from skyreid.errors import SourceError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "folder = Path(sys.argv[1])\n"
        "with locked_log(folder) as log:\n"
        "    size = (folder / 'links.jsonl').stat().st_size\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, size + 20))\n"
        "    try: log.append(log.log.events)\n"
        "    except SourceError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, capture_output=True, text=True)
    assert run.stdout == f"{tmp_path / LINKS_FILE}: the decisions could not be stored: File too large\n"
    log = read_log(tmp_path)
    assert (list(log.events), log.torn_bytes) == ([EVENTS[0]], 0)


def start_linker(folder, annotator):
    command = [sys.executable, "-m", "tests.building.linking.killed_linker", str(folder), annotator]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def all_pairs(tracklets):
    return {make_pair(a.tracklet_id, b.tracklet_id) for a, b in combinations(tracklets, 2)}


def test_what_a_killed_process_had_acknowledged_is_there_once(tmp_path):
    tracklets = write_folder(tmp_path, [seen(f"gate-a-{number:04d}") for number in range(60)])
    with start_linker(tmp_path, "ann") as linker:
        acknowledged = [tuple(linker.stdout.readline().split()) for _ in range(40)]
        linker.send_signal(signal.SIGKILL)
        acknowledged += [tuple(line.split()) for line in linker.stdout if line.endswith("\n")]
    assert linker.returncode == -signal.SIGKILL
    assert len(acknowledged) < len(all_pairs(tracklets))
    stored = Counter(event.tracklets for event in read_log(tmp_path).events)
    assert set(stored.values()) == {1}
    assert set(acknowledged) <= set(stored)
    assert len(stored) <= len(acknowledged) + 1  # one was perhaps stored and not yet told
    folder = LinkFolder(tmp_path)
    folder.decide("ann", ("gate-a-0058", "gate-a-0059"), Decision.SAME)
    assert len(read_log(tmp_path).events) == len(stored) + 1


def test_the_log_is_held_alone_from_reading_to_writing(tmp_path):
    with locked_log(tmp_path) as log, (tmp_path / LINKS_FILE).open() as other:
        log.append(EVENTS)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_two_processes_at_once_lose_and_double_nothing(tmp_path):
    tracklets = write_folder(tmp_path, [seen(f"gate-a-{number:04d}") for number in range(8)])
    linkers = [start_linker(tmp_path, annotator) for annotator in ("ann", "bob")]
    for linker in linkers:
        linker.communicate()
        assert linker.returncode == 0
    stored = Counter((event.annotator, event.tracklets) for event in read_log(tmp_path).events)
    assert stored == Counter((who, pair) for who in ("ann", "bob") for pair in all_pairs(tracklets))


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
ONE_OF_EACH = [DECISION, PLAIN, UndoEvent(**SHARED, undoes="e0"), RequireEvent(**SHARED, annotators=2)]


ONE_OF_EACH.append(RebuildEvent(**SHARED, moved={Seen("a", "0"): Seen("b", "1"), Seen("b", "0"): Seen("a", "1")}))


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
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
