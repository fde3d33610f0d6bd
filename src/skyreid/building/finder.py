"""Who finds the people of a source: an annotator, the user's detector, or their motion."""

from skyreid.building.annotations import read_annotations
from skyreid.building.decode import DecodeLimits, VideoFacts
from skyreid.building.detection.detector import Detector
from skyreid.building.sources import Source
from skyreid.building.tracked_boxes import TrackedBoxes
from skyreid.progress import Progress
from skyreid.tracklet import Platform


def finder_of(source: Source, detector: Detector | None) -> str:
    """Name who finds the people: annotations, `static-camera`, `moving-camera`, or the detector's fingerprint."""
    if source.annotations is not None:
        return "annotations" if source.format is None else f"annotations as {source.format}"
    if detector is not None:
        return detector.fingerprint
    return "moving-camera" if source.platform is Platform.AERIAL else "static-camera"


def finder_in_words(finder: str) -> str:
    """Say it to a person."""
    return {
        "static-camera": "motion before a camera that stands still",
        "moving-camera": "motion before a camera that moves",
    }.get(finder, finder if finder.startswith("annotations") else f"detector {finder}")


def read_annotated(source: Source, facts: VideoFacts) -> TrackedBoxes | None:
    """Read the annotations of a source; None = it has none.

    Raises:
        SourceError: they cannot be read.
    """
    if source.annotations is None:
        return None
    return read_annotations(
        source.annotations, width=facts.width, height=facts.height, video=source.path.name, format=source.format
    )


def find_tracked(
    source: Source,
    facts: VideoFacts,
    detector: Detector | None,
    *,
    interval_s: float,
    limits: DecodeLimits,
    progress: Progress,
) -> TrackedBoxes:
    """Find and track the people of a source without annotations, by whom `finder_of` names.

    Raises:
        SourceError: people cannot be found in this video.
        VideoError: the video cannot be decoded.
    """
    # Imported here: a finder brings programs that a build without it need not have.
    if detector is not None:
        from skyreid.building.detection.detected_people import find_people_with_detector

        return find_people_with_detector(
            source.path, facts, detector, interval_s=interval_s, limits=limits, progress=progress
        )
    if source.platform is Platform.AERIAL:
        from skyreid.building.motion.moving_camera import find_people_from_moving_camera

        return find_people_from_moving_camera(
            source.path, facts, interval_s=interval_s, limits=limits, progress=progress
        )
    from skyreid.building.motion.find_people import find_people

    return find_people(source.path, facts, interval_s=interval_s, limits=limits, progress=progress)
