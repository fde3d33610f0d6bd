"""Configurations to JSON and back, strictly."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from skyreid.errors import CheckpointError
from skyreid.files.config_json import from_json, to_json
from skyreid.recipes import RECIPES


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.5
    size: tuple[int, int] = (2, 1)

    def __post_init__(self) -> None:
        if self.rate < 0:
            raise ValueError(f"rate must not be negative; got {self.rate}")


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str = "a"
    count: int = 3
    is_on: bool = True
    folder: Path | None = None
    form: Literal["hinge", "soft"] = "hinge"
    steps: tuple[int, ...] = (60, 90)
    inner: Inner = field(default_factory=Inner)


def through_a_file(config):
    return from_json(type(config), json.loads(json.dumps(to_json(config))))


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_comes_back_as_it_was(recipe):
    config = RECIPES[recipe]()
    assert through_a_file(config) == config


@pytest.mark.parametrize(
    "config",
    [
        Outer(),
        Outer(folder=Path("a/b"), steps=(), inner=Inner(rate=1.0)),
        Outer(name="", count=-1, is_on=False, form="soft"),
    ],
)
def test_every_kind_of_value_comes_back_as_it_was(config):
    again = through_a_file(config)
    assert again == config
    assert to_json(again) == to_json(config)
    assert {type(value) for value in vars(again).values()} == {type(value) for value in vars(config).values()}


def test_a_whole_number_is_read_where_a_fraction_may_stand():
    inner = from_json(Inner, {"rate": 1, "size": [2, 1]})
    assert type(inner.rate) is float


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "config: Outer has no field colour"),
        ({"colour": 1, "angle": 2}, "config: Outer has no field angle, colour"),
        ({"count": "3"}, "config.count: expected int; got '3'"),
        ({"count": 3.0}, "config.count: expected int; got 3.0"),
        ({"count": True}, "config.count: expected int; got True"),
        ({"is_on": 1}, "config.is_on: expected bool; got 1"),
        ({"name": None}, "config.name: expected str; got None"),
        ({"folder": 3}, "config.folder: expected Path; got 3"),
        ({"form": "square"}, "config.form: must be one of hinge, soft; got 'square'"),
        ({"form": ["soft"]}, "config.form: must be one of hinge, soft; got ['soft']"),
        ({"steps": [60, "90"]}, "config.steps: expected int; got '90'"),
        ({"steps": 60}, "config.steps: expected tuple; got 60"),
        ({"inner": None}, "config.inner: expected a Inner; got None"),
        ({"inner": {"rate": 0.5}}, "config.inner: Inner lacks size"),
        ({"inner": {"rate": "fast", "size": [2, 1]}}, "config.inner.rate: expected float; got 'fast'"),
        ({"inner": {"rate": True, "size": [2, 1]}}, "config.inner.rate: expected float; got True"),
        ({"inner": {"rate": 0.5, "size": [2]}}, "config.inner.size: expected 2 values; got 1"),
        ({"inner": {"rate": -1.0, "size": [2, 1]}}, "config.inner: rate must not be negative; got -1.0"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change, message):
    with pytest.raises(CheckpointError, match=f"^{re.escape(message)}$"):
        from_json(Outer, {**to_json(Outer()), **change})


@pytest.mark.parametrize("name", ["count", "inner"])
def test_a_missing_field_is_refused_by_name_even_when_it_has_a_default(name):
    data = to_json(Outer())
    del data[name]
    with pytest.raises(CheckpointError, match=f"^config: Outer lacks {name}$"):
        from_json(Outer, data)


@pytest.mark.parametrize("data", [None, [], "config", 3])
def test_what_is_no_object_is_refused_with_the_place_the_caller_names(data):
    with pytest.raises(CheckpointError, match=f"^{re.escape(f'run: expected a Outer; got {data!r}')}$"):
        from_json(Outer, data, where="run")


def test_a_value_that_json_cannot_hold_is_refused():
    with pytest.raises(TypeError, match=r"^a config holds dataclasses, tuples, paths and plain values; got set$"):
        to_json({1, 2})
