"""The command line in process: help, suggestions, documented JSON, exit statuses."""

import inspect
import json
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest
from PIL import Image

from skyreid.checkpoint import write_checkpoint
from skyreid.cli import COMMANDS, main
from skyreid.datasets.benchmarks import BENCHMARKS
from skyreid.datasets.manifest import write_manifest
from skyreid.files.config_json import to_json
from skyreid.recipes import RECIPES
from skyreid.tracklet import PLATFORMS, Frame, Tracklet
from tests.tiny_model import tiny_model

NO_WEIGHTS = "gone.pt must be a file of weights (docs/data-and-weights.md says where to get one); nothing lies there"
NO_TABLE = "a.npz must be an embedding table ('skyreid embed' writes it); nothing lies there"


def run(capsys, *arguments):
    """Exit status, standard output, standard error."""
    try:
        status = main(arguments)
    except SystemExit as stop:  # how a parser ends
        status = stop.code
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def save_arrays(path, embeddings, *, platforms, pids, **changes):
    arrays = {
        "embeddings": np.array(embeddings, dtype=np.float32),
        "pids": np.array(pids),
        "camids": np.arange(len(pids)),
        "platforms": np.array(platforms),
        "tracklet_ids": np.arange(len(pids)),
        **changes,
    }
    np.savez(path, **arrays)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(capsys, name):
    status, out, _ = run(capsys, *name.split(), "--help")
    assert status == 0
    assert f"skyreid {name}" in out


# `train` reads it itself, `serve` has no result; sorted, since all workers must collect in one order.
@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"train", "serve"}))
def test_every_command_takes_json(name):
    assert inspect.signature(COMMANDS[name]).parameters["json"].default is False


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_the_overview_lists_every_command(capsys, arguments):
    status, out, err = run(capsys, *arguments)
    assert status == 0
    assert err == ""
    for name in COMMANDS:
        family = name.partition(" ")[0]
        # A large family takes one line, and is listed when it is asked for.
        told = run(capsys, family)[1] if f"\n  skyreid {family} … " in out else out
        assert f"\n  skyreid {name} " in told


@pytest.mark.parametrize(("given", "meant"), [("serach", "search"), ("data verfy", "data verify"), ("xyzzy", None)])
def test_what_is_no_command_is_named_and_the_commands_are_listed(capsys, given, meant):
    status, out, err = run(capsys, *given.split())
    assert status == 2
    hint = f"; did you mean '{meant}'?" if meant else ""
    assert err == f"error: no command is called '{given}'{hint}\n"
    assert "skyreid data " in out


@pytest.mark.parametrize("given", ["data", "data --help", "data -h"])
def test_a_family_of_commands_lists_its_own(capsys, given):
    status, out, err = run(capsys, *given.split())
    assert (status, err) == (0, "")
    assert "skyreid data " in out
    assert "skyreid train" not in out


def test_the_version_is_told(capsys):
    assert run(capsys, "--version") == (0, f"{version('skyreid')}\n", "")


@pytest.mark.parametrize("command", ["train", "recipe show", "model info"])
def test_a_mistyped_recipe_is_answered_with_the_nearest_one(capsys, command):
    status, out, err = run(capsys, *command.split(), "vsla-clip-g2a-relase")
    assert status == 1
    assert out == ""
    assert err == (
        "error: no recipe is called 'vsla-clip-g2a-relase'; did you mean 'vsla-clip-g2a-release'? "
        "(skyreid recipe list)\n"
    )


def test_a_mistyped_setting_is_answered_with_the_nearest_one(capsys):
    status, _, err = run(capsys, "train", "vsla-clip-g2a-release", "--stage1.batch-siez", "8")
    assert status == 2
    assert "--stage1.batch-size" in err


def test_an_impossible_setting_is_refused_before_anything_runs(capsys):
    status, _, err = run(capsys, "train", "vsla-clip-g2a-release", "--stage1.batch-size", "1")
    assert status == 2
    assert "stage1.batch_size must be at least 2; got 1" in err


def test_train_without_a_recipe_lists_them(capsys):
    status, out, _ = run(capsys, "train")
    assert status == 2
    for recipe in RECIPES:
        assert f"  {recipe}\n" in out


@pytest.mark.parametrize("recipe", ["vsla-clip-g2a-release", "ft-clip-mars-paper"])
def test_show_prints_the_whole_configuration(capsys, recipe):
    status, out, err = run(capsys, "recipe", "show", recipe)
    assert (status, err) == (0, "")
    assert json.loads(out) == to_json(RECIPES[recipe]())


def test_data_list_names_every_benchmark(capsys):
    status, out, _ = run(capsys, "data", "list")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == list(BENCHMARKS)


def test_evaluate_tables_prints_the_documented_json_and_nothing_else(capsys, tmp_path):
    angles = np.radians([0, 90, 20, 80, 160])
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    save_arrays(tmp_path / "query.npz", directions[:2], platforms=[0, 0], pids=[1, 2])
    save_arrays(tmp_path / "gallery.npz", directions[2:], platforms=[1, 1, 1], pids=[1, 3, 2])
    tables = str(tmp_path / "query.npz"), str(tmp_path / "gallery.npz")
    status, out, _ = run(capsys, "evaluate", "tables", *tables, "--protocol", "ground-to-aerial", "--json")
    assert status == 0
    content = json.loads(out)
    intervals = content.pop("intervals")
    assert content == {
        "protocol": "ground-to-aerial",
        "mAP": pytest.approx((1 + 1 / 3) / 2),  # the second query finds its person third
        "mINP": pytest.approx((1 + 1 / 3) / 2),
        "cmc": {"1": 0.5, "5": 1.0, "10": 1.0, "20": 1.0},
        "queries": 2,
        "queries_without_match": 0,
        "ranker": "cosine",
        "slices": [],
    }
    assert intervals["mAP"] == [pytest.approx(1 / 3), 1.0]
    assert set(intervals) == {"mAP", "mINP", "rank-1", "rank-5", "rank-10", "rank-20"}


@pytest.mark.parametrize(
    "given",
    [
        ["--source", "{a}", "--source", "{b}"],
        ["--source", "{a}", "{b}"],
        ["--source", "{b}", "--source", "{a}"],
        ["--source={a}", "--source={b}"],
        ["--source={b}", "--source={a}"],
    ],
)
def test_every_source_counts_however_it_is_given(capsys, tmp_path, given):
    sources = {"a": "gate.mp4,platform=ground,camera=gate", "b": "drone.mp4,platform=air,camera=drone"}
    arguments = [argument.format(**sources) for argument in given]
    status, _, err = run(capsys, "build", "--out", str(tmp_path / "out"), *arguments)
    assert status == 1
    assert "drone.mp4" in err  # all sources are read before the first file is looked for
    assert "air" in err


def test_footage_is_embedded_and_searched(capsys, tmp_path):
    rng = np.random.default_rng(0)
    tracklets = []
    for number in range(3):
        path = tmp_path / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (24, 16, 3), dtype=np.uint8)).save(path)
        platform = PLATFORMS[number % 2]
        frames = (Frame(str(path)),)
        tracklets.append(Tracklet(tracklet_id=f"t{number}", frames=frames, pid=0, camid=0, platform=platform))
    write_manifest(tmp_path / "manifest.jsonl", tracklets)
    model = tiny_model()
    config = {"kind": "vsla-clip", "model": to_json(model.config)}
    write_checkpoint(tmp_path / "model", weights=model.state_dict(), config=config, provenance={})
    table, page = tmp_path / "table.npz", tmp_path / "page.html"
    status, out, _ = run(capsys, "embed", str(tmp_path), "--model", str(tmp_path / "model"), "--out", str(table))
    assert status == 0
    assert out.startswith(f"3 tracklets embedded into {table}: clips of 8 frames")
    status, out, _ = run(capsys, "search", str(table), "--query", "t0", "--to", "aerial", "-k", "5", "--out", str(page))
    assert status == 0
    first, *_, last = [line.split()[-1] for line in out.splitlines()]
    assert (first, last) == ("t1", str(page))
    assert "A ranking is not an identification." in out
    assert page.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("evaluate tables a.npz b.npz --protocol mars", NO_TABLE),
        ("search a.npz --query t --out page.html", NO_TABLE),
        (
            "model import openai gone.pt --out model",
            NO_WEIGHTS,
        ),
        ("recipe show [red]recipe", "no recipe is called '[red]recipe' (skyreid recipe list)"),
        ("recipe show [/]", "no recipe is called '[/]' (skyreid recipe list)"),
    ],
)
def test_what_a_user_can_mend_is_one_line_on_stderr_and_status_1(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, *arguments.split())
    assert (status, out, err) == (1, "", f"error: {message}\n")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        "data stats g2a-vreid --root nowhere",
        "embed nowhere --model nomodel --out table.npz",
        "train vsla-clip-g2a-release --data-root nowhere --run-dir run",
        "build --out out --source gone.mp4,platform=ground,camera=gate",
    ],
)
def test_a_folder_or_file_that_is_not_there_ends_in_one_line_of_error(capsys, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, *arguments.split())
    assert (status, out) == (1, "")
    assert err.splitlines()[-1].startswith("error: ")
    assert err.count("error: ") == 1


def test_the_status_of_the_program_is_that_of_the_command(tmp_path):
    finished = subprocess.run(
        [sys.executable, "-m", "skyreid", "evaluate", "tables", "a.npz", "b.npz", "--protocol", "mars"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (finished.returncode, finished.stdout, finished.stderr) == (1, "", f"error: {NO_TABLE}\n")


@pytest.mark.parametrize("command", ["train", "recipe show", "model info"])
def test_a_folder_in_place_of_a_recipe_is_called_one(capsys, tmp_path, command):
    status, _, err = run(capsys, *command.split(), str(tmp_path))
    assert status == 1
    assert err.endswith("; that is a folder, and a recipe is a name (skyreid recipe list)\n")
