"""Objects of an S3-compatible store, and the one file that knows how they are reached: fsspec, by way of s3fs.

An object is named by a URL, s3://BUCKET/KEY. Who asks, and where the store is, comes from where every program of S3
looks for it (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL_S3, ~/.aws, the role of a machine) and from nowhere else: no command,
URL or file of ours holds a secret. Listings are asked for anew each time, since other machines write too.

Every call here is one that all such stores know: without the checksums that botocore adds of late, and objects are
removed one by one, since some stores (OpenStack Swift) want a hash with a list of them that botocore no longer sends.
"""

import errno
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import urlsplit

from skyreid.errors import SettingError, StoreAwayError, StoreError

SCHEME = "s3://"
AT_ONCE = 16
"""Objects that one process reads or writes at the same time."""
_PART_BYTES, _PARTS_AT_ONCE = 2**24, 4
"""Of a large file: what is held in memory of it."""
_MOST_PARTS = 9_000
"""Stores take 10,000."""
_URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+)*)/?")
_SETTINGS: dict[str, object] = {
    "connect_timeout": 10,
    "read_timeout": 60,
    "retries": {"mode": "standard", "total_max_attempts": 2},
    "max_pool_connections": AT_ONCE,
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}
_NO_BUCKET = "NoSuchBucket"
_REFUSED = frozenset(("AccessDenied", "Forbidden", "403", "401"))
_NO_SUCH_KEY = frozenset(("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"))
_CLOCK = "RequestTimeTooSkewed"
_BUSY = frozenset(
    ("InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout", "500", "502", "503", "504", "429")
)
_Given = TypeVar("_Given")
_Result = TypeVar("_Result")


class _Store(Protocol):
    """What is used of `s3fs.S3FileSystem`; a path is BUCKET/KEY."""

    s3: Any
    """The client of botocore."""
    retries: int

    def cat_file(self, path: str, *, start: int, end: int) -> bytes: ...
    def pipe_file(self, path: str, value: bytes) -> object: ...
    def put_file(self, lpath: str, rpath: str, *, chunksize: int, max_concurrency: int) -> object: ...
    def get_file(self, rpath: str, lpath: str, *, chunksize: int, max_concurrency: int) -> object: ...
    def rm_file(self, path: str) -> object: ...
    def call_s3(self, method: str, **told: str) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object as a listing tells of it."""

    url: str
    size: int
    """In bytes."""
    modified: datetime
    """When it was written, by the store's clock."""


def is_object(path: str | os.PathLike[str]) -> bool:
    """Whether a path is the URL of an object; a `Path` never is, since it has no place for two slashes."""
    return isinstance(path, str) and path.startswith(SCHEME)


def checked_url(url: str) -> str:
    """Give the URL of a place in a bucket, without a slash at its end.

    Raises:
        StoreError: it is none, or has a name in it that not every store takes, or a secret.
    """
    found = _URL.fullmatch(url)
    if found is None:
        shown = url if "@" not in url else "one with an '@' in it"
        raise StoreError(
            "a place in an object store is given as s3://BUCKET or s3://BUCKET/PREFIX, of letters, digits, '.', '_' "
            f"and '-'; got {shown!r:.80}; keys and endpoint are told by AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and "
            "AWS_ENDPOINT_URL_S3, or by ~/.aws"
        )
    return f"{SCHEME}{found[1]}{found[2]}"


def read_object(url: str, *, most_bytes: int) -> bytes:
    """Give the content of an object, of which no more is fetched than it may have.

    Raises:
        FileNotFoundError: there is none of this name.
        OSError: it is larger.
        StoreError: the store refuses, or is away.
    """
    with _said(url) as store:
        try:
            # One question to the store; without a range s3fs would ask for the length before.
            content = store.cat_file(_key(url), start=0, end=most_bytes + 1)
        except OSError as error:
            if _code(error) != "InvalidRange":
                raise
            content = b""  # nothing lies within any range of an empty object
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"has more than {most_bytes:,} bytes; no more are read", url)
    return content


def write_object(url: str, content: bytes) -> None:
    """Write an object, whole or not at all; it is in the store when this returns.

    Raises:
        StoreError: the store refuses, or is away.
    """
    with _said(url) as store:
        store.pipe_file(_key(url), content)


def upload_file(path: Path, url: str) -> None:
    """Write a file into the store, a large one in parts; the object is there whole or not at all.

    Raises:
        OSError: the file cannot be read.
        StoreError: the store refuses, or is away.
    """
    with _said(url) as store:
        part = max(_PART_BYTES, path.stat().st_size // _MOST_PARTS + 1)
        store.put_file(str(path), _key(url), chunksize=part, max_concurrency=_PARTS_AT_ONCE)


def download_file(url: str, path: Path) -> None:
    """Fetch an object into a file.

    Raises:
        FileNotFoundError: there is none of this name.
        OSError: the file cannot be written.
        StoreError: the store refuses, or is away.
    """
    with _said(url) as store:
        store.get_file(_key(url), str(path), chunksize=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)


def list_objects(folder: str) -> list[StoredObject]:
    """List all objects below a URL, at any depth, by name.

    Raises:
        StoreError: the store refuses, or is away.
    """
    bucket = _key(folder).partition("/")[0]
    return [
        StoredObject(
            url=f"{SCHEME}{bucket}/{one['Key']}", size=int(one["Size"]), modified=one["LastModified"].astimezone(UTC)
        )
        for page in _pages(folder)
        for one in page.get("Contents", ())
    ]


def list_folders(folder: str) -> list[str]:
    """Name what lies right below a URL and has objects below itself, in order; others are not asked for one by one.

    Raises:
        StoreError: the store refuses, or is away.
    """
    names = (one["Prefix"] for page in _pages(folder, Delimiter="/") for one in page.get("CommonPrefixes", ()))
    return [name.rstrip("/").rpartition("/")[2] for name in names]


def remove_objects(urls: Iterable[str]) -> None:
    """Remove objects; one that is not there is gone already.

    Raises:
        StoreError: the store refuses, or is away.
    """
    for _ in several_at_once(_remove, urls):
        pass


def end_unfinished_uploads(folder: str, *, older_than: timedelta) -> int:
    """Give up what killed processes began to upload below a URL: no listing shows those parts, yet they are kept.

    Raises:
        StoreError: the store refuses, or is away.
    """
    bucket, _, key = _key(folder).partition("/")
    until = datetime.now(UTC) - older_than
    with _said(folder) as store:
        found = store.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=f"{key}/").get("Uploads", ())
        old = [one for one in found if one["Initiated"] < until]
        for one in old:
            store.call_s3("abort_multipart_upload", Bucket=bucket, Key=one["Key"], UploadId=one["UploadId"])
    return len(old)


def several_at_once(
    do: Callable[[_Given], _Result], given: Iterable[_Given], *, at_once: int = AT_ONCE
) -> Iterator[_Result]:
    """Do the same with each of many, several at the same time; gives the results in their order, few of them held.

    After an error those that wait are left; those that were begun have ended when it is raised.
    """
    rest = iter(given)
    with ThreadPoolExecutor(at_once) as threads:
        begun: deque[Future[_Result]] = deque(threads.submit(do, one) for one in islice(rest, 2 * at_once))
        try:
            while begun:
                result = begun.popleft().result()
                begun.extend(threads.submit(do, one) for one in islice(rest, 1))
                yield result
        finally:
            for one in begun:
                one.cancel()


def _remove(url: str) -> None:
    with _said(url) as store:
        store.rm_file(_key(url))


def _pages(folder: str, **told: str) -> Iterator[dict[str, Any]]:
    """The pages of a listing, as the store gives them."""
    bucket, _, key = _key(folder).partition("/")
    asked = {"Bucket": bucket, "Prefix": f"{key}/" if key else "", **told}
    while True:
        with _said(folder) as store:
            page = store.call_s3("list_objects_v2", **asked)
        yield page
        if not page.get("IsTruncated"):
            return
        asked["ContinuationToken"] = page["NextContinuationToken"]


def _key(url: str) -> str:
    assert is_object(url), url
    return url.removeprefix(SCHEME)


@cache
def _store(process: int) -> _Store:
    """What reaches the store, made once for a process: connections do not survive a fork.

    Whoever was forked keeps that of its parent, unused: ending it would take the parent's connections from the parent.
    """
    try:
        from s3fs import S3FileSystem  # takes a second, and is an extra
    except ImportError as error:
        raise SettingError(f"files in an object store need s3fs: pip install 'skyreid[s3]' ({error})") from error
    made = S3FileSystem(use_listings_cache=False, skip_instance_cache=True, config_kwargs=dict(_SETTINGS))
    store = cast(_Store, made)
    store.retries = 2  # beside botocore's own: of answers that were cut off
    return store


@contextmanager
def _said(url: str) -> Iterator[_Store]:
    """Reach the store, and say in our words what it complains of."""
    store = _store(os.getpid())
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        EndpointProviderError,
        HTTPClientError,
        NoCredentialsError,
        NoRegionError,
        PartialCredentialsError,
        ProfileNotFound,
    )
    from botocore.exceptions import ConnectionError as CannotConnect

    try:
        yield store
    except (NoCredentialsError, PartialCredentialsError, ProfileNotFound, NoRegionError) as error:
        raise StoreError(
            f"{url}: this program was told no key of the object store ({error}); set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or write them into ~/.aws/credentials"
        ) from error
    except (EndpointProviderError, ValueError) as error:
        if isinstance(error, ValueError) and not str(error).startswith("Invalid endpoint"):
            raise
        # What it names may hold a password.
        raise StoreError(
            f"{url}: AWS_ENDPOINT_URL_S3, or ~/.aws/config, must name the object store as https://HOST or "
            "https://HOST:PORT; what is there is no such address"
        ) from None
    except (CannotConnect, HTTPClientError, TimeoutError, ConnectionError) as error:
        raise StoreAwayError(
            f"{_place(store, url)}: the object store cannot be reached ({type(error).__name__}); see that it runs "
            "and that AWS_ENDPOINT_URL_S3, or ~/.aws/config, names it, and try again"
        ) from error
    except (BotoCoreError, ClientError, OSError) as error:
        code = _code(error)
        if code in _BUSY:
            raise StoreAwayError(
                f"{_place(store, url)}: the object store does not answer now ({code}); try again"
            ) from error
        if code == _NO_BUCKET:
            raise StoreError(
                f"{_place(store, url)}: there is no such bucket; make it, or see that AWS_ENDPOINT_URL_S3 names the "
                "right store"
            ) from error
        if code in _NO_SUCH_KEY:
            raise StoreError(
                f"{_place(store, url)}: the object store does not take this key ({code}); see that AWS_ACCESS_KEY_ID, "
                "AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or ~/.aws/credentials, are right and have not ended"
            ) from error
        if code == _CLOCK:
            raise StoreError(
                f"{_place(store, url)}: the clocks of the object store and of this machine differ too much ({code}); "
                "set them"
            ) from error
        if code in _REFUSED:
            raise StoreError(
                f"{_place(store, url)}: the object store refuses this key ({code}); it needs s3:ListBucket, "
                "s3:GetObject, s3:PutObject, s3:DeleteObject, s3:ListBucketMultipartUploads and "
                "s3:AbortMultipartUpload there"
            ) from error
        if isinstance(error, FileNotFoundError) and code is not None:
            raise FileNotFoundError(errno.ENOENT, "is not in the object store", url) from None
        if code is None and isinstance(error, OSError):
            raise  # of a file here
        raise StoreError(f"{_place(store, url)}: the object store refuses: {error}") from error


def _code(error: BaseException) -> str | None:
    """What a store calls its refusal; None = the error is none of it."""
    told = error if hasattr(error, "response") else error.__cause__
    response = getattr(told, "response", None)
    return str(response["Error"].get("Code")) if isinstance(response, dict) and "Error" in response else None


def _place(store: _Store, url: str) -> str:
    """Name bucket and server, for people: no key, and nothing that stands before the server's name."""
    bucket = _key(url).partition("/")[0]
    return f"{SCHEME}{bucket} at {urlsplit(store.s3.meta.endpoint_url).hostname}"
