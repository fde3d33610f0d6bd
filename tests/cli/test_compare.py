"""`skyreid compare`."""

import json

import pytest

from skyreid.cli import main
from skyreid.cli.evaluate import average, compare
from skyreid.errors import ProtocolError
from skyreid.evaluation.results.result_file import write_result
from tests.evaluation.results.result_examples import example_result


@pytest.fixture
def files(tmp_path):
    write_result(tmp_path / "a.json", example_result(precisions=[0.5, 0.5, 0.5]))
    write_result(tmp_path / "b.json", example_result(precisions=[1.0, 0.5, 1.0], model="tf-clip"))
    return tmp_path / "a.json", tmp_path / "b.json"


def test_two_files_are_compared_for_a_person(files, capsys):
    compare(*files)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("A: vsla-clip, seed 0")
    assert lines[1].startswith("B: tf-clip, seed 0")
    assert lines[3].startswith("mAP: 50.0% -> 83.3%, B - A +33.33 points, 95% interval +0.00 to +50.00, p = 0.")


def test_two_files_are_compared_for_a_program(files, capsys):
    compare(*files, json=True)
    content = json.loads(capsys.readouterr().out)
    assert (content["better"], content["worse"], content["queries"]) == (2, 0, 3)


def test_what_forbids_a_comparison_is_a_short_list_with_the_remedy_last(files, tmp_path, capsys):
    write_result(tmp_path / "other.json", example_result(sampling="all-frames", data_sha256="5" * 64))
    assert main(["compare", str(files[0]), str(tmp_path / "other.json")]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: A and B cannot be compared, because of: data sha256, sampling",
        "  data sha256: dddddddddddd and 555555555555",
        "  sampling: one-clip and all-frames",
        "  compare files of one name, DIRECTION.SAMPLING.RANKER.json, of two evaluations of the same data",
    ]


def test_ten_splits_are_averaged_and_nine_are_refused(tmp_path, capsys):
    paths = []
    for split in range(10):
        paths.append(tmp_path / f"{split}.json")
        write_result(paths[-1], example_result(precisions=(1.0, 0.5, 1 / (split + 1)), split=str(split)))
    average(tuple(paths), over="splits", json=True)
    scores = json.loads(capsys.readouterr().out)["scores"]
    expected = [(1.5 + 1 / (split + 1)) / 3 for split in range(10)]
    assert scores["mAP"]["mean"] == pytest.approx(sum(expected) / 10)
    assert scores["mAP"]["runs"] == 10
    with pytest.raises(ProtocolError, match="missing: 9"):
        average(tuple(paths[:-1]), over="splits")
