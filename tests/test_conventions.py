"""What review would refuse and a program can see."""

import ast
import re
from pathlib import Path

import pytest

import skyreid
from tests.conftest import THOROUGH

PACKAGE = Path(skyreid.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
FORBIDDEN_NAMES = {"utils", "misc", "helpers", "common", "core", "base", "tools"}
COMMAND_LINE = PACKAGE / "cli"


def name_of(path):
    return str(path.relative_to(PACKAGE))


def settings():
    """Every dataclass that somebody sets: the configs, schedules and decays of the recipes."""
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and re.search(r"(Config|Schedule|Decay)$", node.name):
                yield node


SETTINGS = list(settings())
READ_ATTRIBUTES = {
    node.attr
    for tree in TREES.values()
    for node in ast.walk(tree)
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
}


def test_the_settings_of_the_recipes_are_found():
    assert {"Stage1Config", "StepSchedule", "WeightDecay", "TripletConfig"} <= {found.name for found in SETTINGS}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda found: found.name)
def test_every_field_of_a_setting_is_read_somewhere(setting):
    fields = {node.target.id for node in setting.body if isinstance(node, ast.AnnAssign)}
    assert fields
    assert not fields - READ_ATTRIBUTES


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda found: found.name)
def test_every_setting_is_frozen_and_named_by_keyword(setting):
    assert [ast.unparse(decorator) for decorator in setting.decorator_list] == ["dataclass(frozen=True, kw_only=True)"]


def test_no_file_or_folder_has_a_name_that_says_nothing():
    named = {path.stem for path in FILES} | {part for path in FILES for part in path.relative_to(PACKAGE).parts[:-1]}
    assert not named & FORBIDDEN_NAMES


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_is_short_and_says_what_it_is(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 450
    assert not text or ast.get_docstring(TREES[path])


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_one_file_prints_so_that_no_name_reaches_a_terminal_as_it_is(path):
    calls = [node.func for node in ast.walk(TREES[path]) if isinstance(node, ast.Call)]
    prints = [call for call in calls if isinstance(call, ast.Name) and call.id == "print"]
    assert path == COMMAND_LINE / "terminal.py" or not prints


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_device_is_named_where_one_could_be_given(path):
    attributes = {node.attr for node in ast.walk(TREES[path]) if isinstance(node, ast.Attribute)}
    assert "cuda" not in attributes or path.name == "distributed.py"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_environment_is_read_at_the_launch_only(path):
    attributes = {node.attr for node in ast.walk(TREES[path]) if isinstance(node, ast.Attribute)}
    # The parser wraps its messages to a width that it takes from nowhere else.
    # The cache of weights is asked for when something is looked up in it.
    # Ray takes from nowhere else whether it stays on the loopback, and asks for a token.
    readers = (
        "processes/distributed.py",
        "processes/ray_cluster.py",
        "cli/arguments.py",
        "weights/weights_cache.py",
    )
    assert not attributes & {"environ", "getenv"} or name_of(path) in readers


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_annotation_is_a_string_by_a_future_import(path):
    """The shape checker of the tests cannot read postponed annotations."""
    imports = [node for node in ast.walk(TREES[path]) if isinstance(node, ast.ImportFrom)]
    assert "__future__" not in {node.module for node in imports}


def test_pictures_are_opened_in_one_place_and_only_as_pictures():
    """Pillow opens PostScript by starting a program; `picture_file` says which formats there are."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Image.open":
                assert "formats" in {keyword.arg for keyword in node.keywords}, f"{name_of(path)}:{node.lineno}"
                assert name_of(path) in ("files/picture_file.py", "simulation/pretraining.py")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_markup_stands_in_pages_only(path):
    is_page = path.relative_to(PACKAGE).parts[0] == "pages"
    tag = re.compile(r"<(body|div|p|span|section|table|td|figure|svg|path)( [a-z-]+=|>)")
    assert is_page or not tag.search(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", THOROUGH)
def test_what_only_the_thorough_run_tests_is_there(name):
    assert (Path(__file__).parent / f"{name}.py").is_file()
