"""A build of two sources, as `build` would hold it in memory, without any file."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from skyreid.building.build_folder import FinishedSource, FinishedTracklet
from skyreid.building.build_report import BuildInfo, Declaration
from skyreid.building.crops.cropping import Crop
from skyreid.building.crops.face_mask import MaskingConfig
from skyreid.building.crops.quality import QualityConfig
from skyreid.building.source_report import SourceReport
from skyreid.building.sources import Source
from skyreid.tracklet import Platform

BOX = (1.0, 2.0, 21.0, 52.0)
HEAD = (1.0, 2.0, 9.0, 6.0)


def finished(source, people):
    """A tracklet for each person, of two crops; a head was masked in the first."""
    tracklets = tuple(
        FinishedTracklet(
            f"{source.name}-{number:04d}",
            person,
            (Crop(0, 0.0, BOX, (HEAD,), "0" * 64), Crop(5, 0.5, BOX, (), "5" * 64)),
        )
        for number, person in enumerate(people, start=1)
    )
    report = SourceReport(
        name=source.name,
        frames_read=2,
        boxes=20,
        boxes_interpolated=0,
        boxes_dropped={"outside": 2},
        tracklets=len(tracklets),
        tracklets_dropped={"too-short": 0},
        tracks_dropped={},
        crops=2 * len(tracklets),
        crops_dropped={"hidden": 3},
        faces_detected=1,
        faces_followed=3,
        faces_by_fallback=2,
        faces_expected=3,
        faces_missed=1,
    )
    return FinishedSource(
        fingerprint={"finder": "annotations", "video_sha256": f"{source.camera}-00ff"},
        report=report,
        tracklets=tracklets,
    )


def info(*, is_simulated=False, is_annotated=True, masking=True, **declaration):
    """Cameras gate (people 4 and 9) and drone (9 and 30)."""
    gate = Source(
        path=Path("somewhere/gate.mp4"),
        platform=Platform.GROUND,
        camera="gate",
        annotations=Path("gate.txt"),
        start_time=datetime(2026, 5, 4, 9, tzinfo=UTC),
        is_simulated=is_simulated,
    )
    drone = replace(
        gate,
        path=Path("somewhere/drone.mp4"),
        platform=Platform.AERIAL,
        camera="drone",
        start_time=None,
        annotations=gate.annotations if is_annotated else None,
    )
    return BuildInfo(
        sources=[gate, drone],
        finished=[finished(gate, (4, 9)), finished(drone, (9, 30))],
        interval_s=0.5,
        masking=MaskingConfig() if masking else None,
        quality=QualityConfig(),
        declaration=Declaration(**declaration),
        face_detector_card="finds bright squares",
    )
