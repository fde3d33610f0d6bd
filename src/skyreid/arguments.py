"""What a caller hands over, turned into what the library works with or refused in words: paths, and things by name.

Public functions take a path as a string or a `Path`, and whatever has a name by its name. They convert on their
first lines; behind them everything has one type.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import TypeVar

from skyreid.errors import SettingError, SkyreidError

Name = TypeVar("Name", bound=str)
Named = TypeVar("Named")
_LONGEST_VALUE = 60
"""Characters of a value that a message quotes."""


def path_of(given: str | PathLike[str], what: str) -> Path:
    """Turn a path as callers have it into a `Path`; `~` is the user's folder, as in a shell.

    Args:
        given: what was handed over.
        what: for the message, such as "a table".

    Raises:
        SettingError: it is no path, or an empty one.

    >>> path_of("runs/g2a", "a checkpoint").name
    'g2a'
    """
    if not isinstance(given, str | PathLike):
        raise SettingError(f"{what} is given by its path, a str or a Path; got {kind_of(given)}")
    if not str(given):
        raise SettingError(f"{what} is given by its path; got an empty one")
    path = Path(given)
    try:
        return path.expanduser()
    except RuntimeError:  # a user who is not here: then the folder's name begins with ~
        return path


def find_named(name: str, known: Mapping[Name, Named], what: str, *, error: type[SkyreidError] = SettingError) -> Named:
    """Look something up by its name.

    Args:
        name: what was handed over.
        known: what there is.
        what: for the message, such as "benchmark".
        error: what to raise.

    Raises:
        SkyreidError: nothing has this name; the message suggests one. Of the type `error`.
    """
    if not isinstance(name, str):
        raise error(f"a {what} is given by its name, one of {', '.join(known)}; got {kind_of(name)}")
    by_name: dict[str, Named] = {key: value for key, value in known.items()}  # noqa: C416 - pyright widens keys so
    if name not in by_name:
        close = get_close_matches(name.lower().replace("_", "-"), known, n=1, cutoff=0.4)
        suggestion = f" (did you mean {close[0]!r}?)" if close else ""
        raise error(f"no {what} is called {name!r}{suggestion}; known: {', '.join(known)}")
    return by_name[name]


def file_and_settings(text: str, keys: Sequence[str], what: str, *, example: str) -> tuple[str, dict[str, str]]:
    """Part `FILE,key=value,…`, as options take it, into the file and its settings.

    Args:
        text: of the option.
        keys: that there are.
        what: for the message, such as "a detector".
        example: for the message.

    Raises:
        SettingError: no file, or a key that is unknown or stands twice.

    >>> file_and_settings("net.onnx,size=640", ("kind", "size"), "a detector", example="net.onnx,kind=yolox")
    ('net.onnx', {'size': '640'})
    """
    path, *items = re.split(r",(?=\w+=)", text)
    given: dict[str, str] = {}
    for item in items:
        key, _, value = item.partition("=")
        if key not in keys:
            raise SettingError(f"{text!r}: {what} has the keys {', '.join(keys)}; got {key!r}")
        if key in given:
            raise SettingError(f"{text!r}: {key} stands twice")
        given[key] = value
    if not path:
        raise SettingError(f"{text!r}: {what} begins with its file, as in {example}")
    return path, given


def kind_of(given: object) -> str:
    """Say for a message what somebody handed over: its type, and its value where that is short."""
    if given is None:
        return "None"
    is_plain = isinstance(given, str | bytes | int | float | list | tuple | dict)
    if is_plain and len(shown := repr(given)) <= _LONGEST_VALUE:
        return f"{shown} of the type {type(given).__name__}"
    return f"an object of the type {type(given).__name__}"
