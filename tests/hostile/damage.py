"""Damage of every kind that files come with: cut, overwritten, repeated, and edited by somebody who means harm."""

import random
import re

NUMBERS = (b"0", b"-1", b"1e999", b"NaN", b"99999999999999999999", b"4294967296", b"0.5", b'"x"', b"null", b"9" * 5000)
WORDS = (b"", b"../../outside", b"/etc/passwd", b"\x1b[31m", b"\xff\xfe", b"[bold]", b"\\ud800", b"a" * 70_000, b"\0")


def damaged(content: bytes, seed: int) -> bytes:
    """The same damage for the same seed."""
    draw = random.Random(seed)
    how = seed % 8
    at = draw.randrange(len(content))
    if how == 0:
        return content[:at]
    if how == 1:
        return content[:at] + bytes(draw.randrange(256) for _ in range(draw.choice((1, 4, 64)))) + content[at + 1 :]
    if how == 2:
        flipped = bytearray(content)
        for _ in range(draw.choice((1, 8, 100))):
            flipped[draw.randrange(len(flipped))] ^= 1 << draw.randrange(8)
        return bytes(flipped)
    if how == 3:
        return content[:at] + content[at // 2 :]
    if how == 4:
        return content[:at] + b"\0" * draw.choice((1, 100, 4096)) + content[at + 100 :]
    if how == 5:
        return content[:at] + b"[" * 100_000 + content[at:]
    found = list(re.finditer(rb"-?[0-9]+(\.[0-9]+)?" if how == 6 else rb'(?<=")[^"\n]{1,60}(?=")', content[:100_000]))
    if not found:
        return content[at:] + content[:at]
    place = draw.choice(found)
    return content[: place.start()] + draw.choice(NUMBERS if how == 6 else WORDS) + content[place.end() :]
