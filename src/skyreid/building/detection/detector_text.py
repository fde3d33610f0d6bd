"""What the user says of a detector: `FILE.onnx,kind=yolox,size=640,score=0.4,person=0`."""

import re
from dataclasses import dataclass
from pathlib import Path

from skyreid.building.detection.families import FAMILIES
from skyreid.errors import SettingError

EXAMPLE = "detector.onnx,kind=yolox"
DEFAULT_SCORE = 0.4
MAX_SIZE = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorText:
    """A detector as it was asked for."""

    path: Path
    kind: str
    size: int | None = None
    """Side of the square picture that the file takes (torchvision: its longer side); None = what the file says,
    or the family's usual one."""
    score: float = DEFAULT_SCORE
    """From which on a box is a person."""
    person: int | None = None
    """Number of the class; None = that of the family's COCO weights."""


def parse_detector(text: str) -> DetectorText:
    """Read a detector as the command line takes it.

    Raises:
        SettingError: a key is unknown, given twice or missing, or a value cannot be.
    """
    path, *items = re.split(r",(?=\w+=)", text)
    given: dict[str, str] = {}
    for item in items:
        key, _, value = item.partition("=")
        if key not in ("kind", "size", "score", "person"):
            raise SettingError(f"{text!r}: a detector has the keys kind, size, score, person; got {key!r}")
        if key in given:
            raise SettingError(f"{text!r}: {key} stands twice")
        given[key] = value
    if not path:
        raise SettingError(f"{text!r}: a detector begins with its file, as in {EXAMPLE}")
    if given.get("kind") not in FAMILIES:
        raise SettingError(f"{text!r}: kind is one of {', '.join(FAMILIES)}, as in {EXAMPLE}; got {given.get('kind')}")
    return DetectorText(
        path=Path(path),
        kind=given["kind"],
        size=_whole(given["size"], "size", text, first=1, last=MAX_SIZE) if "size" in given else None,
        score=_score(given["score"], text) if "score" in given else DEFAULT_SCORE,
        person=_whole(given["person"], "person", text, first=0, last=10**6) if "person" in given else None,
    )


def _whole(value: str, key: str, text: str, *, first: int, last: int) -> int:
    if not (value.isascii() and value.isdigit()) or not first <= int(value) <= last:
        raise SettingError(f"{text!r}: {key} is a whole number from {first} to {last}; got {value!r}")
    return int(value)


def _score(value: str, text: str) -> float:
    try:
        score = float(value)
    except ValueError:
        score = 0.0
    if not 0 < score < 1:
        raise SettingError(f"{text!r}: score is a number between 0 and 1; got {value!r}")
    return score
