"""Who finds the people of a source: an annotator, the user's detector, or their motion."""

from skyreid.building.annotations import read_annotations
from skyreid.building.annotations.annotated_video import AnnotatedVideo
from skyreid.building.detection.detector import Detector
from skyreid.building.sources import Source
from skyreid.building.tracked_boxes import SHARED, TrackedBoxes
from skyreid.building.video.decode import DecodeLimits, VideoFacts
from skyreid.errors import SourceError
from skyreid.processes.progress import Progress
from skyreid.tracklet import Platform

ANNOTATIONS = "annotations"
MOTION = "motion"
"""What stands in a detector's place where people's motion is to tell."""
JOINED = ", pieces of tracks joined by place and colour"
"""Part of every other finder's name, since it decides over the crops."""
MAX_STEP_S = 0.5
"""From frame to frame: who walks across the picture meets his own box again for no longer."""
MAX_ASPECT = 16
"""Of a frame: no camera films wider ones, and made smaller to be searched they would have no height left."""


def finder_of(source: Source, detector: str | None, annotated: TrackedBoxes | None) -> str:
    """Name who finds the people: annotations, or `static-camera`, `moving-camera` or the detector, with `JOINED`.

    Args:
        source: whose people.
        detector: fingerprint of the user's; None = there is none.
        annotated: what its annotations say; how they were read decides over the crops, so it is part of the name.
    """
    if annotated is not None:
        return f"{ANNOTATIONS}: {annotated.read_as}; identities {annotated.scope}"
    if detector is not None:
        return detector + JOINED
    return ("moving-camera" if source.platform is Platform.AERIAL else "static-camera") + JOINED


def finder_in_words(finder: str) -> str:
    """Say it to a person."""
    if finder.startswith(ANNOTATIONS):
        return ANNOTATIONS
    searched = finder.removesuffix(JOINED)
    words = {
        "static-camera": "motion before a camera that stands still",
        "moving-camera": "motion before a camera that moves",
    }.get(searched, f"detector {searched}")
    return words + finder[len(searched) :]


def read_annotated(source: Source, facts: VideoFacts) -> TrackedBoxes | None:
    """Read the annotations of a source, held against its video; None = it has none.

    In a simulated world a number is a person, the same in every video, since one program drew them all.

    Raises:
        SourceError: they cannot be read, or contradict the video.
    """
    if source.annotations is None:
        return None
    video = AnnotatedVideo(
        name=source.path.name,
        width=facts.width,
        height=facts.height,
        frame_rate=facts.frame_rate,
        num_frames=facts.num_frames,
        duration_s=facts.duration_s,
        annotated_as=source.annotations_of,
        sides=source.boxes,
        every=source.every,
    )
    if source.identities is None and source.is_simulated:
        return read_annotations(
            source.annotations,
            video,
            format=source.format,
            identities=SHARED,
            because="a simulated world numbers its people",
        )
    return read_annotations(source.annotations, video, format=source.format, identities=source.identities)


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
    if facts.frame_rate is not None and facts.frame_rate * MAX_STEP_S < 1:
        raise SourceError(
            f"{source.path}: has a frame every {1 / facts.frame_rate:.2g} s; without annotations people are followed "
            f"from frame to frame, which takes one every {MAX_STEP_S:g} s; bring their boxes (annotations=FILE)"
        )
    if max(facts.width, facts.height) > MAX_ASPECT * min(facts.width, facts.height):
        raise SourceError(
            f"{source.path}: has frames of {facts.width}x{facts.height} pixels; people are searched in frames whose "
            f"long side is at most {MAX_ASPECT} times the short one; bring their boxes (annotations=FILE)"
        )
    # Imported here: a finder brings programs that a build without it need not have.
    if detector is not None:
        from skyreid.building.detection.detected_people import find_people_with_detector

        return find_people_with_detector(
            source.path,
            facts,
            detector,
            from_above=source.platform is Platform.AERIAL,
            interval_s=interval_s,
            limits=limits,
            progress=progress,
        )
    if source.platform is Platform.AERIAL:
        from skyreid.building.motion.moving_camera import find_people_from_moving_camera

        return find_people_from_moving_camera(
            source.path, facts, interval_s=interval_s, limits=limits, progress=progress
        )
    from skyreid.building.motion.static_camera import find_people

    return find_people(source.path, facts, interval_s=interval_s, limits=limits, progress=progress)
