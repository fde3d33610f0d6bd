import json

import pytest

from skyreid.cli import main
from skyreid.datasets.benchmarks.mars_layout import OWN_FILE
from skyreid.datasets.manifest import write_manifest
from tests.datasets.miniature_trees import MINIATURES


@pytest.fixture(params=["manifest", "g2a-vreid"])
def miniature(request, tmp_path):
    root = tmp_path / request.param
    root.mkdir()
    MINIATURES[request.param](root)
    return root


@pytest.fixture
def g2a(tmp_path):
    root = tmp_path / "data/g2a"
    root.mkdir(parents=True)
    MINIATURES["g2a-vreid"](root)
    return root


def run(capsys, *arguments):
    status = main(arguments)
    return status, *capsys.readouterr()


def test_a_folder_tells_what_it_is(miniature, capsys, tmp_path):
    named = run(capsys, "data", "stats", miniature.name, "--root", str(miniature), "--json")
    picture = tmp_path / "picture.png"
    found = run(capsys, "data", "stats", str(miniature), "--json", "--picture", str(picture))
    assert found[:2] == named[:2]
    content = json.loads(found[1])
    assert content["name"] == miniature.name
    assert set(content["crop_widths_in_paper_range"]) == {"ground", "aerial"}
    assert picture.exists()


def test_what_we_wrote_is_verified_without_published_counts(miniature, capsys):
    (miniature / OWN_FILE).touch()
    for words in ([str(miniature)], [miniature.name, "--root", str(miniature)]):
        status, out, _ = run(capsys, "data", "verify", *words, "--json")
        assert (status, json.loads(out)["counts"]) == (0, [])


@pytest.mark.parametrize("command", ["stats", "verify"])
def test_a_folder_that_is_neither_is_refused_with_the_way_to_say_more(command, capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    status, out, err = run(capsys, "data", command, str(tmp_path / "empty"))
    assert (status, out) == (1, "")
    assert err == (
        f"error: {tmp_path / 'empty'}: it is an empty folder, no folder with manifest.jsonl or info/query_IDX.mat; "
        "name a benchmark and its folder: NAME --root FOLDER (skyreid data list)\n"
    )


def test_where_the_files_of_a_benchmark_are_is_said_one_level_up_and_down(capsys, g2a):
    """Kind C: a remedy for files that are missing."""
    root = g2a
    for folder, name, remedy in (
        (root.parent, "mars", f"; they lie under {root}: name that folder"),
        (root / "info", "mars", f"; they lie under {root}: name that folder"),
        (root, "ls-vid", "; it has the layout of g2a-vreid and g2a-vreid-v2 and mars: name that benchmark"),
        (
            root.parent,
            "ls-vid",
            f"; {root} has the layout of g2a-vreid and g2a-vreid-v2 and mars: name that benchmark and ",
        ),
    ):
        status, out, _ = run(capsys, "data", "verify", name, "--root", str(folder))
        assert status == 1
        assert remedy in out


def test_frames_that_lie_one_level_too_low_are_found(capsys, g2a):
    inner = g2a / "bbox_test"
    people = [*inner.iterdir()]
    (inner / "bbox_test").mkdir()
    for folder in people:
        folder.rename(inner / "bbox_test" / folder.name)
    status, out, _ = run(capsys, "data", "verify", "mars", "--root", str(g2a))
    assert status == 1
    assert out.splitlines()[-1].endswith(f" lies under {inner}; move what lies there to {g2a}")


@pytest.mark.parametrize(
    "command",
    [
        ["data", "verify", "FOLDER"],
        ["data", "stats", "FOLDER"],
        ["embed", "FOLDER", "--model", "none", "--out", "t.npz"],
    ],
)
def test_a_manifest_that_lists_nobody_is_no_success(capsys, tmp_path, command):
    """Kind C7: empty results end with status 3 and say what to try."""
    write_manifest(tmp_path / "manifest.jsonl", [])
    status, _, err = run(capsys, *(str(tmp_path) if word == "FOLDER" else word for word in command))
    assert status == 3
    assert "lists no tracklets: nobody was found when it was built; build it anew with --detector or annotations" in err
