"""A picture that somebody sent, decoded in a process with few rights; what is no plain picture is refused by name."""

import io
import json
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from skyreid.errors import MissingFrameError
from skyreid.files.picture_file import FORMATS, MAX_PIXELS
from skyreid.processes.limits import OUT_OF_MEMORY

_MARKUP = re.compile(rb"<\s*(?:svg|html|script|!doctype|\?php)", re.IGNORECASE)
_BEGINNING = 4_096
"""Bytes in which markup or another format's mark makes a file a second thing beside a picture."""
_MOST_MESSAGE = 2**16


@dataclass(frozen=True, kw_only=True)
class PictureLimits:
    """What the decoding process may use; beyond it, a picture is refused."""

    memory_bytes: int = 2**30
    """Of address space."""
    cpu_s: int = 20
    wall_s: float = 60.0
    max_side: int = 3_000
    """Longer side of what comes back, in pixels; larger pictures are scaled down."""


DEFAULT_LIMITS = PictureLimits()


def decode_apart(
    content: bytes, name: str, *, limits: PictureLimits = DEFAULT_LIMITS
) -> UInt8[np.ndarray, "height width 3"]:
    """Decode the bytes of a picture; nothing of it touches the disk.

    Args:
        content: of the file.
        name: by which messages call it.
        limits: of the process.

    Raises:
        MissingFrameError: it is no picture, two things at once, damaged, or beyond the limits.
    """
    if reason := _why_refused(content):
        raise MissingFrameError(f"{name}: {reason}")
    request = {"name": name, **{one: getattr(limits, one) for one in ("memory_bytes", "cpu_s", "max_side")}}
    try:
        # -P: no module is taken from the folder that the caller happens to stand in.
        done = subprocess.run(
            [sys.executable, "-P", "-m", "skyreid.files.picture_child", json.dumps(request)],
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=limits.wall_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MissingFrameError(f"{name}: was not decoded within {limits.wall_s:g} s") from None
    refusal = ""
    try:
        size = int.from_bytes(done.stdout[:4], "big")
        told = json.loads(done.stdout[4 : 4 + size]) if 0 < size <= _MOST_MESSAGE else {}
        refusal = str(told.get("error", ""))
        height, width = int(told["height"]), int(told["width"])
        pixels = np.frombuffer(done.stdout, dtype=np.uint8, offset=4 + size)
        if not (0 < height * width <= MAX_PIXELS and max(height, width) <= limits.max_side):
            raise ValueError(f"{width}x{height} pixels")
        return pixels.reshape(height, width, 3).copy()
    except (ValueError, KeyError, TypeError) as error:
        if refusal:
            raise MissingFrameError(refusal) from None
        why = "more memory" if done.returncode == OUT_OF_MEMORY else "more than it may use"
        raise MissingFrameError(f"{name}: the process that decodes it ended; it wanted {why}") from error


def _why_refused(content: bytes) -> str:
    """Say why bytes are not taken for a picture before anything decodes them; "" = they may be one."""
    beginning = content[:_BEGINNING]
    if not content:
        return "is empty (0 bytes)"
    if _MARKUP.search(beginning):
        return f"holds markup, such as SVG or HTML; a picture is one of {', '.join(FORMATS)}"
    if b"%PDF-" in beginning:
        return f"is a PDF, or one that hides in a picture; a picture is one of {', '.join(FORMATS)}"
    if zipfile.is_zipfile(io.BytesIO(content)):
        return f"is an archive, or one that hides in a picture; a picture is one of {', '.join(FORMATS)}"
    return ""
