"""What a build says of one source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from skyreid.building.tracked_boxes import PER_VIDEO, SHARED, IdentityScope


@dataclass(frozen=True, kw_only=True)
class SourceReport:
    """What became of one source."""

    name: str
    """Camera and file."""
    frames_read: int
    """Sampled frames."""
    boxes: int
    """Of people, in all frames, annotated or found; those left out are not among them."""
    boxes_interpolated: int
    """Added where a person was not marked for a moment."""
    boxes_dropped: Mapping[str, int]
    """By reason, before anything was cut: by the reader of the annotations, or by the finder."""
    tracklets: int
    tracklets_dropped: Mapping[str, int]
    tracks_dropped: Mapping[str, int]
    """Annotated people, or tracks that were found, of whom no tracklet is left, by the main reason."""
    crops: int
    """Written, in the tracklets that are kept."""
    crops_dropped: Mapping[str, int]
    """By reason: boxes of sampled frames that have no crop. With `crops`, these are all of them."""
    faces_detected: int
    """And covered, in the sampled frames."""
    faces_followed: int
    """Covered, found by their skin, or a moment before or after."""
    faces_by_fallback: int
    """Heads covered because they are large and no face was found on them."""
    faces_expected: int
    """Frames in which the detector should have found a face, since it did in those before and after."""
    faces_missed: int
    """Of them, those in which it did not: its recall on this footage, as far as it can be known without the truth."""
    identities: IdentityScope = PER_VIDEO
    """Whether a number of the annotations is a person, the same in every video, or a track of this one."""
    identities_because: str = ""
    """Why, as the end of a sentence; empty without annotations."""
    read_as: str = ""
    """What the annotations were taken for; empty without any."""
    telemetry: str = ""
    """What told where the camera was; empty where nothing did."""
    damage: str = ""
    """What is damaged or missing of the video, and how much of it was used; empty of a whole one."""
    tracklets_found_by: Mapping[str, int] = field(default_factory=dict)
    """Of the kept ones, how many `detector`, `motion`, or `detector and motion` found; empty where none was asked."""
    notes: Sequence[str] = field(default_factory=list)
    """What somebody should know of the source, in words."""

    def numbers(self) -> str:
        """Whose numbers the annotations' are, in words such as `people, the same in every video (...)`."""
        what = "people, the same in every video" if self.identities == SHARED else "tracks of this video only"
        return f"numbers are {what} ({self.identities_because})"

    def left_out(self) -> list[str]:
        """What was dropped, in words such as `3 crops hidden`."""
        counts = {
            ("box", "boxes"): self.boxes_dropped,
            ("crop", "crops"): self.crops_dropped,
            ("tracklet", "tracklets"): self.tracklets_dropped,
            ("whole track", "whole tracks"): self.tracks_dropped,
        }
        return [
            f"{number} {one if number == 1 else many} {reason}"
            for (one, many), reasons in counts.items()
            for reason, number in sorted(reasons.items())
            if number
        ]
