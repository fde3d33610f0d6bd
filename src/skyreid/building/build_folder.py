"""The folder of a build: the records of its finished sources, who may write in it, and what in it belongs to no source.

The appearance of a record is the commit of its source.
"""

import json
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from skyreid.building.crops.cropping import Crop
from skyreid.building.crops.face_mask import MaskingConfig
from skyreid.building.crops.quality import QualityConfig
from skyreid.building.finder import finder_in_words
from skyreid.building.linking.event_log import LINKS_FILE
from skyreid.building.source_report import SourceReport
from skyreid.building.sources import Source
from skyreid.building.tracked_boxes import box_of
from skyreid.building.video.picture_folder import film_sha256
from skyreid.datasets.manifest import MANIFEST_FILE
from skyreid.errors import ClusterError, SourceError
from skyreid.files.atomic_file import flush, sweep_leftovers, try_lock, write_atomically
from skyreid.files.picture_file import MAX_BYTES
from skyreid.files.regular_file import file_sha256, is_left_by_system, names_in, open_in_place, shortened
from skyreid.files.strict_json import read_json
from skyreid.retrieval.embedding_table import TABLE_FILE
from skyreid.tracklet import Frame, Tracklet

CROPS = "crops"
RECORDS = "sources"
REPLACED = "replaced"
"""Records of sources that are being cut again on purpose, until the decisions on them were carried over."""
MASKING_FILE = "masking.json"
STATISTICS_FILE = "statistics.png"
CARD_FILE = "dataset-card.md"
PARTIAL = "partial"
LOCK = "build.lock"
CASE_FILE = "case.json"
"""What `skyreid find` remembers of its folder."""
_ATTEMPT = re.compile(r"(?P<source>.+)\.[0-9a-f]{16}", re.DOTALL)
_TRACKLET_FOLDER = re.compile(r".+-\d{4,}", re.DOTALL)
_CROP_FILE = re.compile(r"\d{6,}\.jpg")


@dataclass(frozen=True, slots=True)
class FinishedTracklet:
    """The crops in `crops/TRACKLET_ID`."""

    tracklet_id: str
    person: int | None
    """Identity number of the annotations; None without."""
    crops: tuple[Crop, ...]
    embedding: tuple[float, ...] | None = None
    """Of the person before their face was covered; None = no model was given."""


@dataclass(frozen=True, kw_only=True)
class FinishedSource:
    """Everything that the manifest and the report need of one source."""

    fingerprint: dict[str, str]
    """Of the input and the settings, as `fingerprint` gives it."""
    report: SourceReport
    tracklets: tuple[FinishedTracklet, ...]


@dataclass(frozen=True, slots=True)
class CutSource:
    """What one attempt at a source made, before it is brought in."""

    folder: Path
    """Of this attempt: one folder of crops for each tracklet, named as it."""
    machine: str
    """That wrote it."""
    finished: FinishedSource


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
    is_new = not out_dir.exists()
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
        try:
            yield
        except BaseException:
            if is_new:
                _leave_no_trace(out_dir)
            raise


def _leave_no_trace(out_dir: Path) -> None:
    """Remove the folder of a build that was refused or stopped before it wrote anything."""
    shutil.rmtree(out_dir / PARTIAL, ignore_errors=True)
    if set(names_in(out_dir)) <= {LOCK, CASE_FILE, RECORDS, CROPS} and not names_in(out_dir / RECORDS):
        with suppress(OSError):  # Windows removes no file that is open
            for name in (RECORDS, CROPS):
                if (out_dir / name).exists():
                    (out_dir / name).rmdir()
            for name in (CASE_FILE, LOCK):
                (out_dir / name).unlink(missing_ok=True)
            out_dir.rmdir()


def check_complete(sources: Sequence[Source], out_dir: Path) -> None:
    """See that no source of an earlier build is forgotten.

    Raises:
        SourceError: naming the source.
    """
    for name in sorted(finished_names(out_dir) - {source.name for source in sources}):
        raise SourceError(
            f"{out_dir}: holds the finished source {name!r}, which is not among the given ones; give all sources "
            "again, or another folder"
        )


def check_replacing(out_dir: Path, wanted: Mapping[str, Mapping[str, str]]) -> None:
    """See that no crops are thrown away because they were cut in another way.

    Those of a damaged video may be, once it is another file: somebody mended it.

    Args:
        out_dir: the folder, locked.
        wanted: by name of the source, its fingerprint now.

    Raises:
        SourceError: naming a source and everything that differs.
    """
    otherwise = {name: found for name, given in wanted.items() if (found := _cut_otherwise(out_dir, name, given))}
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


def new_attempt(out_dir: Path, name: str) -> Path:
    """Make a folder for one attempt at a source: nobody else writes there, whoever else may be at the same source."""
    folder = out_dir / PARTIAL / f"{name}.{secrets.token_hex(8)}"
    folder.mkdir(parents=True)
    return folder


def bring_in(out_dir: Path, attempt: CutSource) -> FinishedSource:
    """Commit a source; only for whoever holds the folder's lock, and once for each source.

    Args:
        out_dir: the folder, locked, with nothing of an earlier attempt among its crops (`sweep`).
        attempt: whose crops are on the disk.

    Raises:
        ClusterError: they are on another disk.
    """
    if not attempt.folder.is_dir():
        raise ClusterError(
            f"{attempt.folder}: {attempt.machine} wrote crops there, and they are not here; build into a folder that "
            "all machines of the cluster see at the same path"
        )
    for tracklet in attempt.finished.tracklets:
        (attempt.folder / tracklet.tracklet_id).rename(out_dir / CROPS / tracklet.tracklet_id)
    flush(out_dir / CROPS)
    write_finished(out_dir, attempt.finished)
    shutil.rmtree(attempt.folder, ignore_errors=True)
    return attempt.finished


def begun_before(out_dir: Path) -> tuple[str, ...]:
    """Name the sources that were at work when an earlier build ended, and are not finished."""
    attempts = names_in(out_dir / PARTIAL) if (out_dir / PARTIAL).is_dir() else []
    found = map(_ATTEMPT.fullmatch, attempts)
    names = sorted({match["source"] for match in found if match})
    return tuple(name for name in names if not (out_dir / RECORDS / f"{name}.json").exists())


def finished_names(out_dir: Path) -> set[str]:
    """Name the sources that have a record, of whatever settings."""
    return {path.stem for path in (out_dir / RECORDS).glob("*.json") if not is_left_by_system(path.name)}


def cut_from(out_dir: Path, name: str) -> str | None:
    """The sha256 of the video that a finished source was cut from; None = it is not finished.

    Raises:
        SourceError: its record is damaged.
    """
    record = _read_record(out_dir / RECORDS / f"{name}.json")
    return None if record is None else record["fingerprint"].get("video_sha256")


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


# The records.
BUILDER_VERSION = 6
"""Raised whenever the same input gives other crops, so that finished sources are built again."""
_BUILDER_VERSIONS_OF_0_1 = ("1", "2", "3", "4", "5")
"""Those that no later skyreid had; the last builds of 0.1 go on."""
_IN_WORDS = {
    "video_sha256": "the video's sha256",
    "annotations_sha256": "the annotations' sha256",
    "finder": "who finds the people",
    "embedder": "the model that people are embedded with",
    "builder_version": "the builder's version",
}
_REMOVE = "remove this file, and its source is cut again"


def fingerprint(
    source: Source,
    *,
    finder: str,
    interval_s: float,
    masking: MaskingConfig | None,
    quality: QualityConfig,
    embedder: str = "none",
) -> dict[str, str]:
    """What decides over a source's crops; reads the whole video once.

    Args:
        source: the source.
        finder: who finds the people, as `finder.finder_of` gives it.
        interval_s: between two crops.
        masking: None = faces stay.
        quality: which boxes are dropped.
        embedder: what people are embedded with while they are cut.
    """
    if masking is None:
        how_masked = "none"
    else:
        model = file_sha256(masking.model) if masking.model else None  # wherever the file lies
        how_masked = json.dumps({**asdict(masking), "model": model})
    return {
        "video_sha256": film_sha256(source.path),
        "annotations_sha256": file_sha256(source.annotations) if source.annotations else "none",
        "finder": finder,
        "interval_s": str(interval_s),
        "masking": how_masked,
        "quality": json.dumps(asdict(quality)),
        "embedder": embedder,
        "builder_version": str(BUILDER_VERSION),
    }


def write_finished(out_dir: Path, finished: FinishedSource) -> None:
    """Commit: once this returns, the source survives a power cut."""
    path = out_dir / RECORDS / f"{finished.report.name}.json"
    write_atomically(path, [json.dumps(asdict(finished)).encode()])


def read_finished(out_dir: Path, name: str, wanted: dict[str, str]) -> FinishedSource | None:
    """The record of a source, if it is there, of this fingerprint, and all its crops are there, as they were cut."""
    record = _read_record(out_dir / RECORDS / f"{name}.json")
    if record is None or record["fingerprint"] != wanted:  # another version may have written other fields
        return None
    try:
        tracklets = tuple(
            FinishedTracklet(
                tracklet["tracklet_id"],
                tracklet["person"],
                tuple(
                    Crop(c["index"], c["time_s"], box_of(c["box"]), tuple(map(box_of, c["masked"])), c["sha256"])
                    for c in tracklet["crops"]
                ),
                None if tracklet["embedding"] is None else tuple(map(float, tracklet["embedding"])),
            )
            for tracklet in record["tracklets"]
        )
        report = SourceReport(**record["report"])
    except (LookupError, TypeError, ValueError) as error:
        path = out_dir / RECORDS / f"{name}.json"
        raise SourceError(f"{path} is damaged ({type(error).__name__}: {error}); {_REMOVE}") from error
    for tracklet in tracklets:
        folder = out_dir / CROPS / tracklet.tracklet_id
        if not folder.is_dir() or set(names_in(folder)) != {crop.file_name for crop in tracklet.crops}:
            return None
        if any(not _is_as_cut(folder / crop.file_name, crop) for crop in tracklet.crops):
            return None
    return FinishedSource(fingerprint=wanted, report=report, tracklets=tracklets)


def _cut_otherwise(out_dir: Path, name: str, wanted: Mapping[str, str]) -> list[str]:
    """Say in which respects the crops of a source were cut in another way than is wanted now; nothing to say is []."""
    record = _read_record(out_dir / RECORDS / f"{name}.json")
    if record is None:
        return []
    if record.get("report", {}).get("damage"):
        wanted = {**wanted, "video_sha256": record["fingerprint"].get("video_sha256", "none")}
    return [
        difference
        for key in {**record["fingerprint"], **wanted}
        for difference in _differences(key, record["fingerprint"].get(key, "none"), wanted.get(key, "none"))
    ]


def replaced_tracklets(out_dir: Path, source: Source, *, video_sha256: str) -> list[Tracklet]:
    """The tracklets of a source as they were before it was cut again; none where the video is another one now."""
    record = _read_record(out_dir / REPLACED / f"{source.name}.json")
    if record is None or record["fingerprint"].get("video_sha256") != video_sha256:
        return []
    return [
        Tracklet(
            tracklet_id=tracklet["tracklet_id"],
            frames=tuple(
                Frame(
                    "", index=crop["index"], time_s=crop["time_s"], box=box_of(crop["box"]), sha256=crop.get("sha256")
                )
                for crop in tracklet["crops"]
            ),
            pid=0,
            camid=0,
            platform=source.platform,
        )
        for tracklet in record["tracklets"]
    ]


def _read_record(path: Path) -> dict[str, Any] | None:
    """What a record file holds, of whatever version; None = there is none.

    Raises:
        SourceError: it is damaged.
    """
    try:
        record = read_json(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} is damaged ({error}); {_REMOVE}") from error
    fingerprint = record.get("fingerprint") if isinstance(record, dict) else None
    if not isinstance(fingerprint, dict) or not all(isinstance(part, str) for part in fingerprint.values()):
        raise SourceError(f"{path} is damaged: it does not say what its source was cut from; {_REMOVE}")
    return record


def _differences(key: str, kept: str, wanted: str) -> list[str]:
    """Two entries of a fingerprint that differ, in words; of settings in JSON, each that differs."""
    if kept == wanted:
        return []
    if kept.startswith("{") and wanted.startswith("{"):
        before, after = json.loads(kept), json.loads(wanted)
        return [
            f"{key} {name} was {before.get(name)}, now {after.get(name)}"
            for name in {**before, **after}
            if before.get(name) != after.get(name)
        ]
    before, after = (_in_words(key, value) for value in (kept, wanted))
    of = " (of skyreid 0.1)" if key == "builder_version" and before in _BUILDER_VERSIONS_OF_0_1 else ""
    return [f"{_IN_WORDS.get(key, key)} was {before}{of}, now {after}"]


def _in_words(key: str, value: str) -> str:
    """An entry of a fingerprint, short enough to be read."""
    if key.endswith("sha256"):
        return shortened(value)
    if key == "finder":
        return "a detector" if value.startswith("{") else finder_in_words(value)
    if key == "embedder":  # sha256 of the weights, then how they are fed
        return "none" if value == "none" else f"that of the sha256 {shortened(value.partition(' ')[0])}"
    return "on" if value.startswith("{") else value


def _is_as_cut(path: Path, crop: Crop) -> bool:
    try:
        return file_sha256(path, most_bytes=MAX_BYTES) == crop.sha256
    except OSError:
        return False
