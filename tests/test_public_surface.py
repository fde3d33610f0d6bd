"""What `import skyreid` offers, and what it does not load."""

import ast
import doctest
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import skyreid
from skyreid.checkpoint import write_checkpoint
from skyreid.extraction.embed_tracklets import ExtractionConfig
from skyreid.files.config_json import to_json
from tests.tiny_model import tiny_model

SOURCE = Path(skyreid.__file__)


FUNCTIONS_AND_TYPES = [name for name in skyreid.__all__ if not name.isupper()]
FUNCTIONS = [name for name in skyreid.__all__ if name.islower()]


@pytest.mark.parametrize("name", FUNCTIONS_AND_TYPES)
def test_every_public_name_can_be_imported_and_says_what_it_is(name):
    assert getattr(skyreid, name).__name__ == name
    assert getattr(skyreid, name).__doc__


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_says_what_it_raises(name):
    assert "\nRaises:\n" in (inspect.getdoc(getattr(skyreid, name)) or "")


def test_the_public_names_can_be_completed():
    assert set(skyreid.__all__) <= set(dir(skyreid))


def test_the_protocols_are_public_by_their_names():
    assert skyreid.PROTOCOLS["cross-platform"].other_platform_only


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with what the examples name."""
    folder, model = tmp_path_factory.mktemp("desk"), tiny_model()
    config = {"kind": "vsla-clip", "model": to_json(model.config), "num_identities": 5}
    config["feeding"] = to_json(ExtractionConfig(clip_length=4).feeding_of(model.encoder))
    write_checkpoint(folder / "checkpoint", weights=model.state_dict(), config=config, provenance={})
    return folder


@pytest.mark.parametrize("name", FUNCTIONS_AND_TYPES)
def test_the_examples_of_the_public_names_are_true(name, desk, monkeypatch, capsys):
    monkeypatch.chdir(desk)
    public = getattr(skyreid, name)
    module = inspect.getmodule(public)
    for example in doctest.DocTestFinder().find(public, name, module=module, globs=dict(vars(module))):
        failed = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example).failed
        assert failed == 0, capsys.readouterr().out


def test_the_public_names_are_those_that_a_type_checker_sees():
    tree = ast.parse(SOURCE.read_text())
    declared = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("skyreid")
        for alias in node.names
    ]
    assert sorted(declared) == sorted(skyreid.__all__)


def test_a_name_that_is_not_public_is_refused_as_python_does():
    with pytest.raises(AttributeError, match=r"^module 'skyreid' has no attribute 'Trainer'$"):
        _ = skyreid.Trainer


def test_neither_the_import_nor_the_help_loads_pytorch():
    program = """
import sys
import skyreid
skyreid.Platform.GROUND
from skyreid.cli import main
assert main(["--help"]) == 0
try:
    main(["evaluate", "tables", "--help"])
except SystemExit as stop:
    assert stop.code == 0
print(sorted({"torch", "torchvision", "cv2", "scipy", "matplotlib"} & sys.modules.keys()))
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1] == "[]"


def test_an_ordinary_build_does_not_load_pytorch():
    """It takes most of the start and two thirds of the memory of a refusal, and nothing of a build needs it."""
    program = "import sys, skyreid.building.build, skyreid.cli.footage; print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
