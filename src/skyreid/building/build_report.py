"""What a build says about itself: to its caller, in the manifest, in the report of masking."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from skyreid.building.build_folder import CROPS, FinishedSource
from skyreid.building.crops.cropping import TrackletEmbedder
from skyreid.building.crops.face_mask import MaskingConfig
from skyreid.building.crops.quality import QualityConfig
from skyreid.building.linking.link_report import OutdatedDecision, outdated_lines
from skyreid.building.source_report import SourceReport
from skyreid.building.sources import Source
from skyreid.building.tracked_boxes import Box, box_of
from skyreid.datasets.data_hash import pictures_sha256
from skyreid.errors import ManifestError
from skyreid.files.strict_json import read_json
from skyreid.retrieval.embedding_table import EmbeddingTable, save_table
from skyreid.tracklet import Frame, Tracklet

ANNOTATED, PER_TRACKLET = "annotated", "per-tracklet"
"""Who the pids of a build are."""
Json: TypeAlias = str | int | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class UnusableSource:
    """A source that was left out."""

    name: str
    """Camera and file."""
    reason: str
    """A sentence that names the file."""


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """What became of all sources."""

    manifest_path: Path
    manifest_sha256: str
    """Of all that the manifest says."""
    data_sha256: str
    """Of who is in it and what their crops are; see `datasets.data_hash`."""
    card_path: Path
    """The dataset card."""
    identities: str
    """`annotated`: a pid is a person. `per-tracklet`: nobody knows who is who, every tracklet has its own."""
    sources: tuple[SourceReport, ...]
    cut_again: tuple[str, ...] = ()
    """Sources of an earlier build that were cut again, on purpose or since crops were not as they had been cut."""
    begun_anew: tuple[str, ...] = ()
    """The sources that an earlier run was cutting when it ended; what it had cut of them is gone."""
    outdated: tuple[OutdatedDecision, ...] = ()
    """Decisions of `skyreid link` on tracklets that no tracklet stands for any more."""
    unusable: tuple[UnusableSource, ...] = ()
    """Sources that were left out, where that was asked for."""

    def __repr__(self) -> str:
        tracklets, crops = sum(one.tracklets for one in self.sources), sum(one.crops for one in self.sources)
        return (
            f"BuildReport({str(self.manifest_path)!r}: {tracklets} tracklets of {crops} crops from {len(self.sources)} "
            f"videos, identities {self.identities})"
        )

    def lines(self) -> list[str]:
        """What became of each source and how its annotations were read; the manifest and the card come last."""
        lines = [
            f"{source.name}: {source.tracklets} tracklets of {source.crops} crops from {source.boxes} boxes "
            f"({source.boxes_interpolated} more interpolated) and {source.frames_read} sampled frames; "
            f"{source.faces_detected} faces found, {source.faces_followed} followed and {source.faces_by_fallback} "
            "heads without one masked; "
            f"left out: {', '.join(source.left_out()) or 'nothing'}"
            for source in self.sources
        ]
        for source in self.sources:
            if source.read_as:
                lines.append(f"{source.name}: annotations read as {source.read_as}; {source.numbers()}")
            if source.tracklets_found_by:
                by = ", ".join(f"{number} by {who}" for who, number in sorted(source.tracklets_found_by.items()))
                lines.append(f"{source.name}: tracklets found {by}")
            lines += [f"{source.name}: {note}" for note in (source.damage, *source.notes) if note]
        if self.identities == PER_TRACKLET and self.sources and all(source.read_as for source in self.sources):
            lines.append(
                "nobody is known to be the same person in two videos: skyreid link tells, or identities=shared in a "
                "--source whose numbers are people"
            )
        if not any(source.tracklets for source in self.sources):
            lines.append("nobody was found: nothing can be embedded or searched")
        if self.cut_again:
            lines.append(f"cut again, instead of what was there: {', '.join(self.cut_again)}")
        lines += [f"{name}: began anew, since an earlier run ended while it was being cut" for name in self.begun_anew]
        lines += [f"{one.name}: left out: {one.reason}" for one in self.unusable]
        lines += outdated_lines(self.outdated)
        lines.append(f"{self.manifest_path}: identities {self.identities}, data sha256 {self.data_sha256}")
        lines.append(f"{self.card_path}: what this data is; fill in terms and consent (skyreid build --help)")
        return lines

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        return {
            **asdict(self),
            "manifest_path": str(self.manifest_path),
            "card_path": str(self.card_path),
            "sources": [asdict(source) for source in self.sources],
        }


NOT_STATED = "not stated"


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What only a person can say about footage; it goes into the manifest and onto the dataset card."""

    terms: str = NOT_STATED
    """Who may use the data, and for what."""
    consent: str = NOT_STATED
    """How the filmed people agreed or were told, or on what other ground they were filmed."""
    contact: str = NOT_STATED
    """Whom somebody asks who wants to be removed."""


@dataclass(frozen=True, kw_only=True)
class BuildInfo:
    """How a build was made."""

    sources: Sequence[Source]
    finished: Sequence[FinishedSource]
    """One for each source."""
    interval_s: float
    masking: MaskingConfig | None
    quality: QualityConfig
    declaration: Declaration
    face_detector_card: str = "none"
    """What the detector of faces is and what it misses."""
    embedder: TrackletEmbedder | None = None
    """What embedded people while they were cut, before their faces were covered."""

    @property
    def identities(self) -> str:
        """Only when annotations identify everybody in every source do equal numbers mean the same person."""
        is_annotated = all(source.annotations is not None for source in self.sources)
        people = [tracklet.person for source in self.finished for tracklet in source.tracklets]
        return ANNOTATED if is_annotated and None not in people else PER_TRACKLET

    @property
    def cameras(self) -> list[str]:
        """Their names; a camid is a place in this list."""
        return list(dict.fromkeys(source.camera for source in self.sources))

    @property
    def is_simulated(self) -> bool:
        """Whether a program drew the videos (all or none of them: `sources.check_together`)."""
        return self.sources[0].is_simulated

    @property
    def faces(self) -> dict[str, str | int]:
        """What masked the faces, and how many; of all sampled frames, `followed` and `fallback` among `faces`."""
        reports = [source.report for source in self.finished]
        return {
            "style": self.masking.style if self.masking else "none",
            "detector": self.masking.detector if self.masking else "none",
            "faces": sum(
                report.faces_detected + report.faces_followed + report.faces_by_fallback for report in reports
            ),
            "followed": sum(report.faces_followed for report in reports),
            "fallback": sum(report.faces_by_fallback for report in reports),
        }

    def to_json(self) -> dict[str, object]:
        """The `info` of the manifest."""
        return {
            "identities": self.identities,
            "cameras": self.cameras,
            "simulated": self.is_simulated,
            "interval_s": self.interval_s,
            "quality": asdict(self.quality),
            "faces_masked": self.masking is not None,
            "faces": self.faces,
            **({} if self.embedder is None else {"embedded_while_cutting": self.embedder.model}),
            **asdict(self.declaration),
            "sources": [
                {
                    "name": source.name,
                    "file": source.path.name,
                    "camera": source.camera,
                    "platform": source.platform.value,
                    "start_time": source.start_time.isoformat() if source.start_time else None,
                    "video_sha256": done.fingerprint["video_sha256"],
                    **_read_as(done.report),
                }
                for source, done in zip(self.sources, self.finished, strict=True)
            ],
        }

    def tracklets(self, out_dir: Path) -> list[Tracklet]:
        """All tracklets, source after source; without annotations each has a pid of its own, from 1."""
        tracklets: list[Tracklet] = []
        for source, done in zip(self.sources, self.finished, strict=True):
            for tracklet in done.tracklets:
                folder = out_dir / CROPS / tracklet.tracklet_id
                frames = tuple(
                    Frame(
                        str(folder / crop.file_name),
                        index=crop.index,
                        time_s=crop.time_s,
                        box=crop.box,
                        sha256=crop.sha256,
                    )
                    for crop in tracklet.crops
                )
                person = tracklet.person if self.identities == ANNOTATED else None
                tracklets.append(
                    Tracklet(
                        tracklet_id=tracklet.tracklet_id,
                        frames=frames,
                        pid=len(tracklets) + 1 if person is None else person,
                        camid=self.cameras.index(source.camera),
                        platform=source.platform,
                    )
                )
        return tracklets


def _read_as(report: SourceReport) -> dict[str, object]:
    """What annotations and telemetry were taken for, and whose numbers those are; nothing of what is not there."""
    told: dict[str, object] = {"telemetry": report.telemetry} if report.telemetry else {}
    if report.read_as:
        told |= {"annotations": report.read_as, "identities": report.identities}
        told["identities_because"] = report.identities_because
    return told


def masking_report(info: BuildInfo) -> dict[str, object]:
    """What was painted over, to be compared with where the faces are.

    `faces` counts the regions painted in all sampled frames; among them `followed`, found by their skin or in a frame
    before or after, and `fallback`, heads large enough to be recognised without a found face. `detector_recall`: of the
    frames before and after which the detector found somebody's face, in how many it missed it. `regions` tells by
    tracklet and frame those that show in a crop, in pixels of the source frame. A region in two crops stands
    twice.
    """
    return {
        **info.faces,
        "detector_card": info.face_detector_card,
        "detector_recall": {
            "expected": sum(source.report.faces_expected for source in info.finished),
            "missed": sum(source.report.faces_missed for source in info.finished),
        },
        "crops": sum(source.report.crops for source in info.finished),
        "regions": {
            tracklet.tracklet_id: {str(crop.index): crop.masked for crop in tracklet.crops if crop.masked}
            for source in info.finished
            for tracklet in source.tracklets
        },
    }


def read_masked_regions(path: Path) -> dict[str, dict[int, list[Box]]]:
    """Read the regions of a masking report: by tracklet and frame, in pixels of the source frame.

    Raises:
        ManifestError: the report is missing or damaged.
    """
    try:
        regions = read_json(path)["regions"]
        return {
            tracklet_id: {int(index): [box_of(box) for box in boxes] for index, boxes in by_frame.items()}
            for tracklet_id, by_frame in regions.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManifestError(f"{path} must be the masking report of a build; it cannot be used: {error!r}") from error


def write_table_of_unmasked(
    path: Path, info: BuildInfo, tracklets: Sequence[Tracklet], embedder: TrackletEmbedder, *, manifest_path: Path
) -> None:
    """Write what was embedded while cutting; the table names the masked crops and says that more was seen.

    Nothing is written where nobody was found.
    """
    by_id = {tracklet.tracklet_id: tracklet.embedding for source in info.finished for tracklet in source.tracklets}
    if not by_id:
        return
    table = EmbeddingTable(
        embeddings=np.array([by_id[tracklet.tracklet_id] for tracklet in tracklets], np.float32),
        pids=np.array([tracklet.pid for tracklet in tracklets], np.int64),
        camids=np.array([tracklet.camid for tracklet in tracklets], np.int64),
        platforms=np.array([tracklet.platform.number for tracklet in tracklets], np.int64),
        tracklet_ids=np.array([tracklet.tracklet_id for tracklet in tracklets], np.str_),
        pictures=np.array([pictures_sha256(tracklet) for tracklet in tracklets], "S64"),
        manifest=str(manifest_path.resolve()),
        model=embedder.model,
        feeding=embedder.feeding,
        precision=embedder.precision,
        seen_unmasked=info.masking is not None,
    )
    save_table(path, table)
