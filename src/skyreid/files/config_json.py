"""Frozen config dataclasses to JSON and back, strictly: no field unread, none invented.

Fields hold plain values, tuples, paths, literals, other dataclasses, one of these or None, or one of several
dataclasses whose fields have different names.
"""

import dataclasses
import types
import typing
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from skyreid.errors import CheckpointError
from skyreid.files.strict_json import Json

Config = TypeVar("Config")
_types_of = cache(typing.get_type_hints)
"""Of the fields of a dataclass, by name."""


def to_json(value: object) -> Json:
    """Turn a config dataclass (nested) into what the json module writes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a config holds dataclasses, tuples, paths and plain values; got {type(value).__name__}")


def from_json(config_type: type[Config], data: Json, *, where: str = "config") -> Config:
    """Rebuild a config dataclass.

    Raises:
        CheckpointError: a field is missing, unknown, of another type or of an impossible value; the
            message names it.
    """
    if not isinstance(data, dict):
        raise CheckpointError(f"{where}: expected a {config_type.__name__}; got {data!r:.80}")
    hints = _types_of(config_type)
    if unknown := sorted(data.keys() - hints.keys()):
        raise CheckpointError(f"{where}: {config_type.__name__} has no field {', '.join(unknown)}")
    if missing := sorted(hints.keys() - data.keys()):
        raise CheckpointError(f"{where}: {config_type.__name__} lacks {', '.join(missing)}")
    values = {key: _read(hints[key], value, f"{where}.{key}") for key, value in data.items()}
    try:
        return config_type(**values)
    except ValueError as error:
        raise CheckpointError(f"{where}: {error}") from error


def _read(hint: Any, value: Json, where: str) -> object:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return _read_one_of(typing.get_args(hint), value, where)
    if origin is typing.Literal:
        if value not in typing.get_args(hint):
            raise CheckpointError(
                f"{where}: must be one of {', '.join(map(str, typing.get_args(hint)))}; got {value!r}"
            )
        return value
    if origin is tuple and isinstance(value, list):
        items = typing.get_args(hint)
        types_of_items = [items[0]] * len(value) if items[-1] is Ellipsis else list(items)
        if len(types_of_items) != len(value):
            raise CheckpointError(f"{where}: expected {len(types_of_items)} values; got {len(value)}")
        return tuple(_read(t, v, where) for t, v in zip(types_of_items, value, strict=True))
    if dataclasses.is_dataclass(hint):
        return from_json(typing.cast(type, hint), value, where=where)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is hint:
        return value
    raise CheckpointError(f"{where}: expected {getattr(hint, '__name__', hint)}; got {value!r:.80}")


def _read_one_of(choices: tuple[Any, ...], value: Json, where: str) -> object:
    if value is None and types.NoneType in choices:
        return None
    possible = [choice for choice in choices if choice is not types.NoneType]
    if len(possible) > 1 and isinstance(value, dict):
        possible = [choice for choice in possible if _types_of(choice).keys() == value.keys()]
    if len(possible) != 1:
        names = " or ".join(choice.__name__ for choice in choices)
        raise CheckpointError(f"{where}: expected the fields of {names}; got {value!r:.80}")
    return _read(possible[0], value, where)
