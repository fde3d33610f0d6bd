"""JSON of strangers: values, or one plain ValueError."""

import json
import os

import pytest

from skyreid.files.strict_json import parse_json, read_json


@pytest.mark.parametrize("value", [{"a": [1, -(2**63), 2**63 - 1, 0.5, 1e300, None, True, "9" * 40, "1e999"]}, [], "ä"])
def test_what_json_can_say_is_read_as_python_reads_it(value):
    text = json.dumps(value)
    assert parse_json(text) == value
    assert parse_json(text.encode("utf-8")) == value
    assert parse_json(text.encode("utf-16")) == value


def test_signs_of_two_halves_and_names_that_are_no_text_are_read(tmp_path):
    """Kind B7: a file's name that is no UTF-8 comes back as it was."""
    for text in ("\U0001f600", os.fsdecode(b"g\xe4te")):
        assert parse_json(json.dumps([text])) == [text]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 200_000, "nested too deeply"),
        ('{"a":' * 200_000, "nested too deeply"),
        ("[" + "9" * 5000 + "]", "at most 64 bits; got 9{20}... of 5000 characters"),
        (str(2**63), "at most 64 bits"),
        (f"[{-(2**63) - 1}]", "at most 64 bits"),
        ("[NaN]", "must be finite; got NaN"),
        ("-Infinity", "must be finite; got -Infinity"),
        ("[1e400]", "must be finite; got 1e400"),
        ("9" * 400 + ".5", "must be finite"),
        ("[1,", "Expecting value"),
        (b"\xff\xfe\xfd", "decode"),
        (b'"\xff"', "decode"),
        (r'{"a": ["\ud800/b"]}', r"half a sign, \\ud800"),
        (r'{"\udfff": 1}', r"half a sign, \\udfff"),
    ],
)
def test_what_no_program_could_go_on_with_is_one_value_error(text, reason):
    """Kind B7: deep JSON, huge integers, NaN."""
    with pytest.raises(ValueError, match=reason):
        parse_json(text)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names there")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(OSError, match="not a regular file"):
        read_json(tmp_path / "a.json")
