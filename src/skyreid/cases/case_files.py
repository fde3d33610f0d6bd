"""Where the files of a case lie: in its folder, or in an object store that machines share without a common disk.

    crops/KEY/AB/HASH.jpg    what the tracklets show, by the hash of the bytes, faces covered; a KEY is a source's
    begun                    in a store: nothing, by which the place is known again

The folder's crops get their KEY by a renaming inside the transaction that names it. A store renames nothing: crops are
written under their KEY, a random one, before the transaction, and who is killed leaves a KEY that nobody names. Nor
will anybody: whoever brings crops refuses to name them when writing them took half a day, and a KEY that nobody names
is removed when its newest object is a day old. The other half of the day is for clocks that differ.
"""

import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, Self, TypeVar

from skyreid.datasets.data_hash import read_unchanged
from skyreid.errors import CaseError, StoreError
from skyreid.files.atomic_file import flush, new_folder, sweep_leftovers
from skyreid.files.object_store import (
    list_folders,
    list_objects,
    read_object,
    remove_objects,
    several_at_once,
    write_object,
)
from skyreid.files.regular_file import names_in
from skyreid.tracklet import Frame

CROPS = "crops"
_BEGUN = "begun"
"""An empty object at the root of every case in a store."""
LONGEST_WRITING_S = 12 * 3600.0
"""From the first crop of a source in a store to the transaction that names it."""
GIVEN_UP_AFTER = timedelta(days=1)
"""An object of a store that nobody names, and that is so old, belongs to nobody."""
_logger = logging.getLogger(__name__)
_Given = TypeVar("_Given")
_Result = TypeVar("_Result")


class NewCrops(Protocol):
    """Crops on their way into a case; to be used in a `with` block, which leaves nothing of what was not settled."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...

    def put(self, frames: Iterable[Frame]) -> Iterator[None]:
        """Bring crops, each to its hash, and see on the way that it is the one that was cut; tells of each."""
        ...

    def settle(self) -> None:
        """Let them be found by their KEY: inside the transaction that names it."""
        ...

    def undo(self) -> None:
        """Remove them again, since that transaction failed."""
        ...


class CaseFiles(Protocol):
    """The files of a case."""

    @property
    def root(self) -> str:
        """Where they lie."""
        ...

    @property
    def crops(self) -> str:
        """Where its crops lie, by their KEY; ends with a slash."""
        ...

    def require_place(self) -> None:
        """See that this is the place that the case began with.

        Raises:
            StoreError: it is another one of the same name.
        """
        ...

    def new_crops(self, key: str) -> NewCrops:
        """Begin to bring the crops of a source."""
        ...

    def crop_keys(self) -> list[str]:
        """Name the KEYs under which something lies."""
        ...

    def has_crops(self, key: str) -> bool:
        """Whether something lies under a KEY."""
        ...

    def is_given_up(self, key: str) -> bool:
        """Whether nobody will name a KEY that nobody names now."""
        ...

    def remove_crops(self, key: str) -> None:
        """Remove all that lies under a KEY."""
        ...

    def sweep_leftovers(self) -> None:
        """Remove what killed processes left before it could be found."""
        ...

    def of_each(self, do: Callable[[_Given], _Result], given: Iterable[_Given]) -> Iterator[_Result]:
        """Do the same with many files, as many at once as it is worth; gives the results in order."""
        ...


def crop_name(sha256: str) -> str:
    """Name a crop below the KEY of its source."""
    return f"{sha256[:2]}/{sha256}.jpg"


class FolderFiles:
    """Files in the folder of a case.

    Args:
        folder: of the case.
    """

    def __init__(self, folder: Path) -> None:
        self.root = str(folder)
        self._crops = folder / CROPS
        self.crops = f"{self._crops}/"

    def require_place(self) -> None:
        """Do nothing: it is the folder of the case."""

    def new_crops(self, key: str) -> "NewFolder":
        """Begin to bring the crops of a source."""
        return NewFolder(self._crops / key)

    def crop_keys(self) -> list[str]:
        """Name the KEYs under which something lies."""
        if not self._crops.is_dir():
            return []
        return [name for name in names_in(self._crops) if not name.startswith(".")]

    def has_crops(self, key: str) -> bool:
        """Whether something lies under a KEY."""
        return (self._crops / key).exists()

    def is_given_up(self, key: str) -> bool:
        """Say that it is: a folder gets its KEY in the transaction that names it."""
        return True

    def remove_crops(self, key: str) -> None:
        """Remove all that lies under a KEY."""
        shutil.rmtree(self._crops / key)

    def sweep_leftovers(self) -> None:
        """Remove folders that were to get a KEY."""
        sweep_leftovers(self._crops)

    def of_each(self, do: Callable[[_Given], _Result], given: Iterable[_Given]) -> Iterator[_Result]:
        """Do the same with many files, one after the other."""
        return map(do, given)


class NewFolder:
    """Crops on their way into a folder; see `NewCrops`."""

    def __init__(self, final: Path) -> None:
        self._final = final
        self._stack = ExitStack()

    def __enter__(self) -> "NewFolder":
        self._staging = self._stack.enter_context(new_folder(self._final))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    def put(self, frames: Iterable[Frame]) -> Iterator[None]:
        """Bring crops; they are on the disk then."""
        for frame in frames:
            path = self._staging / crop_name(_hash_of(frame))
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(read_unchanged(frame))
            flush(path)
            yield

    def settle(self) -> None:
        """Give the folder its name."""
        self._stack.close()

    def undo(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._final, ignore_errors=True)


class StoreFiles:
    """Files in an object store.

    Args:
        root: URL of the place that the case has for itself.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.crops = f"{root}/{CROPS}/"

    def begin(self) -> None:
        """See that objects can be written, listed and removed here, and leave one by which the place is known again.

        Raises:
            StoreError: they cannot.
        """
        write_object(f"{self.root}/tried", b"")
        remove_objects(one.url for one in list_objects(self.root))
        write_object(f"{self.root}/{_BEGUN}", b"")

    def require_place(self) -> None:
        """See that this is the place that the case began with.

        Raises:
            StoreError: it is none, but one of the same name in another store.
        """
        try:
            read_object(f"{self.root}/{_BEGUN}", most_bytes=0)
        except FileNotFoundError:
            raise StoreError(
                f"{self.root}: the files of this case do not lie here; another store has a bucket of this name: see "
                "that AWS_ENDPOINT_URL_S3, or ~/.aws/config, names the store in which the case was made"
            ) from None

    def new_crops(self, key: str) -> "NewObjects":
        """Begin to bring the crops of a source."""
        return NewObjects(f"{self.crops}{key}")

    def crop_keys(self) -> list[str]:
        """Name the KEYs under which something lies."""
        return list_folders(self.crops.rstrip("/"))

    def has_crops(self, key: str) -> bool:
        """Whether something lies under a KEY."""
        return bool(list_objects(f"{self.crops}{key}"))

    def is_given_up(self, key: str) -> bool:
        """Whether its newest object is too old for anybody to name it."""
        found = list_objects(f"{self.crops}{key}")
        return all(one.modified < datetime.now(UTC) - GIVEN_UP_AFTER for one in found)

    def remove_crops(self, key: str) -> None:
        """Remove all that lies under a KEY."""
        remove_objects(one.url for one in list_objects(f"{self.crops}{key}"))

    def sweep_leftovers(self) -> None:
        """Do nothing: crops are found from the first moment on."""

    def of_each(self, do: Callable[[_Given], _Result], given: Iterable[_Given]) -> Iterator[_Result]:
        """Do the same with many objects, several at once: each is a question to another machine."""
        return several_at_once(do, given)


class NewObjects:
    """Crops on their way into a store; see `NewCrops`."""

    def __init__(self, final: str) -> None:
        self._final = final
        self._begun = time.monotonic()
        self._is_settled = False

    def __enter__(self) -> "NewObjects":
        return self

    def __exit__(self, *error: object) -> None:
        if not self._is_settled:
            self.undo()

    def put(self, frames: Iterable[Frame]) -> Iterator[None]:
        """Bring crops; they are in the store then."""
        return several_at_once(self._put, frames)

    def settle(self) -> None:
        """See that nobody can have taken them for given up.

        Raises:
            CaseError: they were written for too long.
        """
        if time.monotonic() - self._begun > LONGEST_WRITING_S:
            raise CaseError(
                f"{self._final}: writing the crops of this source took longer than {LONGEST_WRITING_S / 3600:g} hours, "
                "after which they may be swept away as nobody's; bring it in again, nearer to the store"
            )
        self._is_settled = True

    def undo(self) -> None:
        """Remove the objects."""
        try:
            remove_objects(one.url for one in list_objects(self._final))
        except StoreError as error:
            _logger.warning("%s: crops stay there until they are swept: %s", self._final, error)

    def _put(self, frame: Frame) -> None:
        write_object(f"{self._final}/{crop_name(_hash_of(frame))}", read_unchanged(frame))


def _hash_of(frame: Frame) -> str:
    if frame.sha256 is None:
        raise CaseError(f"{frame.path}: nobody noted its hash (skyreid 0.1 did not); build the folder again")
    return frame.sha256
