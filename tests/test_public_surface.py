"""What `import skyreid` offers, and what it does not load."""

import ast
import doctest
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import skyreid

SOURCE = Path(skyreid.__file__)


@pytest.mark.parametrize("name", skyreid.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(skyreid, name).__name__ == name
    assert getattr(skyreid, name).__doc__


@pytest.mark.parametrize("name", skyreid.__all__)
def test_the_examples_of_the_public_names_are_true(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    public = getattr(skyreid, name)
    names = vars(inspect.getmodule(public))
    for example in doctest.DocTestFinder(recurse=False).find(public, name, globs=dict(names)):
        assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example).failed == 0


def test_the_public_names_are_those_that_a_type_checker_sees():
    tree = ast.parse(SOURCE.read_text())
    declared = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("skyreid")
        for alias in node.names
    ]
    assert sorted(declared) == sorted(skyreid.__all__) == skyreid.__all__


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
