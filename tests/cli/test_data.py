import json

import pytest

from skyreid.cli import main
from skyreid.datasets.mars_layout import OWN_FILE
from tests.datasets.miniature_trees import MINIATURES


@pytest.fixture(params=["manifest", "g2a-vreid"])
def miniature(request, tmp_path):
    root = tmp_path / request.param
    root.mkdir()
    MINIATURES[request.param](root)
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
        f"error: {tmp_path / 'empty'}: holds neither manifest.jsonl nor info/query_IDX.mat; name the benchmark and its "
        "folder: NAME --root FOLDER (skyreid data list)\n"
    )
