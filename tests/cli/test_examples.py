"""Every command has an example that the parser takes, and stands in the documentation as it is."""

import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from skyreid.building.sources import parse_source
from skyreid.cli import COMMANDS, RENAMED, main
from skyreid.cli.arguments import EXAMPLES, parse
from skyreid.recipes import RECIPES
from skyreid.tracklet import Platform
from tests.cli.command_table import command_table

DOCS = Path(__file__).parents[2] / "docs"


def test_every_command_has_one_example():
    assert list(EXAMPLES) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_parser_takes_the_example(name):
    words = shlex.split(EXAMPLES[name].removeprefix('eval "$(').removesuffix(')"'))
    length = len(name.split()) + 1
    assert words[:length] == ["skyreid", *name.split()]
    if name == "train":
        assert words[length] in RECIPES
    else:
        parse(COMMANDS[name], f"skyreid {name}", words[length:])


def test_the_sources_of_the_example_are_sources():
    words = shlex.split(EXAMPLES["build"])
    sources = [parse_source(value) for option, value in pairwise(words) if option == "--source"]
    assert [source.platform for source in sources] == [Platform.GROUND, Platform.AERIAL]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_shows_the_example(name, capsys):
    assert main([*name.split(), "--help"]) == 0
    assert EXAMPLES[name] in " ".join(capsys.readouterr().out.split())


def test_the_table_of_commands_is_that_of_the_program():
    """If it is not: python -m tests.cli.command_table > docs/commands.md."""
    assert (DOCS / "commands.md").read_text(encoding="utf-8") == command_table()


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_word_goes_on_working_and_says_the_new_one(old, new, capsys):
    assert main([old, "--help"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"usage: skyreid {new}")
    assert said.err == f"'skyreid {old}' is 'skyreid {new}' now; the old word goes on working in this version\n"


def test_the_old_table_of_methods_goes_on_working(capsys):
    assert main(["benchmark", "table2", "--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: skyreid reproduce table2")


def test_the_overview_fits_one_screen(capsys):
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 110
