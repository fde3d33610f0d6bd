"""Kinds C8 and B6: streams, names that a terminal would obey, pipes, encodings, interruptions, empty results."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from skyreid.checkpoint import write_checkpoint
from skyreid.cli import COMMANDS, KEPT, main
from skyreid.cli.terminal import Bars, prepare_streams, visible
from skyreid.datasets.manifest import write_manifest
from skyreid.files.config_json import to_json
from skyreid.tracklet import PLATFORMS, Frame, Tracklet
from tests.building.films import write_film
from tests.tiny_model import tiny_model

HOSTILE = "[/x]\x1b[2J\x1b]0;owned\x07\u202egpj.\x9b31m"
SHOWN = r"[/x]\x1b[2J\x1b]0;owned\x07\u202egpj.\x9b31m"


def run(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    return status, *capsys.readouterr()


def hear_interruptions():
    """Who was started in the background is deaf to them, and so are its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(*arguments, **options):
    command = [sys.executable, "-m", "skyreid", *map(str, arguments)]
    return subprocess.Popen(command, preexec_fn=hear_interruptions, **options)


def write_footage(folder, prefix):
    tracklets = []
    for number in range(3):
        path = folder / f"{number}.png"
        Image.fromarray(np.full((24, 16, 3), 60 * number, np.uint8)).save(path)
        platform = PLATFORMS[number % 2]
        frames = (Frame(str(path)),)
        tracklets.append(Tracklet(tracklet_id=f"{prefix}{number}", frames=frames, pid=0, camid=0, platform=platform))
    write_manifest(folder / "manifest.jsonl", tracklets)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint") / "model"
    tiny = tiny_model()
    config = {"kind": "vsla-clip", "model": to_json(tiny.config)}
    write_checkpoint(folder, weights=tiny.state_dict(), config=config, provenance={})
    return folder


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("gate 01, Zoë 日本 [red]é", "gate 01, Zoë 日本 [red]é"),
        (HOSTILE, SHOWN),
        ("two\nlines\r", r"two\nlines\r"),
        ("file-\udcff.mp4", r"file-\udcff.mp4"),
        ("a\u2028b\u200bc", r"a\u2028b\u200bc"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text, shown):
    assert visible(text) == shown


def test_ids_are_shown_and_not_obeyed_by_search(tmp_path, capsys, model):
    write_footage(tmp_path, HOSTILE)
    table, page = tmp_path / "t.npz", tmp_path / "page.html"
    assert run(capsys, "embed", tmp_path, "--model", model, "--out", table)[0] == 0
    status, out, err = run(capsys, "search", table, "--query", f"{HOSTILE}0", "--to", "aerial", "--out", page)
    assert (status, out.splitlines()[0].split(maxsplit=1)[1]) == (0, f"{SHOWN}1")
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & {*out, *err}
    status, out, err = run(capsys, "search", table, "--query", f"{HOSTILE}9", "--out", page)
    assert (status, out) == (1, "")
    assert SHOWN in err.replace("\\\\", "\\")
    assert len(err.splitlines()) == 1


def test_bars_show_what_they_are_told(capsys):
    with Bars() as bars:
        bars(f"cut {HOSTILE}", 1, 1, HOSTILE)
    err = capsys.readouterr().err
    assert err.replace("\n", "").count("\\x1b]0;owned") == 2
    assert not {"\x1b", "\x07", "\u202e"} & {*err}


def test_logs_show_what_they_are_told():
    """In a process of its own, since the tests take logs for themselves."""
    program = (
        "import logging, sys; from skyreid.cli.terminal import prepare_streams; prepare_streams(quiet=False); "
        f"logging.getLogger('skyreid').warning('%s', {HOSTILE!r})"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, encoding="utf-8")
    assert finished.stderr == f"WARNING {SHOWN}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", HOSTILE, "--query", "t", "--out", "page.html"],
        ["search", "t.npz", "--query", "t", "--out", "page.html", "--to", HOSTILE],
        ["search", "t.npz", "--query", "t", "--out", "page.html", HOSTILE],
        ["recipe", "show", HOSTILE],
        ["train", "vsla-clip-g2a-release", "--stage1.epochs", HOSTILE],
        ["build", "--out", "out", "--source", f"{HOSTILE}.mp4,platform=ground,camera=gate"],
        [HOSTILE],
    ],
)
def test_every_complaint_shows_what_was_typed_and_does_not_obey_it(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, *arguments)
    assert status in (1, 2)
    assert "owned" in err
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & {*out, *err}


@pytest.mark.parametrize("encoding", [pytest.param("latin-1", marks=pytest.mark.slow), "ascii"])
def test_a_terminal_that_lacks_a_letter_ends_nothing(tmp_path, encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "LANG": "C", "LC_ALL": "C"}
    finished = subprocess.run(
        [sys.executable, "-m", "skyreid", "train", "--help"], env=environment, capture_output=True, cwd=tmp_path
    )
    assert (finished.returncode, finished.stderr) == (0, b"")
    assert rb"[setting \u2026]" in finished.stdout
    finished = subprocess.run(
        [sys.executable, "-m", "skyreid", "recipe", "show", "日本"], env=environment, capture_output=True, cwd=tmp_path
    )
    assert finished.returncode == 1
    assert finished.stderr.startswith(rb"error: no recipe is called '")
    assert finished.stderr.isascii()


def test_a_reader_that_goes_away_ends_the_command_without_a_word():
    reading, writing = os.pipe()
    os.close(reading)
    command = start("data", "list", stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert command.communicate()[1] == b""
    assert command.returncode == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")  # noqa: PTH110
def test_output_onto_a_full_disk_is_an_error_in_one_line():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command = start("data", "list", stdout=full, stderr=subprocess.PIPE, text=True)
    assert command.communicate()[1] == "error: the standard output: No space left on device\n"
    assert command.returncode == 1


@pytest.mark.parametrize("name", KEPT)
def test_an_interrupted_command_says_what_is_kept_and_how_to_go_on(monkeypatch, capsys, name):
    def stop(*_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(COMMANDS, name, stop)
    monkeypatch.setattr("skyreid.cli.train", stop)
    status, out, err = run(capsys, *name.split(), *(["vsla clip"] if name == "train" else []))
    again = "skyreid train 'vsla clip' --resume" if name == "train" else f"skyreid {name}"
    assert (status, out, err) == (130, "", f"interrupted; {KEPT[name]}. To go on: {again}\n")


@pytest.mark.slow
def test_a_simulation_that_was_interrupted_goes_on_with_the_command_that_it_names(tmp_path):
    arguments = ("simulate", "--out", "world", "--identities", "4", "--workers", "1")
    command = start(*arguments, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.glob("world/videos/*.mp4")):
        time.sleep(0.1)
        assert command.poll() is None
    command.send_signal(signal.SIGINT)
    last = command.communicate()[1].splitlines()[-1]
    assert command.returncode == 130
    assert last == (
        "interrupted; the videos that are finished are kept in --out. "
        "To go on: skyreid simulate --out world --identities 4 --workers 1"
    )
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("world/videos/*.mp4")}
    going_on = start(*arguments, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(list(tmp_path.glob("world/videos/*.mp4"))) == len(kept):
        time.sleep(0.1)
        assert going_on.poll() is None
    going_on.kill()
    going_on.wait()
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_quiet_leaves_results_and_errors(tmp_path, capsys):
    write_footage(tmp_path, "t")
    status, out, err = run(capsys, "data", "verify", tmp_path, "--quiet")
    assert (status, err) == (0, "")
    assert "pass" in out
    status, out, err = run(capsys, "--quiet", "recipe", "show", "nothing")
    assert (status, out) == (1, "")
    assert err.startswith("error: no recipe is called 'nothing'")
    prepare_streams(quiet=False)


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("tpu", "--device must be auto, cpu, cuda or cuda:NUMBER; got 'tpu'"),
        ("cuda:99", "--device cuda:99: PyTorch sees no such GPU here; --device cpu, or none, runs on the CPU"),
    ],
)
def test_a_device_that_is_not_there_is_refused(capsys, monkeypatch, device, message):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert run(capsys, "data", "list", f"--device={device}") == (1, "", f"error: {message}\n")


def test_on_the_cpu_no_gpu_is_seen_by_this_process_or_those_it_starts(capsys, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert run(capsys, "data", "list", "--device", "cpu")[0] == 0
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_a_fault_of_ours_is_told_from_one_of_the_caller(capsys, monkeypatch):
    def fail() -> None:
        raise ZeroDivisionError(HOSTILE)

    monkeypatch.setitem(COMMANDS, "compare", fail)
    status, out, err = run(capsys, "compare")
    assert (status, out) == (70, "")
    assert f"ZeroDivisionError: {SHOWN}" in err
    assert err.splitlines()[-1].startswith("error: this is a fault of skyreid")


def test_what_a_disk_did_is_one_line_even_where_it_names_no_file(capsys, monkeypatch):
    def fail() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(COMMANDS, "compare", fail)
    assert run(capsys, "compare") == (
        1,
        "",
        "error: skyreid compare: a file: No space left on device; free some space, and run the same command again, "
        "train with --resume\n",
    )


def test_a_build_in_which_nobody_was_found_ends_with_3_and_says_what_to_try(tmp_path, capsys):
    """Kind C7."""
    film = write_film(tmp_path / "empty.mov", np.full((40, 60, 80, 3), 90, np.uint8), rate=5)
    status, out, err = run(
        capsys, "build", "--out", tmp_path / "out", "--source", f"{film},platform=ground,camera=gate", "--json"
    )
    assert status == 3
    assert json.loads(out)["sources"][0]["tracklets"] == 0
    assert err.splitlines()[-1].startswith(
        "error: nobody was found, neither annotated nor by motion. Try a detector (--d"
    )


def test_nothing_is_embedded_from_a_folder_without_tracklets(tmp_path, capsys, model):
    """Kind C7."""
    write_manifest(tmp_path / "manifest.jsonl", [])
    status, out, err = run(capsys, "embed", tmp_path, "--model", model, "--out", tmp_path / "t.npz")
    assert (status, out) == (3, "")
    assert "no tracklets" in err
    assert not (tmp_path / "t.npz").exists()


def test_a_folder_without_tracklets_is_no_success(tmp_path, capsys):
    """Kind C7."""
    write_manifest(tmp_path / "manifest.jsonl", [])
    status, _, err = run(capsys, "data", "stats", tmp_path)
    assert status == 3
    assert err.splitlines()[-1].startswith(
        f"error: {tmp_path}: lists no tracklets: nobody was found when it was built; "
    )


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["ev"], {"evaluate"}),
        (["data", ""], {"export", "list", "verify", "stats", "split"}),
        (["search", "t.npz", "--to", ""], {"aerial", "ground", "any"}),
        (["build", "--mask-s"], {"--mask-style"}),
        (["build", "--out", "x", "--qu"], {"--quiet"}),
        (["model", "import", "open"], {"openai", "open_clip"}),
        (["train", "grl-nat"], {"grl-native"}),
        (["train", "grl-native", "--res"], {"--resume"}),
        (["embed", "fold"], set()),  # files, which are the shell's own business
    ],
)
def test_the_shell_completes_commands_options_and_choices(capsys, words, completed):
    status, script, _ = run(capsys, "completion", "bash")
    assert status == 0
    typed = " ".join(f"'{word}'" for word in words)
    program = f'{script}\nCOMP_WORDS=(skyreid {typed}); COMP_CWORD={len(words)}; _skyreid; echo "${{COMPREPLY[*]}}"'
    finished = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert set(finished.stdout.split()) == completed
