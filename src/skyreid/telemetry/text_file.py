"""Text of recorders and exporters: any of the usual encodings, whole or cut off at any byte."""

import codecs
import json
import re
from datetime import datetime
from pathlib import Path

from skyreid.errors import TelemetryError
from skyreid.files.regular_file import read_regular

MOST_BYTES = 2**26
"""Of a text file of telemetry; 120,000 records have about 40 million."""

_CLOCK = re.compile(
    r"(?<!\d)(\d{4})[-./](\d{1,2})[-./](\d{1,2})[ T]+(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,:](\d{1,6}))?(?:[.,](\d{3}))?"
)


def read_text(path: Path) -> str:
    """Read a text file; a letter that is cut off at its end is left out.

    Raises:
        TelemetryError: it cannot be read, is empty or too large, or is no text.
    """
    try:
        content = read_regular(path, most_bytes=MOST_BYTES)
    except OSError as error:
        raise TelemetryError(f"{path}: cannot be read: {error.strerror}") from error
    if not content.strip():
        raise TelemetryError(f"{path}: is empty; a recorder that was switched off early leaves such files")
    # UTF-8, 16 and 32, each with or without its mark.
    encoding = json.detect_encoding(content[:4])
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(content)
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")  # of old programs on Windows; signs of degrees, mostly
    if "\0" in text:
        raise TelemetryError(f"{path}: is no text")
    return text


def clock_in(text: str) -> datetime | None:
    """Find a date and time in a text, year first, such as `2022-08-07 13:40:40,774,808`; None where there is none."""
    match = _CLOCK.search(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, part, more = match.groups()
    micros = f"{part or ''}{more or ''}"[:6].ljust(6, "0")
    try:
        return datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), int(micros))
    except ValueError:
        return None
