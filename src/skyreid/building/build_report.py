"""What a build did, for people and for programs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

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
    """By reason."""
    tracklets: int
    tracklets_dropped: Mapping[str, int]
    crops: int
    """Written, in the tracklets that are kept."""
    faces_masked: int


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """What became of all sources."""

    manifest_path: Path
    manifest_sha256: str
    identities: str
    """`annotated`: a pid is a person. `per-tracklet`: nobody knows who is who, every tracklet has its own."""
    sources: tuple[SourceReport, ...]

    def lines(self) -> list[str]:
        """One line for each source and one for the manifest."""
        lines = []
        for source in self.sources:
            dropped = [
                f"{number} {what} {reason}"
                for what, reasons in (("boxes", source.boxes_dropped), ("tracklets", source.tracklets_dropped))
                for reason, number in sorted(reasons.items())
                if number
            ]
            lines.append(
                f"{source.name}: {source.tracklets} tracklets of {source.crops} crops from {source.boxes} boxes "
                f"({source.boxes_interpolated} more interpolated) and {source.frames_read} sampled frames; "
                f"{source.faces_masked} faces masked; "
                f"left out: {', '.join(dropped) or 'nothing'}"
            )
        if not any(source.tracklets for source in self.sources):
            lines.append("nobody was found: nothing can be embedded or searched")
        lines.append(f"{self.manifest_path}: identities {self.identities}, sha256 {self.manifest_sha256}")
        return lines

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        return {**asdict(self), "manifest_path": str(self.manifest_path), "sources": [asdict(s) for s in self.sources]}
