"""JSON of strangers, read so that no text ends in anything but values or one plain ValueError.

Python's own reader follows nesting to the end of its stack, takes the constants NaN and Infinity, which are no JSON,
and numbers of any size, which no array and no C library can hold later.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from skyreid.files.regular_file import read_regular

# Not recursive: the run-time checker of the tests cannot follow a type that names itself.
Json: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | None
_PERHAPS_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""Of an escape that stands for half a sign."""
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Half a sign, which nothing can write; not those that stand for bytes of a file's name (PEP 383)."""
_PERHAPS_TOO_LARGE = re.compile(r"[0-9]{19}|[0-9][eE]\+?[0-9]{3}")
"""Of an integer beyond 64 bits and of a number beyond what a float holds; and of some harmless texts."""


def parse_json(content: str | bytes) -> Any:  # as json.loads: what it holds is the reader's to check
    """Read a JSON text.

    Raises:
        ValueError: it is no JSON, not UTF-8 (or 16, 32), nested too deeply, or holds a number that is not finite or has
            more than 64 bits, or half a sign.
    """
    if isinstance(content, bytes):
        content = content.decode(json.detect_encoding(content))
    numbers = {"parse_int": _int64, "parse_float": _finite} if _PERHAPS_TOO_LARGE.search(content) else {}
    try:
        value = json.loads(content, parse_constant=_refuse_constant, **numbers)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if _PERHAPS_HALF.search(content) and (half := _HALF.search(json.dumps(value, ensure_ascii=False))):
        raise ValueError(f"texts must be whole; got half a sign, \\u{ord(half[0]):04x}")
    return value


def read_json(path: Path) -> Any:
    """Read a JSON file of at most `regular_file.MOST_BYTES`; neither a pipe nor a device.

    Raises:
        OSError: it cannot be read.
        ValueError: as `parse_json`.
    """
    return parse_json(read_regular(path))


def content_sha256(content: Mapping[str, Json]) -> str:
    """Hash what a JSON file says, whatever the order of its keys and its spaces."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def with_own_sha256(content: Mapping[str, Json]) -> dict[str, Json]:
    """Add the hash of all that a JSON file says, under `sha256`."""
    return {**content, "sha256": content_sha256(content)}


def has_own_sha256(content: Mapping[str, Json]) -> bool:
    """Whether a JSON file still says what it said when `with_own_sha256` added the hash."""
    told = {key: value for key, value in content.items() if key != "sha256"}
    return content.get("sha256") == content_sha256(told)


def _int64(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**63:
        raise ValueError(f"whole numbers have at most 64 bits; got {digits[:20]}... of {len(digits)} characters")
    return int(digits)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"numbers must be finite; got {text[:20]}")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"numbers must be finite; got {name}")
