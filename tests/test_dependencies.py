"""The declared dependencies, what CI installs and the bill of materials say the same."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCK = (ROOT / ".ci/requirements.txt").read_text()
LOCKED = {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+) ", LOCK, re.MULTILINE)}
BILL = json.loads((ROOT / ".ci/sbom.cdx.json").read_text())


@pytest.mark.parametrize("declared", [*PROJECT["dependencies"], *EXTRAS["dev"]])
def test_ci_installs_a_version_that_is_declared(declared):
    requirement = Requirement(declared)
    assert requirement.specifier.contains(Version(LOCKED[canonicalize_name(requirement.name)]))


BROUGHT = [*PROJECT["dependencies"], *EXTRAS["detection"], *EXTRAS["serve"]]


@pytest.mark.parametrize("declared", BROUGHT)
def test_every_dependency_has_a_lowest_version_that_ci_can_install(declared):
    bounds = {bound.operator for bound in Requirement(declared).specifier}
    assert bounds in ({">=", "<"}, {"=="})


def test_every_locked_file_is_held_against_a_hash_and_no_path_of_a_machine_stands_in_the_lock():
    entries = re.split(r"^(?=\w)", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) == len(LOCKED)
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"file:|find-links|@ |/opt|/home", LOCK)


def test_the_bill_of_materials_lists_the_dependencies_in_the_locked_versions():
    listed = {canonicalize_name(component["name"]): component["version"] for component in BILL["components"]}
    declared = {canonicalize_name(Requirement(line).name) for line in BROUGHT}
    assert declared <= listed.keys()
    assert {name: LOCKED[name] for name in declared} == {name: listed[name] for name in declared}


def test_the_bill_of_materials_tells_of_the_gpl_libraries_in_pyav_s_wheel():
    (video,) = (component for component in BILL["components"] if component["name"] == "av")
    licences = {carried["name"]: carried.get("licenses") for carried in video["components"]}
    assert licences["x264"] == licences["x265"] == [{"license": {"id": "GPL-2.0-or-later"}}]
