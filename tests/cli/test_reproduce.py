"""`skyreid reproduce`."""

import json

import pytest

from skyreid.cli import main
from tests.training.conftest import tiny_g2a

__all__ = ["tiny_g2a"]


@pytest.fixture
def command(tiny_g2a, tmp_path):
    places = ["--data", "g2a-vreid", "--root", str(tiny_g2a), "--out", str(tmp_path / "out")]
    size = ["--epochs", "1", "--image-size", "64", "32", "--batch", "2", "2"]
    return ["reproduce", "table2", *places, *size]


def test_one_method_is_trained_and_printed_for_a_program_then_for_a_person(command, capsys):
    assert main([*command, "--methods", "vsla-clip", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert [row["method"] for row in content["rows"]] == ["vsla-clip"]
    assert content["config"]["reduction"] == {"image_size": [64, 32], "epochs": 1, "batch": [2, 2]}
    assert main([*command, "--methods", "vsla-clip"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "NOT COMPARABLE with the paper's figures: this is not its data, the settings are reduced."
    assert lines[2].startswith("vsla-clip ")


def test_a_mistyped_method_is_refused(command, capsys):
    assert main([*command, "--methods", "ap4d"]) == 1
    assert capsys.readouterr().err.startswith("error: no method is called ap4d; there are ap3d, ap3d-nl, ")


def test_another_table_is_refused(command):
    assert main([command[0], "table9", *command[2:]]) == 2


def test_a_table_without_a_row_ends_with_the_status_of_an_empty_result(command, capsys):
    assert main([*command[:-3], "--batch", "400", "2", "--methods", "sinet"]) == 3
    assert "sinet, seed 0: not run: a batch of 400 identities needs as many" in capsys.readouterr().out
