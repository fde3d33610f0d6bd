"""The `seqinfo.ini` of MOTChallenge: what a sequence is, beside its pictures or its annotations."""

import json
from configparser import ConfigParser
from configparser import Error as ConfigError
from pathlib import Path

from skyreid.regular_file import read_regular

SEQUENCE_FILE = "seqinfo.ini"
_MOST_BYTES = 2**20
"""It has ten lines."""
_REMEDY = "write [Sequence] and lines such as frameRate=25 into it, as MOTChallenge does, or remove it"


def read_sequence(path: Path) -> dict[str, str]:
    """Give the entries of its section, their names in lower case; an entry without a value is none.

    Raises:
        ValueError: it cannot be read or has no such section, in words that follow the file's name.
    """
    try:
        content = read_regular(path, most_bytes=_MOST_BYTES)
        text = content.decode(json.detect_encoding(content))  # as editors on Windows write it, too
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"must be text; {error}. Save it as UTF-8") from error
    if not text.strip():
        raise ValueError(f"is empty; {_REMEDY}")
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except ConfigError as error:
        raise ValueError(f"must be lines of NAME=VALUE; {' '.join(str(error).split())}; {_REMEDY}") from error
    if "Sequence" not in parser:
        raise ValueError(f"must have a section [Sequence]; got {parser.sections() or 'no section'}; {_REMEDY}")
    return {name: value.strip() for name, value in parser["Sequence"].items() if value.strip()}
