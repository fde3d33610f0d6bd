"""`skyreid link` as functions, and its questions answered in a real terminal."""

import csv
import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from skyreid.building.linking.event_log import read_log
from skyreid.cli.linking import link
from skyreid.datasets.manifest import read_manifest
from skyreid.errors import NothingFoundError, SettingError, SourceError
from skyreid.retrieval.embedding_table import save_table
from tests.building.linking.folders import seen, table_of, write_folder

PROGRAM = "import sys, tyro; from skyreid.cli.linking import link; tyro.cli(link, args=sys.argv[1:])"
HANGS_S = 120
"""No machine is as slow as that."""
GATE, DOOR, ROOF, ROOF2 = "gate-a-0001", "door-a-0001", "roof-a-0001", "roof-a-0002"


@pytest.fixture
def folder(tmp_path):
    built = write_folder(tmp_path / "built", [seen(GATE), seen(DOOR), seen(ROOF), seen(ROOF2, 3.0, 5.0)])
    save_table(tmp_path / "table.npz", table_of(built, [[1, 0], [0, 1], [1, 0.1], [0.5, 1]]))
    return tmp_path / "built"


@pytest.fixture
def table(tmp_path):
    return tmp_path / "table.npz"


def pids(folder):
    return [tracklet.pid for tracklet in read_manifest(folder / "manifest.jsonl").tracklets]


def decisions(folder):
    return [(event.annotator, event.tracklets, str(event.decision)) for event in read_log(folder).events]


def test_the_table_that_lies_in_the_folder_ranks_the_pairs(folder, table, tmp_path):
    pairs = tmp_path / "pairs.csv", tmp_path / "beside.csv"
    link(folder, table=table, out=pairs[0])
    table.rename(folder / "embeddings.npz")
    link(folder, out=pairs[1])
    assert pairs[1].read_text() == pairs[0].read_text()


def test_a_list_goes_out_and_comes_back_filled_in(folder, table, tmp_path, capsys):
    pairs = tmp_path / "pairs.csv"
    link(folder, table=table, out=pairs)
    with pairs.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["a", "b", "similarity", "plausibility", "score", "decision"]
    assert (rows[0]["a"], rows[0]["b"], rows[0]["decision"]) == (GATE, ROOF, "")
    assert len(rows) == 4
    rows[0]["decision"], rows[1]["decision"] = "same", "different"
    with pairs.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    link(folder, decisions=pairs, annotator="ann")
    assert capsys.readouterr().out.splitlines() == [
        f"4 pairs to decide: {pairs}",
        "2 decisions stored, 0 of them changed; 0 were already so, 2 lines are without a decision",
    ]
    assert pids(folder) == [1, 2, 1, 4]
    link(folder, table=table, out=pairs, per_tracklet=1, clock_tolerance_s=1.0)
    with pairs.open(newline="") as file:
        again = {(row["a"], row["b"]) for row in csv.DictReader(file)}
    assert not again & {(row["a"], row["b"]) for row in rows[:2]}


def test_undo_takes_the_last_decision_out_of_the_manifest(folder, tmp_path, capsys):
    (tmp_path / "d.jsonl").write_text(json.dumps({"a": GATE, "b": ROOF, "decision": "same"}))
    link(folder, decisions=tmp_path / "d.jsonl", annotator="ann")
    assert pids(folder) == [1, 2, 1, 4]
    link(folder, undo=True, annotator="ann")
    assert pids(folder) == [1, 2, 3, 4]
    assert capsys.readouterr().out.endswith(f"undone: {GATE} and {ROOF} were same\n")
    with pytest.raises(SourceError, match="'ann' has no decision to undo"):
        link(folder, undo=True, annotator="ann")


def test_the_report_tells_two_annotators_apart(folder, tmp_path, capsys):
    for annotator, word in (("ann", "same"), ("bob", "different")):
        (tmp_path / "d.jsonl").write_text(json.dumps({"a": GATE, "b": ROOF, "decision": word}))
        link(folder, decisions=tmp_path / "d.jsonl", annotator=annotator)
    disagreement = f"disagreement: {GATE} and {ROOF}: ann says same, bob says different"
    assert disagreement in capsys.readouterr().out
    assert pids(folder) == [1, 2, 3, 4]
    link(folder, report=True, require=2, annotator="ann")
    assert "(2 annotators required)" in capsys.readouterr().out
    link(folder, report=True, json=True)
    content = json.loads(capsys.readouterr().out)
    assert (content["required"], content["identities"], content["agreement"][0]["kappa"]) == (2, 4, 0.0)


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({"undo": True, "report": True}, "one thing at a time: --undo and --report do not go together"),
        ({}, "--annotator NAME must say who decides, for the questions in the terminal"),
        ({"undo": True}, "--annotator NAME must say who decides, for --undo"),
        ({"report": True, "require": 2}, "--annotator NAME must say who decides, for --report"),
        ({"report": True, "annotator": "ann"}, "--annotator means nothing to --report"),
        ({"annotator": "a", "json": True}, "--json means nothing to the questions in the terminal"),
        (
            {"decisions": Path("p.csv"), "annotator": "a", "per_tracklet": 3},
            "--per-tracklet means nothing to --decisions",
        ),
        ({"undo": True, "annotator": "a", "table": Path("t.npz")}, "--table means nothing to --undo"),
        (
            {"annotator": "a", "clock_tolerance_s": 0.0},
            "clock_tolerance_s must be a positive number of seconds; got 0.0",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(folder, options, refusal):
    with pytest.raises(SettingError) as raised:
        link(folder, **options)
    assert str(raised.value) == refusal


class Terminal:
    """A person at a real terminal: waits for what is shown, types, may pull the plug."""

    def __init__(self, *arguments):
        self._screen, inside = pty.openpty()
        command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
        self.process = subprocess.Popen(
            command, stdin=inside, stdout=inside, stderr=subprocess.DEVNULL, start_new_session=True
        )
        os.close(inside)

    def read_until(self, text):
        """What is shown up to and with `text`; None = up to the end."""
        shown = ""
        while text is None or text not in shown:
            if not select.select([self._screen], [], [], HANGS_S)[0]:
                pytest.fail(f"nothing more was shown after {shown!r}")
            try:
                more = os.read(self._screen, 4096)
            except OSError:  # the other side is gone
                more = b""
            if not more:
                assert text is None, shown
                break
            shown += more.decode()
        return shown.replace("\r\n", "\n")

    def type(self, line):
        os.write(self._screen, f"{line}\n".encode())

    def close(self):
        os.close(self._screen)
        return self.process.wait()


@pytest.fixture
def open_terminal():
    opened = []

    def open_one(*arguments):
        opened.append(Terminal(*arguments))
        return opened[-1]

    yield open_one
    for terminal in opened:
        terminal.process.kill()
        terminal.process.wait()


def test_questions_are_answered_in_a_terminal(folder, table, open_terminal):
    terminal = open_terminal(folder, "--table", table, "--annotator", "ann")
    shown = terminal.read_until("q = quit: ")
    assert "4 pairs. Similarity of appearance only, not proof of identity.\n" in shown
    assert f"[1/4] ground  {GATE}  2026-05-04 09:00:00+00:00 to 2026-05-04 09:00:02+00:00\n" in shown
    assert f"      aerial  {ROOF}  2026-05-04 11:00:10+02:00 to 2026-05-04 11:00:12+02:00\n" in shown
    assert "similarity 0.995, plausibility in time 0.912\n" in shown
    page = Path(shown.rpartition("picture: ")[2].split("\n")[0])
    assert page.parent == folder / "link"
    assert f"<title>{GATE} · {ROOF}</title>" in page.read_text()
    assert "2026-05-04 11:00:10 UTC+02:00" in page.read_text()
    terminal.type("maybe")
    assert "y, n, u, z or q; got 'maybe'" in terminal.read_until("q = quit: ")
    terminal.type("y")
    shown = terminal.read_until("q = quit: ")
    assert decisions(folder) == [("ann", (GATE, ROOF), "same")]  # stored before the next question
    assert f"ground  {DOOR}  0.0 s to 2.0 s in the video\n" in shown
    terminal.type("z")
    shown = terminal.read_until("q = quit: ")
    assert f"undone: {GATE} and {ROOF} were same\n" in shown
    assert f"[1/4] ground  {GATE}" in shown
    terminal.type("z")
    terminal.read_until("q = quit: ")
    terminal.type("y")
    terminal.read_until("q = quit: ")
    terminal.type("q")
    assert "1 link counts (1 annotator required)" in terminal.read_until(None)
    assert terminal.close() == 0
    assert pids(folder) == [1, 2, 1, 4]
    assert not page.exists()
    events = read_log(folder).events
    assert len(events) == 3
    assert (events[2].rank, events[2].similarity, events[2].seconds >= 0) == (1, pytest.approx(0.995, abs=1e-3), True)


def test_answers_given_before_the_plug_was_pulled_are_in_the_manifest_after_the_next_run(folder, capsys, open_terminal):
    terminal = open_terminal(folder, "--annotator", "ann")
    shown = terminal.read_until("q = quit: ")
    assert "similarity unknown" in shown
    terminal.type("y")
    terminal.read_until("q = quit: ")
    terminal.process.send_signal(signal.SIGKILL)
    assert terminal.close() == -signal.SIGKILL
    assert len(decisions(folder)) == 1
    assert pids(folder) == [1, 2, 3, 4]
    link(folder, report=True)
    assert len(set(pids(folder))) == 3
    assert "1 link counts" in capsys.readouterr().out


@pytest.mark.slow
def test_answers_may_come_from_a_pipe_and_end_when_it_ends(folder, table):
    command = [sys.executable, "-c", PROGRAM, str(folder), "--table", str(table), "--annotator", "ann"]
    run = subprocess.run(command, input="n\nu\n", capture_output=True, text=True, check=True)
    assert [(who, word) for who, _, word in decisions(folder)] == [("ann", "different"), ("ann", "unsure")]
    assert run.stdout.endswith("ann: 0 same, 1 different, 1 unsure\n")


def test_when_all_is_answered_it_says_so(folder, table, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n" * 4))
    link(folder, table=table, annotator="ann")
    assert "no pair is left to ask about\n" in capsys.readouterr().out
    for asked in ({"annotator": "bob"}, {"out": folder / "pairs.csv"}):
        with pytest.raises(NothingFoundError, match=r"^no pair is left to decide: "):
            link(folder, table=table, **asked)
