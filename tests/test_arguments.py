"""What callers hand over: paths, names and platforms, as they have them (kind C2)."""

import os
import re
from pathlib import Path

import pytest

from skyreid.arguments import find_named, kind_of, path_of
from skyreid.datasets.protocol import CROSS_PLATFORM, PROTOCOLS, EvaluationProtocol, find_protocol
from skyreid.errors import ProtocolError, SettingError, SkyreidError
from skyreid.tracklet import Platform


@pytest.mark.parametrize("given", ["a/b", Path("a/b"), os.DirEntry, "~/a/b"])
def test_a_path_is_a_string_or_a_path_and_the_tilde_is_home(given, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    if given is os.DirEntry:
        (tmp_path / "b").touch()
        (given,) = os.scandir(tmp_path)
    expected = {"a/b": Path("a/b"), "~/a/b": tmp_path / "a/b"}.get(str(given), tmp_path / "b")
    assert path_of(given, "a table") == expected


def test_a_folder_that_only_begins_with_a_tilde_is_a_folder():
    assert path_of("~nobody-is-called-so/a", "a table") == Path("~nobody-is-called-so/a")


def test_no_path_is_refused():
    with pytest.raises(SettingError, match=r"^a table is given by its path; got an empty one$"):
        path_of("", "a table")


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("ground to aerial", " (did you mean 'ground-to-aerial'?)"),
        ("Cross_Platform", " (did you mean 'cross-platform'?)"),
        ("xyz", ""),
    ],
)
def test_a_protocol_that_is_not_there_gets_a_suggestion(given, hint):
    message = f"no protocol is called {given!r}{hint}; known: {', '.join(PROTOCOLS)}"
    with pytest.raises(ProtocolError, match=f"^{re.escape(message)}$"):
        find_protocol(given)


def test_every_protocol_is_found_by_its_own_name_and_one_s_own_is_taken():
    for name, protocol in PROTOCOLS.items():
        assert find_protocol(name) is protocol
        assert protocol.name == name
    own = EvaluationProtocol(name="mine", other_platform_only=True)
    assert find_protocol(own) is own
    assert find_protocol(CROSS_PLATFORM) is CROSS_PLATFORM


def test_the_error_of_a_name_is_the_one_asked_for():
    with pytest.raises(ProtocolError, match=r"^no colour is called 'rde' \(did you mean 'red'\?\); known: red, blue$"):
        find_named("rde", {"red": 1, "blue": 2}, "colour", error=ProtocolError)


@pytest.mark.parametrize("platform", Platform)
def test_a_platform_is_found_by_its_name(platform):
    assert Platform(platform.value) is platform


@pytest.mark.parametrize("given", ["drone", "", "Aerial", 1, None])
def test_what_is_no_platform_is_refused_as_every_mistake_of_a_caller(given):
    with pytest.raises(SkyreidError, match=f"^a platform is 'ground' or 'aerial'; got {given!r}$"):
        Platform(given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "None"),
        (5, "5 of the type int"),
        ("x" * 100, "an object of the type str"),
        ([1, 2], "[1, 2] of the type list"),
    ],
)
def test_what_was_given_is_said_shortly(given, said):
    assert kind_of(given) == said
