"""One published file over https, to its place: going on where it was cut off, and never named before its hash is right.

What was fetched so far stands beside the place as `NAME.part`; `NAME.part.json` says which file of the server it is the
beginning of. Whoever fetches holds a lock on the latter, so that another who wants the same waits; one who is killed
leaves both, without the lock, and the next goes on from there.
"""

import hashlib
import ipaddress
import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from http.client import HTTPException, HTTPResponse
from io import BufferedRandom
from pathlib import Path
from typing import TypeAlias
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from skyreid.errors import SettingError
from skyreid.files.atomic_file import flush, naming, try_lock, wait_for_lock
from skyreid.files.regular_file import open_in_place, open_regular
from skyreid.weights.published_files import PublishedFile

logger = logging.getLogger(__name__)

Hear: TypeAlias = Callable[[int], None]
"""Hears how many bytes of a file are there."""
_PIECE_BYTES = 2**18
_SILENCE_S = 30.0
"""After which a server that says nothing counts as gone."""
_MOST_CONNECTIONS = 8
"""For one file; each must have brought something."""


class FetchError(Exception):
    """Why a file is not to be had; whoever asked for it adds what helps."""


class _CutOffError(Exception):
    """A connection ended, or never came about; what it brought is kept."""


def address_of(file: PublishedFile, mirror: str | None) -> str:
    """Tell where a file is asked for: at its publisher's, or at its place below the address of a mirror.

    Raises:
        SettingError: a mirror that is neither https nor on this machine.
    """
    if not mirror:
        return file.address
    if not _may_be_asked(mirror, from_here=True):
        raise SettingError(f"a mirror of weights is an https address, or an http one of this machine; got {mirror!r}")
    return f"{mirror.rstrip('/')}/{quote(file.place)}"


def is_published(file: PublishedFile, path: Path) -> bool:
    """Tell whether a file is the published one, or another export of the same weights that is known.

    Raises:
        OSError: it cannot be read.
    """
    if not file.equivalents and path.stat().st_size != file.num_bytes:
        return False
    return any(_has_digest(path, digest) for digest in (file.digest, *file.equivalents))


def _has_digest(path: Path, digest: str) -> bool:
    algorithm, _, digits = digest.partition(":")
    with open_regular(path) as content:
        return hashlib.file_digest(content, algorithm).hexdigest() == digits


def fetch_file(file: PublishedFile, target: Path, address: str, *, hear: Hear) -> None:
    """Fetch a file to its place, once; whoever else fetches it is waited for.

    Args:
        file: what is expected.
        target: its place; folders are made.
        address: of `address_of`.
        hear: told after every piece.

    Raises:
        FetchError: the server cannot be reached, leads elsewhere, or gives something else.
        OSError: of the disk.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with _only_fetcher(part.with_name(f"{part.name}.json"), file.name) as record:
        try:
            if target.exists():
                return
            goes_on = _size(part) > 0
            _receive_all(file, part, address, record, hear)
            if goes_on and not _has_digest(part, file.digest):  # it began as another file, which the server had then
                part.unlink()
                _receive_all(file, part, address, record, hear)
            if not _has_digest(part, file.digest):
                part.unlink()
                raise FetchError(f"{address} gives another file than the published one, of the same size")
            flush(part)
            part.replace(target)
            flush(target.parent)
        finally:
            if not part.exists():
                with suppress(PermissionError):  # of Windows, where another process has it open and waits
                    Path(record.name).unlink()


@contextmanager
def _only_fetcher(path: Path, what: str) -> Iterator[BufferedRandom]:
    """Hold the record of a part, after whoever fetches the same."""
    while True:
        with open(path, "a+b", opener=open_in_place) as record:
            with suppress(OSError):  # without locks two may write into one part, and the hash says so
                if not try_lock(record.fileno()):
                    logger.warning("%s: another process fetches it; waiting for that", what)
                    wait_for_lock(record.fileno())
            if path.exists() and os.path.samestat(path.stat(), os.fstat(record.fileno())):
                yield record
                return


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _receive_all(file: PublishedFile, part: Path, address: str, record: BufferedRandom, hear: Hear) -> None:
    """Take a file over as many connections as it needs, as long as each brings something."""
    reason = "too often"
    for _ in range(_MOST_CONNECTIONS):
        before = _size(part)
        if before >= file.num_bytes:
            break
        try:
            _receive(file, part, address, record, hear)
        except _CutOffError as error:
            reason = str(error)
            if _size(part) <= before:
                break
    done, host = _size(part), urlsplit(address).netloc
    if done > file.num_bytes:
        part.unlink()
        raise FetchError(f"{part} was longer than the published file, and is removed; run this again")
    if 0 < done < file.num_bytes:
        kept = f"{done:,} of {file.num_bytes:,} bytes are kept"
        raise FetchError(f"{host} ended it too early ({reason}); {kept}, and the same command goes on from there")
    if done < file.num_bytes:
        raise FetchError(f"{host} cannot be reached ({reason})")


def _receive(file: PublishedFile, part: Path, address: str, record: BufferedRandom, hear: Hear) -> None:
    """Add to a part what one connection gives, and no more than the published file has.

    Raises:
        FetchError: the server refuses, leads elsewhere, or has a file of another size.
        _CutOffError: the connection ended before the file did, or brought nothing.
    """
    response, begins = _ask(address, record, after=_size(part))
    with response:
        total = response.headers.get("Content-Range" if begins else "Content-Length", "").rpartition("/")[2]
        if total.isdigit() and int(total) != file.num_bytes:
            raise FetchError(f"{address} gives {int(total):,} bytes; the published file has {file.num_bytes:,}")
        if begins == 0:
            _remember(record, address, response.headers)
        with naming(part), open(part, "ab", opener=open_in_place) as content:
            content.truncate(begins)
            done = begins
            while piece := _read(response):
                done += len(piece)
                if done > file.num_bytes:
                    content.truncate(0)
                    raise FetchError(f"{address} gives more than the {file.num_bytes:,} bytes of the published file")
                content.write(piece)
                hear(done)
    if done < file.num_bytes:
        raise _CutOffError("the server ended it")


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read1(_PIECE_BYTES)
    except (OSError, HTTPException) as error:
        raise _CutOffError(str(error) or type(error).__name__) from error


def _ask(address: str, record: BufferedRandom, *, after: int) -> tuple[HTTPResponse, int]:
    """Ask for what follows the first bytes of a file; gives the answer, and the byte at which it begins: that, or 0."""
    request = Request(address, headers={"User-Agent": "skyreid", "Accept-Encoding": "identity"})
    if after:
        request.add_header("Range", f"bytes={after}-")
        if validator := _remembered(record, address):
            request.add_header("If-Range", validator)
    from_here = _is_of_this_machine(address)
    # No proxy stands between this machine and itself.
    handlers = [_GuardedRedirects(from_here=from_here), *([ProxyHandler({})] if from_here else [])]
    try:
        response = build_opener(*handlers).open(request, timeout=_SILENCE_S)
    except HTTPError as error:
        error.close()
        if error.code == 416 and after:  # it has no such place
            return _ask(address, record, after=0)
        raise FetchError(f"{address}: the server answers {error.code} {error.reason}") from error
    except (OSError, HTTPException, ValueError) as error:  # the last of an address that is none
        raise _CutOffError(str(getattr(error, "reason", error)) or type(error).__name__) from error
    if response.status == 206:
        if re.match(rf"bytes {after}-", response.headers.get("Content-Range", "")):
            return response, after
        response.close()
        if after == 0:
            raise FetchError(f"{address}: the server gives another part than it was asked for")
        return _ask(address, record, after=0)
    return response, 0


class _GuardedRedirects(HTTPRedirectHandler):
    """Follows a server to https addresses only; the hash decides what is found there."""

    def __init__(self, *, from_here: bool) -> None:
        self._from_here = from_here

    def redirect_request(
        self, req: Request, fp: object, code: int, msg: str, headers: Message, newurl: str
    ) -> Request | None:
        if not _may_be_asked(newurl, from_here=self._from_here):
            raise FetchError(f"{req.full_url} leads to {newurl}, and nothing is fetched but by https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # pyright: ignore[reportArgumentType]


def _may_be_asked(address: str, *, from_here: bool) -> bool:
    with suppress(ValueError):  # it is no address
        scheme = urlsplit(address).scheme
        return scheme == "https" or (from_here and scheme == "http" and _is_of_this_machine(address))
    return False


def _is_of_this_machine(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _remember(record: BufferedRandom, address: str, headers: Message) -> None:
    """Note by what the server knows the file that is being received; a weak mark would not do for a part of it."""
    validator = headers.get("ETag", "")
    if not validator.startswith('"'):
        validator = headers.get("Last-Modified", "")
    with naming(Path(record.name)):
        record.truncate(0)
        record.write(json.dumps({"address": address, "validator": validator}).encode())
        record.flush()


def _remembered(record: BufferedRandom, address: str) -> str:
    """Give what `_remember` noted of this address; empty where it did not, or was killed over it."""
    record.seek(0)
    with suppress(ValueError, TypeError, KeyError):
        noted = json.loads(record.read(_PIECE_BYTES))
        if noted["address"] == address and str(noted["validator"]).isprintable():
            return str(noted["validator"])
    return ""
