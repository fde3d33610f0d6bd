"""The folder of a build: who may write in it, and what in it belongs to no finished source."""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from skyreid.atomic_file import sweep_leftovers
from skyreid.building.finished_source import CROPS, RECORDS, REPLACED, FinishedSource, cut_otherwise
from skyreid.building.linking.event_log import LINKS_FILE
from skyreid.building.sources import Source
from skyreid.datasets.manifest import MANIFEST_FILE
from skyreid.errors import SourceError
from skyreid.file_lock import try_lock
from skyreid.folder_listing import is_left_by_system, names_in
from skyreid.regular_file import open_in_place

MASKING_FILE = "masking.json"
STATISTICS_FILE = "statistics.png"
CARD_FILE = "dataset-card.md"
TABLE_FILE = "embeddings.npz"
PARTIAL = "partial"
LOCK = "build.lock"
_TRACKLET_FOLDER = re.compile(r".+-\d{4,}", re.DOTALL)
_CROP_FILE = re.compile(r"\d{6,}\.jpg")


@contextmanager
def locked(out_dir: Path) -> Iterator[None]:
    """Make the folder, or enter it, and keep other builds out.

    Raises:
        SourceError: the folder is somebody else's, or another build is in it.
    """
    # Crops that belong to nobody will be removed: not in a folder that is somebody else's.
    if out_dir.exists() and not out_dir.is_dir():
        raise SourceError(f"{out_dir}: must be a folder; it is a file")
    if out_dir.exists() and not (out_dir / LOCK).exists() and names_in(out_dir):
        raise SourceError(f"{out_dir}: must be new, empty, or the folder of an earlier build; it holds other files")
    out_dir.mkdir(parents=True, exist_ok=True)
    for name in (LOCK, RECORDS, CROPS, PARTIAL, REPLACED):
        if (out_dir / name).is_symlink():
            raise SourceError(
                f"{out_dir / name}: is a link; a build removes and writes files there, and does so in its own folder "
                "only. Put the folder itself where the room is"
            )
    with open(out_dir / LOCK, "a", opener=open_in_place) as lock:
        if not try_lock(lock.fileno()):
            raise SourceError(f"{out_dir}: another build is at work in this folder")
        (out_dir / RECORDS).mkdir(exist_ok=True)
        yield


def check_complete(sources: Sequence[Source], out_dir: Path) -> None:
    """See that no source of an earlier build is forgotten.

    Raises:
        SourceError: naming the source.
    """
    names = {source.name for source in sources}
    for record in sorted((out_dir / RECORDS).glob("*.json")):
        if record.stem not in names and not is_left_by_system(record.name):
            raise SourceError(
                f"{out_dir}: holds the finished source {record.stem!r}, which is not among the given ones; "
                "give all sources again, or another folder"
            )


def check_replacing(out_dir: Path, wanted: Mapping[str, Mapping[str, str]]) -> None:
    """See that no crops are thrown away because they were cut in another way.

    Args:
        out_dir: the folder, locked.
        wanted: by name of the source, its fingerprint now.

    Raises:
        SourceError: naming a source and everything that differs.
    """
    otherwise = {name: found for name, given in wanted.items() if (found := cut_otherwise(out_dir, name, given))}
    if not otherwise:
        return
    name, differences = next(iter(otherwise.items()))
    others = f", and {len(otherwise) - 1} more sources" if len(otherwise) > 1 else ""
    raise SourceError(
        f"{out_dir} holds crops of {name!r}{others} that were cut in another way: {'; '.join(differences)}. Build as "
        "then, or into another folder, or add --replace to throw them away and cut them again (decisions of 'skyreid "
        "link' go on where the same people are found)"
    )


def sweep(out_dir: Path, kept: Mapping[str, FinishedSource | None]) -> list[str]:
    """Remove what belongs to no finished source; the manifest and the records first, since they name crops.

    Args:
        out_dir: the folder, locked.
        kept: by name of the source; None = it is to be built.

    Returns:
        Names of the sources that had been finished and are to be built again.
    """
    if None in kept.values():
        for name in (MANIFEST_FILE, CARD_FILE, STATISTICS_FILE, MASKING_FILE, TABLE_FILE):
            (out_dir / name).unlink(missing_ok=True)
    cut_again = [name for name, finished in kept.items() if finished is None and _set_aside(out_dir, name)]
    for folder in (out_dir, out_dir / RECORDS):
        sweep_leftovers(folder)
    shutil.rmtree(out_dir / PARTIAL, ignore_errors=True)
    (out_dir / CROPS).mkdir(exist_ok=True)
    listed = {tracklet.tracklet_id for source in kept.values() if source for tracklet in source.tracklets}
    for name in names_in(out_dir / CROPS):
        if name not in listed:
            _remove_crops(out_dir / CROPS / name)
    return cut_again


def _remove_crops(folder: Path) -> None:
    """Remove the crops of a tracklet that no source lists any more, once it is sure that they are crops.

    Raises:
        SourceError: it is something that no build put there.
    """
    is_ours = not folder.is_symlink() and folder.is_dir() and _TRACKLET_FOLDER.fullmatch(folder.name) is not None
    if not is_ours or not all(_CROP_FILE.fullmatch(name) for name in names_in(folder)):
        raise SourceError(f"{folder}: no build put this here; move it elsewhere, and build again")
    shutil.rmtree(folder)


def _set_aside(out_dir: Path, name: str) -> bool:
    """Keep the record of a source that is cut again, if decisions were made; the oldest one stays.

    Returns:
        Whether there is a record.
    """
    record, kept = out_dir / RECORDS / f"{name}.json", out_dir / REPLACED / f"{name}.json"
    if not record.exists():
        return False
    if kept.exists() or not (out_dir / LINKS_FILE).exists():
        record.unlink()
    else:
        kept.parent.mkdir(exist_ok=True)
        record.rename(kept)
    return True
