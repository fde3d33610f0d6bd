"""What a build did, for people and for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeAlias

from skyreid.building.linking.link_report import OutdatedDecision, outdated_lines
from skyreid.building.tracked_boxes import PER_VIDEO, SHARED, IdentityScope

ANNOTATED, PER_TRACKLET = "annotated", "per-tracklet"
"""Who the pids of a build are."""
Json: TypeAlias = str | int | list["Json"] | dict[str, "Json"]


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
    notes: Sequence[str] = field(default_factory=list)
    """What somebody should know of the source, in words."""

    def numbers(self) -> str:
        """Whose numbers the annotations' are, in words such as `people, the same in every video (...)`."""
        what = "people, the same in every video" if self.identities == SHARED else "tracks of this video only"
        return f"numbers are {what} ({self.identities_because})"

    def left_out(self) -> list[str]:
        """What was dropped, in words such as `3 crops hidden`."""
        counts = {
            "boxes": self.boxes_dropped,
            "crops": self.crops_dropped,
            "tracklets": self.tracklets_dropped,
            "whole tracks": self.tracks_dropped,
        }
        return [
            f"{number} {what} {reason}"
            for what, reasons in counts.items()
            for reason, number in sorted(reasons.items())
            if number
        ]


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
    outdated: tuple[OutdatedDecision, ...] = ()
    """Decisions of `skyreid link` on tracklets that no tracklet stands for any more."""

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
            lines += [f"{source.name}: {note}" for note in source.notes]
        if self.identities == PER_TRACKLET and self.sources and all(source.read_as for source in self.sources):
            lines.append(
                "nobody is known to be the same person in two videos: skyreid link tells, or identities=shared in a "
                "--source whose numbers are people"
            )
        if not any(source.tracklets for source in self.sources):
            lines.append("nobody was found: nothing can be embedded or searched")
        if self.cut_again:
            lines.append(f"cut again, instead of what was there: {', '.join(self.cut_again)}")
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
