"""The record of a finished source: what it gave, and from what; its appearance is the commit."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from skyreid.atomic_file import write_atomically
from skyreid.building.build_report import SourceReport
from skyreid.building.crops.cropping import Crop
from skyreid.building.crops.face_mask import MaskingConfig
from skyreid.building.crops.quality import QualityConfig
from skyreid.building.sources import Source
from skyreid.building.tracked_boxes import Box
from skyreid.building.video.picture_folder import pictures_sha256
from skyreid.content_hash import file_sha256, shortened
from skyreid.errors import SourceError
from skyreid.folder_listing import names_in
from skyreid.picture_file import MAX_BYTES
from skyreid.strict_json import read_json
from skyreid.tracklet import Frame, Tracklet

CROPS = "crops"
RECORDS = "sources"
REPLACED = "replaced"
"""Records of sources that are being cut again on purpose, until the decisions on them were carried over."""
_IN_WORDS = {
    "video_sha256": "the video's sha256",
    "annotations_sha256": "the annotations' sha256",
    "finder": "who finds the people",
    "embedder": "the model that people are embedded with",
    "builder_version": "the builder's version",
}
_REMOVE = "remove this file, and its source is cut again"
BUILDER_VERSION = 6
"""Raised whenever the same input gives other crops, so that finished sources are built again."""


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
        "video_sha256": pictures_sha256(source.path) if source.path.is_dir() else file_sha256(source.path),
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
                    Crop(c["index"], c["time_s"], _box(c["box"]), tuple(map(_box, c["masked"])), c["sha256"])
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


def cut_otherwise(out_dir: Path, name: str, wanted: Mapping[str, str]) -> list[str]:
    """Say in which respects the crops of a source were cut in another way than is wanted now; nothing to say is []."""
    record = _read_record(out_dir / RECORDS / f"{name}.json")
    if record is None:
        return []
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
                Frame("", index=crop["index"], time_s=crop["time_s"], box=_box(crop["box"]), sha256=crop.get("sha256"))
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
    before, after = (
        shortened(value) if key.endswith("sha256") else "on" if value.startswith("{") else value
        for value in (kept, wanted)
    )
    return [f"{_IN_WORDS.get(key, key)} was {before}, now {after}"]


def _is_as_cut(path: Path, crop: Crop) -> bool:
    try:
        return file_sha256(path, most_bytes=MAX_BYTES) == crop.sha256
    except OSError:
        return False


def _box(numbers: list[float]) -> Box:
    left, top, right, bottom = numbers
    return left, top, right, bottom
