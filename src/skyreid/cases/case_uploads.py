"""Videos that were uploaded to a case: in its folder, or in an object store.

    footage/KEY/NAME         under a name that we made of its own; KEY is a random one
    footage/KEY/.facts       in a store: what its first frame showed and the hash of its bytes; no list fetches a video
    footage/KEY/.described   in a store: it waits for nobody; in a folder, the time of KEY says so

A video in a store is fetched into `work/` by whoever decodes it, for as long as that takes, and is nowhere else.
"""

import json
import logging
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, Self

from skyreid.cases.case_files import GIVEN_UP_AFTER
from skyreid.errors import StoreError, VideoError
from skyreid.files.atomic_file import new_folder, scratch_folder, sweep_leftovers
from skyreid.files.object_store import (
    StoredObject,
    download_file,
    end_unfinished_uploads,
    is_object,
    list_objects,
    read_object,
    remove_objects,
    upload_file,
    write_object,
)
from skyreid.files.strict_json import Json

FOOTAGE = "footage"
_KEY = re.compile(r"[0-9a-f]{32}")
_DESCRIBED_TIME = (0, 0)
_FACTS, _DESCRIBED = ".facts", ".described"
_MOST_FACTS = 2**16
_VIDEO, _UPLOAD = "video", "upload"
"""Name the folders in `work` in which a video from a store, and one on its way there, lies for a while."""
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class HeldUpload:
    """A video that was uploaded."""

    key: str
    where: str
    """Its path, or its URL."""
    size: int
    """In bytes."""
    changed: float
    """When it was written, in seconds since 1970."""
    waits_since: datetime | None
    """When it began to wait for somebody who describes it; None = somebody did."""


@dataclass(frozen=True, kw_only=True)
class NotedFacts:
    """What was found out about a video when it came."""

    sha256: str
    """Of its bytes."""
    facts: dict[str, Json]
    """What its first frame showed."""


class NewUpload(Protocol):
    """A video on its way into a case; to be used in a `with` block, which leaves nothing of what was not finished."""

    path: Path
    """Where its bytes are to be written."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...

    def finish(self, noted: NotedFacts) -> str:
        """Keep it, with what was found out about it; gives where it is."""
        ...


class CaseUploads(Protocol):
    """The uploads of a case."""

    def new(self, key: str, name: str) -> NewUpload:
        """Begin one."""
        ...

    def all(self) -> list[HeldUpload]:
        """List them, the oldest first."""
        ...

    def key_of(self, where: str) -> str | None:
        """The KEY of a path or URL that is an upload of this case, and the case's own to remove; None = it is none."""
        ...

    def has(self, key: str) -> bool:
        """Whether something lies under a KEY."""
        ...

    def facts(self, where: str) -> NotedFacts | None:
        """Tell what was found out about one when it came; None = nobody noted it.

        Raises:
            VideoError: it is gone.
            StoreError: an object store refuses, or is away.
        """
        ...

    def mark_described(self, key: str) -> None:
        """Note that it waits for nobody: it goes at once when no source and no job needs it."""
        ...

    def remove(self, key: str) -> None:
        """Remove one."""
        ...

    def fetched(self, where: str) -> AbstractContextManager[Path]:
        """Have a video as a file of this machine inside the block."""
        ...

    def sweep_leftovers(self) -> None:
        """Remove what killed processes left."""
        ...


class FolderUploads:
    """Uploads in the folder of a case."""

    def __init__(self, folder: Path) -> None:
        self._footage = folder / FOOTAGE

    def new(self, key: str, name: str) -> "_NewInFolder":
        """Begin one."""
        return _NewInFolder(self._footage / key / name)

    def all(self) -> list[HeldUpload]:
        """List them, the oldest first."""
        folders = [path for path in self._footage.glob("*") if _KEY.fullmatch(path.name)]
        files = [path.resolve() for folder in folders for path in folder.iterdir()]
        return sorted((self._held(path) for path in files), key=lambda one: (one.changed, Path(one.where).name))

    def key_of(self, where: str) -> str | None:
        """The KEY of an upload of this case."""
        folder = Path(where).parent
        is_ours = folder.parent == self._footage.parent.resolve() / FOOTAGE and _KEY.fullmatch(folder.name)
        return folder.name if is_ours else None

    def has(self, key: str) -> bool:
        """Whether something lies under a KEY."""
        return (self._footage / key).exists()

    def facts(self, where: str) -> NotedFacts | None:
        """Say that nobody noted them: the file is at hand."""
        return None

    def mark_described(self, key: str) -> None:
        """Note on the folder of an upload that it waits for nobody."""
        os.utime(self._footage / key, _DESCRIBED_TIME)

    def remove(self, key: str) -> None:
        """Remove one."""
        shutil.rmtree(self._footage / key)

    @contextmanager
    def fetched(self, where: str) -> Iterator[Path]:
        """Give the file."""
        yield Path(where)

    def sweep_leftovers(self) -> None:
        """Remove uploads that were cut short."""
        sweep_leftovers(self._footage)

    def _held(self, path: Path) -> HeldUpload:
        told, since = path.stat(), path.parent.stat().st_mtime
        return HeldUpload(
            key=path.parent.name,
            where=str(path),
            size=told.st_size,
            changed=told.st_mtime,
            waits_since=datetime.fromtimestamp(since, UTC) if since else None,
        )


class _NewInFolder:
    def __init__(self, place: Path) -> None:
        self._place, self._stack = place, ExitStack()

    def __enter__(self) -> "_NewInFolder":
        self.path = self._stack.enter_context(new_folder(self._place.parent)) / self._place.name
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    def finish(self, noted: NotedFacts) -> str:
        """Give the folder its name; it is on the disk then."""
        self._stack.close()
        return str(self._place.resolve())


class StoreUploads:
    """Uploads in an object store.

    Args:
        root: URL of the place that the case has for itself.
        work: folder of this machine for what is decoded.
    """

    def __init__(self, root: str, work: Path) -> None:
        self._footage, self._work = f"{root}/{FOOTAGE}", work

    def new(self, key: str, name: str) -> "_NewInStore":
        """Begin one."""
        return _NewInStore(f"{self._footage}/{key}", name, self._work)

    def all(self) -> list[HeldUpload]:
        """List them, the oldest first."""
        found = [
            HeldUpload(
                key=key,
                where=video.url,
                size=video.size,
                changed=video.modified.timestamp(),
                waits_since=None if _DESCRIBED in objects else video.modified,
            )
            for key, objects in self._by_key().items()
            if (video := _video_among(objects)) is not None
        ]
        return sorted(found, key=lambda one: (one.changed, one.where))

    def key_of(self, where: str) -> str | None:
        """The KEY of an upload of this case."""
        key, _, name = where.removeprefix(f"{self._footage}/").partition("/")
        is_ours = where.startswith(f"{self._footage}/") and _KEY.fullmatch(key) and name and "/" not in name
        return key if is_ours else None

    def has(self, key: str) -> bool:
        """Whether something lies under a KEY."""
        return bool(list_objects(f"{self._footage}/{key}"))

    def facts(self, where: str) -> NotedFacts | None:
        """Tell what was found out about one when it came; None = nobody noted it."""
        if (key := self.key_of(where)) is None:
            return None
        url = f"{self._footage}/{key}/{_FACTS}"
        try:
            told = json.loads(read_object(url, most_bytes=_MOST_FACTS))
        except FileNotFoundError:
            name = where.rpartition("/")[2]
            raise VideoError(
                f"{name}: is not in the object store any more, or what was noted of it; send it again"
            ) from None
        except ValueError as error:
            raise StoreError(f"{url}: must say what the video beside it holds; it cannot be read: {error}") from error
        if not isinstance(told, dict) or not isinstance(told.get("sha256"), str) or "facts" not in told:
            raise StoreError(f"{url}: must hold sha256 and facts of the video beside it; got {told!r:.80}")
        return NotedFacts(**told)

    def mark_described(self, key: str) -> None:
        """Note beside an upload that it waits for nobody."""
        write_object(f"{self._footage}/{key}/{_DESCRIBED}", b"")

    def remove(self, key: str) -> None:
        """Remove one, and what was noted of it."""
        found = [one.url for one in list_objects(f"{self._footage}/{key}")]
        remove_objects(url for url in found if not url.endswith(f"/{_DESCRIBED}"))
        remove_objects(found)  # last what tells that whoever is killed had begun to remove it

    @contextmanager
    def fetched(self, where: str) -> Iterator[Path]:
        """Fetch a video for as long as the block lasts; one that was added by its path is at hand."""
        if not is_object(where):
            yield Path(where)
            return
        if self.key_of(where) is None:  # what a case names elsewhere is not fetched with this machine's keys
            raise FileNotFoundError(f"{where}: is no upload of this case")
        with scratch_folder(self._work / _VIDEO) as folder:
            folder.chmod(0o700)
            path = folder / where.rpartition("/")[2]
            download_file(where, path)
            yield path

    def sweep_leftovers(self) -> None:
        """Remove what is nobody's: videos of killed processes here, and in the store what was never finished."""
        for name in (_VIDEO, _UPLOAD):
            sweep_leftovers(self._work, name)
        end_unfinished_uploads(self._footage, older_than=GIVEN_UP_AFTER)
        until = datetime.now(UTC) - GIVEN_UP_AFTER
        for key, objects in self._by_key().items():
            is_removed = _DESCRIBED in objects or all(one.modified < until for one in objects.values())
            if _video_among(objects) is None and is_removed:
                self.remove(key)

    def _by_key(self) -> dict[str, dict[str, StoredObject]]:
        found: dict[str, dict[str, StoredObject]] = defaultdict(dict)
        for one in list_objects(self._footage):
            if (key := self.key_of(one.url)) is not None:
                found[key][one.url.rpartition("/")[2]] = one
        return found


class _NewInStore:
    """Written here first, since a program that decodes wants a file, and acknowledged when the store has it."""

    def __init__(self, place: str, name: str, work: Path) -> None:
        self._place, self._name, self._work = place, name, work
        self._stack, self._is_kept = ExitStack(), False

    def __enter__(self) -> "_NewInStore":
        folder = self._stack.enter_context(scratch_folder(self._work / _UPLOAD))
        folder.chmod(0o700)
        self.path = folder / self._name
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()
        if not self._is_kept:
            try:
                remove_objects(one.url for one in list_objects(self._place))
            except StoreError as away:
                _logger.warning("%s: an upload that failed stays there until it is swept: %s", self._place, away)

    def finish(self, noted: NotedFacts) -> str:
        """Bring it into the store; what is known of it first, so that no video is there without."""
        write_object(f"{self._place}/{_FACTS}", json.dumps(asdict(noted)).encode())
        where = f"{self._place}/{self._name}"
        upload_file(self.path, where)
        self._is_kept = True
        return where


def _video_among(objects: Mapping[str, StoredObject]) -> StoredObject | None:
    return next((one for name, one in objects.items() if not name.startswith(".")), None)
