"""The finished sources of a build as tracklets with identities, and what the manifest says about them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from skyreid.building.build_report import ANNOTATED, PER_TRACKLET, SourceReport
from skyreid.building.crops.cropping import TrackletEmbedder
from skyreid.building.crops.face_mask import MaskingConfig
from skyreid.building.crops.quality import QualityConfig
from skyreid.building.finished_source import CROPS, FinishedSource
from skyreid.building.sources import Source
from skyreid.tracklet import Frame, Tracklet

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
                    **_annotations(done.report),
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


def _annotations(report: SourceReport) -> dict[str, object]:
    """What a source's annotations were taken for, and whose numbers theirs are; nothing without annotations."""
    if not report.read_as:
        return {}
    return {
        "annotations": report.read_as,
        "identities": report.identities,
        "identities_because": report.identities_because,
    }


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
