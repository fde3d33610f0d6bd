"""What lies at a path: the files and folders that skyreid reads and writes, told by their names and first bytes.

A reader that is given another of them than it takes says what it is and which command takes it (`require_kind`).
"""

import re
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, TypeAlias

from skyreid.errors import SkyreidError
from skyreid.files.regular_file import names_in, open_regular

Form: TypeAlias = Literal["folder", "zip", "JSON", "text", "binary"]
TABLE_INDEX = "shards.json"
"""Name of what makes a table of a folder with many files."""
SHARD_NAME = re.compile(r"\d{5,}-[0-9a-f]{12}\.safetensors")
"""Of its files: number and beginning of the hash. Another content has another name, so that an older table stays whole
while a newer one is written."""
_HEAD_BYTES = 4096
_MOST_LOOKED_AT = 200
"""Entries of a folder among which one that was meant is looked for."""
_SHOWN = 3


@dataclass(frozen=True)
class Kind:
    """One kind of file or folder."""

    name: str
    forms: tuple[Form, ...] = ()
    """What a damaged one may look like; its reader says what is wrong with it."""
    maker: str = ""
    """Who writes it, for whoever has none."""
    use: str = ""
    """What can be done with it, for whoever gave it to a reader of something else."""


RESULT = Kind(
    "a result file", ("JSON",), "'skyreid evaluate' writes them", "'skyreid compare A B' tells two of them apart"
)
TABLE = Kind(
    "an embedding table",
    ("zip", "binary"),
    "'skyreid embed' writes it",
    "'skyreid evaluate tables QUERY GALLERY' scores two of them, 'skyreid search TABLE' searches one",
)
CALIBRATION = Kind(
    "a calibration",
    ("JSON",),
    "'skyreid calibrate' writes it",
    "it goes by --calibration to 'skyreid search' or 'skyreid evaluate tables'",
)
CHECKPOINT = Kind(
    "a checkpoint folder",
    (),
    "'skyreid train' or 'skyreid model import' makes it",
    "'skyreid evaluate CHECKPOINT' scores it, and 'skyreid embed' takes it as --model",
)
RUN = Kind(
    "the folder of a training",
    (),
    "'skyreid train' makes it",
    "'skyreid evaluate RUN' scores it when it has come to its end, 'skyreid train … --resume' goes on with it",
)
MANIFEST = Kind("a manifest", ("JSON", "text"), "'skyreid build' writes it", "it is read as a part of its folder")
BUILD = Kind(
    "a folder that skyreid built",
    (),
    "'skyreid build' makes it",
    "'skyreid embed', 'skyreid link', 'skyreid data export' and 'skyreid data verify' take it",
)
CASE = Kind("a case", (), "'skyreid case new' makes one", "'skyreid case add', 'work' and 'search' take it")
BENCHMARK = Kind(
    "the folder of a benchmark",
    (),
    "docs/data-and-weights.md says where to get one",
    "'skyreid evaluate CHECKPOINT --data NAME --root FOLDER' scores on it, 'skyreid embed FOLDER --data NAME' takes it",
)
UNFINISHED_BUILD = Kind(
    "the folder of a build that did not come to its end",
    use="the same 'skyreid build' or 'skyreid find', run again, goes on",
)
UNFINISHED_TABLE = Kind(
    "the files of a table without the index that makes a table of them",
    use="the same 'skyreid embed', run again, goes on",
)
CROPS = Kind(
    "a folder of crops", ("folder",), "one subfolder a tracklet", "'skyreid embed FOLDER --model CHECKPOINT' takes it"
)
WORLD = Kind("a simulated world", (), "'skyreid simulate' makes it", "'skyreid build --sources' takes its sources.json")
SOURCES = Kind(
    "a list of sources", ("JSON",), "'skyreid simulate' writes one", "'skyreid build --sources FILE' takes it"
)
PAIRS = Kind(
    "a list of pairs",
    ("JSON", "text", "binary"),
    "'skyreid link --out' writes it",
    "'skyreid link --decisions FILE' takes it",
)
ANNOTATIONS = Kind("annotations", ("zip", "JSON", "text", "binary"), "docs/annotations.md lists their formats")
SETTINGS = Kind(
    "the settings of a training",
    ("JSON",),
    "'skyreid recipe show RECIPE' prints them",
    "'skyreid train' takes the name of a recipe, and every setting as an option",
)
WEIGHTS = Kind(
    "a file of weights",
    ("zip", "binary"),
    "docs/data-and-weights.md says where to get one",
    "'skyreid model import' makes a checkpoint folder of it",
)
VIDEO = Kind("a video", use="'skyreid build --source FILE,platform=…,camera=…' takes it")
PICTURE = Kind("a picture", use="'skyreid embed' takes a folder with one subfolder of crops for each tracklet")
LFS_POINTER = Kind("a Git LFS pointer", use="fetch the file itself by 'git lfs pull'")
PAGE = Kind("a web page", use="open it in a browser, or download the file that it links to")
EMPTY = Kind("an empty file", use="write or download it again")
_UNKNOWN: dict[Form, Kind] = {
    "folder": Kind("a folder"),
    "zip": Kind("a zip file"),
    "JSON": Kind("a JSON file of another kind"),
    "text": Kind("a text file"),
    "binary": Kind("a file of another program"),
}
_FOLDERS = (
    ((TABLE_INDEX,), TABLE),
    (("model.safetensors",), CHECKPOINT),
    (("provenance.json",), CHECKPOINT),
    (("checkpoint",), RUN),
    (("config.json", "train.lock"), RUN),
    (("case.sqlite",), CASE),
    (("database.json",), CASE),
    (("manifest.jsonl",), BUILD),
    (("build.lock",), UNFINISHED_BUILD),
    (("world.json",), WORLD),
    # Of the layouts of benchmarks, what no other has.
    (("bbox_train",), BENCHMARK),
    (("bbox_test",), BENCHMARK),
    (("list_sequence",), BENCHMARK),
    (("i-LIDS-VID",), BENCHMARK),
    (("multi_shot",), BENCHMARK),
)
"""Names that make a folder what it is; the first that fit."""
_JSON = (
    (rb'"format": ?"skyreid result"', RESULT),
    (rb'"format": ?"skyreid calibration', CALIBRATION),
    (rb'"format": ?"skyreid manifest"', MANIFEST),
    (rb'"sources": ?\[', SOURCES),
    (rb'"benchmark": ?"[^"]*",\s*"data_root":', SETTINGS),
    (rb'\{"a": ?"', PAIRS),
)
"""What the beginning of a JSON file holds; the first that is found."""
_STARTS = (
    (rb"version https://git-lfs", LFS_POINTER),
    (rb"\s*(?i:<!doctype html|<html)", PAGE),
    (rb"(?s:....ftyp|RIFF....AVI)|\x1a\x45\xdf\xa3|OggS|FLV\x01|\x00\x00\x01\xba|(?s:G.{187}G.{187}G)", VIDEO),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|(?s:BM.{4}\x00{4})|II\*\x00|MM\x00\*", PICTURE),
    (rb"(?s:.{4})\x00{4}\{\"|\x80[\x02-\x05]", WEIGHTS),  # of safetensors the header, and older pickles of PyTorch
    (rb"a,b,|\xef\xbb\xbfa,b,", PAIRS),
)


def kind_at(path: Path) -> Kind | None:
    """Tell what lies at a path; None where nothing does, or nothing that can be read."""
    try:
        if path.is_dir():
            return _kind_of_folder(path)
        with open_regular(path) as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return None
    if not head:
        return EMPTY
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(path)
    starts = [kind for pattern, kind in _STARTS if re.match(pattern, head)]
    if starts:
        return starts[0]
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return next((kind for pattern, kind in _JSON if re.search(pattern, head)), _UNKNOWN["JSON"])
    return _UNKNOWN["binary" if b"\0" in head or _is_no_text(head) else "text"]


def require_kind(path: Path, *wanted: Kind, error: type[SkyreidError]) -> None:
    """Refuse what is known to be something else than a reader takes, and a path where nothing lies.

    What is nothing that is known passes: the reader tells better what is wrong with it.

    Args:
        path: what was given.
        wanted: what the reader takes.
        error: what to raise.

    Raises:
        SkyreidError: of the type `error`.
    """
    found = kind_at(path)
    if found in (*wanted, *(_UNKNOWN[form] for kind in wanted for form in kind.forms)):
        return
    taken = " or ".join(f"{kind.name} ({kind.maker})" for kind in wanted)
    raise error(f"{path} must be {taken}; {_instead(path, found, wanted)}")


def _instead(path: Path, found: Kind | None, wanted: Sequence[Kind]) -> str:
    """Say what lies there, and what was meant or what can be done with it."""
    if found is None:
        is_there = path.exists()
        with suppress(OSError):
            if not is_there and (close := get_close_matches(path.name, names_in(path.parent), n=1)):
                return f"nothing lies there (did you mean {str(path.with_name(close[0]))!r}?)"
        return _why_unreadable(path) if is_there else "nothing lies there"
    # A benchmark holds folders of crops and a checkpoint its weights: those are not meant.
    inside = _entries(path) if found is _UNKNOWN["folder"] or {CROPS, WEIGHTS}.isdisjoint(wanted) else []
    if meant := [str(place) for place in (path.parent, *inside) if kind_at(place) in wanted]:
        more = f" and {len(meant) - _SHOWN} more" if len(meant) > _SHOWN else ""
        return f"it is {found.name}; did you mean {', '.join(meant[:_SHOWN])}{more}?"
    if found is _UNKNOWN["folder"]:
        names = names_in(path)
        return f"it is a folder of something else ({', '.join(names[:_SHOWN])}{', …' if len(names) > _SHOWN else ''})"
    return f"it is {found.name}" + (f": {found.use}" if found.use else "")


def _why_unreadable(path: Path) -> str:
    try:
        open_regular(path).close()
    except OSError as error:
        return f"it is there, and cannot be read: {error.strerror}"
    return "it cannot be read"


def _kind_of_folder(path: Path) -> Kind:
    names = names_in(path)
    for marks, kind in _FOLDERS:
        if all(mark in names for mark in marks):
            return kind
    if names and all(SHARD_NAME.fullmatch(name) for name in names):
        return UNFINISHED_TABLE
    if any(kind_at(entry) is PICTURE for folder in _entries(path) if folder.is_dir() for entry in _entries(folder)[:1]):
        return CROPS
    return _UNKNOWN["folder"] if names else Kind("an empty folder")


def _entries(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return [path / name for name in names_in(path)[:_MOST_LOOKED_AT]]


def _kind_of_zip(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return _UNKNOWN["zip"]
    if "embeddings.npy" in names:
        return TABLE
    return WEIGHTS if any(name.endswith("data.pkl") for name in names) else _UNKNOWN["zip"]


def _is_no_text(head: bytes) -> bool:
    try:
        head[: _HEAD_BYTES - 4].decode()  # a letter may be cut at the end
    except UnicodeDecodeError:
        return True
    return False
