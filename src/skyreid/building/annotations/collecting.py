"""The boxes of one video as a file tells them, one after the other: what every format has to obey."""

from collections import Counter
from pathlib import Path

from skyreid.building.annotations.fields import whole
from skyreid.building.tracked_boxes import Box, TrackedBoxes
from skyreid.errors import SourceError

MIN_VISIBLE = 0.5
"""Share of a box that lies in the picture; of a person with less, the crop shows too little."""
PERSON_LABELS = ("person", "people", "pedestrian", "human")
"""How people are labelled where a format leaves the word to its user; capitals do not matter."""
LABELLED_PEOPLE = f"labels {', '.join(PERSON_LABELS)}"


class BoxCollector:
    """Checks, clips and counts the boxes of one file."""

    def __init__(self, path: Path, *, width: int, height: int, first_frame: int) -> None:
        """Collect for a picture of this size; `first_frame` is the number that the file gives to a video's first."""
        self._path = path
        self._width = width
        self._height = height
        self._first_frame = first_frame
        self._frames: dict[int, dict[int, Box]] = {}
        self._visible: dict[int, dict[int, float]] = {}
        self._dropped: Counter[str] = Counter()

    def check_picture(self, width: object, height: object, where: str) -> None:
        """Compare the size that the file tells.

        Raises:
            SourceError: the picture had another size.
        """
        given = whole(width, "width", where, least=1), whole(height, "height", where, least=1)
        if given != (self._width, self._height):
            raise SourceError(
                f"{where}: annotated in a picture of {given[0]}x{given[1]}, but the video has "
                f"{self._width}x{self._height}; are these the annotations of this video?"
            )

    def leave_out(self, reason: str, boxes: int = 1) -> None:
        """Count boxes that are not of use."""
        if boxes:
            self._dropped[reason] += boxes

    def add(self, frame: int, track: int, box: Box, where: str, *, visible: float | None = None) -> None:
        """Take a box, clipped to the picture, or leave it out if it lies mostly outside (`outside`).

        Args:
            frame: as the file counts.
            track: number of the track or the person.
            box: not clipped.
            where: in the file, for messages.
            visible: share of the person that can be seen; None = nobody said.

        Raises:
            SourceError: the box has no size or lies outside the picture, or this number has one in this frame.
        """
        index = frame - self._first_frame
        if track in self._frames.get(index, {}):
            raise SourceError(f"{where}: id {track} stands twice in frame {frame}")
        check_size(box, where)
        left, top, right, bottom = box
        inside = max(left, 0.0), max(top, 0.0), min(right, float(self._width)), min(bottom, float(self._height))
        if inside[0] >= inside[2] or inside[1] >= inside[3]:
            raise SourceError(
                f"{where}: the box lies outside the picture of {self._width}x{self._height}; are these the "
                "annotations of this video, in pixels of its full size?"
            )
        if _area(inside) < MIN_VISIBLE * _area(box):
            self.leave_out("outside")
            return
        self._frames.setdefault(index, {})[track] = inside
        if visible is not None:
            self._visible.setdefault(index, {})[track] = visible

    def finish(self, people: str, *, identified: bool) -> TrackedBoxes:
        """Give everything that was taken; `people` says, for the message, what counts as a person in this format.

        Raises:
            SourceError: nobody was.
        """
        if not self._frames:
            told = f"none is left of {self._dropped.total()} boxes {dict(self._dropped)}"
            raise SourceError(f"{self._path}: must hold boxes of people ({people}); {told}")
        return TrackedBoxes(frames=self._frames, dropped=self._dropped, visible=self._visible, identified=identified)


def check_size(box: Box, where: str) -> None:
    """Refuse a box without a width or a height."""
    width, height = box[2] - box[0], box[3] - box[1]
    if width <= 0 or height <= 0:
        raise SourceError(f"{where}: a box must have a width and a height; got {width:g}x{height:g}")


def is_person(label: str) -> bool:
    """Say whether a label that a user chose means people."""
    return label.strip().casefold() in PERSON_LABELS


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
