"""The boxes of one video as a file tells them, one after the other: what every format has to obey."""

from collections import Counter
from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from skyreid.building.annotations.annotated_video import OTHER_VIDEO, AnnotatedVideo
from skyreid.building.annotations.fields import MAX_BAD, NUM_SHOWN
from skyreid.building.tracked_boxes import Box, TrackedBoxes
from skyreid.errors import SourceError

MIN_VISIBLE = 0.5
"""Share of a box that lies in the picture; of a person with less, the crop shows too little."""
PERSON_LABELS = ("person", "people", "pedestrian", "human")
"""How people are labelled where a format leaves the word to its user; capitals do not matter."""
LABELLED_PEOPLE = f"labels {', '.join(PERSON_LABELS)}"
SAME_PX = 1.0
"""By which the sides of a box may differ that was written twice."""
MAX_BOXES = 10_000_000
"""Of one video: fifty people in every frame of two hours."""
PART_OF_A_PICTURE = 0.67
"""Share of its width and height; boxes that never reach beyond may be those of a smaller copy, such as 720 of 1080."""
PART_OF_A_VIDEO = 0.55
"""Share of its frames; annotations that end before it may count every second frame only."""
CHANCE = 10
"""Frames between the ends of two selections for each that counts as the end of one: one in ten meets one by chance."""
FITS = 1.05
"""Times the picture's size: how far boxes reach of trackers that do not clip them."""
MIN_ROWS = 10
"""To see whether the size of a box goes with its place, and what shape people have."""
UPRIGHT = 0.7
"""Width over height of the box of somebody who stands, at most."""


class BoxCollector:
    """Checks, clips and counts the boxes of one file."""

    def __init__(self, path: Path, video: AnnotatedVideo, *, first_frame: int) -> None:
        """Collect for a video.

        Args:
            path: of the file.
            video: whose frames and picture they must lie in.
            first_frame: the number that the file gives to a video's first frame.
        """
        self._path = path
        self._video = video
        self._first_frame = first_frame
        self._frames: dict[int, dict[int, Box]] = {}
        self._visible: dict[int, dict[int, float]] = {}
        self._dropped: Counter[str] = Counter()
        self._disputed: set[tuple[int, int]] = set()
        self._given = 0
        self._expected = 0
        self._bad = 0
        self._shown: list[str] = []
        self._warnings: list[str] = []

    def warn(self, warning: str | None) -> None:
        """Keep a sentence for the user; None is none.

        It goes into the record of the source and onto the card, which are the same wherever the files lie: files are
        named without their folder.
        """
        if warning is None:
            return
        warning = warning.replace(f"{self._path.parent}/", "")
        if warning not in self._warnings:
            self._warnings.append(warning)

    def warn_of_smaller_copy(self) -> None:
        """Keep a sentence if the boxes never reach far into the picture: for files that do not tell its size."""
        taken = [box for people in self._frames.values() for box in people.values()]
        right, bottom = (max((box[side] for box in taken), default=0.0) for side in (2, 3))
        if right < PART_OF_A_PICTURE * self._video.width and bottom < PART_OF_A_PICTURE * self._video.height:
            self.warn(
                f"{self._path}: none of its boxes reaches beyond {right:.0f},{bottom:.0f}, and the picture has "
                f"{self._video.width}x{self._video.height}; were they drawn in a smaller copy of the video?"
            )

    def check_counting(self) -> None:
        """See that the frames are the video's and no selection numbered anew: for files that do not tell how many.

        Raises:
            SourceError: the last box stands where a half, a third, ... of the frames would end.
        """
        length, num_frames = self._video.length, 1 + max(self._frames, default=0)
        if length is None or self._video.every is not None or num_frames >= PART_OF_A_VIDEO * length:
            return
        step = round(length / num_frames)
        missed_by = abs(num_frames - ceil(length / step))
        # The ends of halves, thirds, ... must lie so far apart that it is no chance to meet one.
        if missed_by <= 1 and (2 * missed_by + 1) * step * step * CHANCE <= length:
            raise SourceError(
                f"{self._path}: its last box stands in frame {num_frames - 1} from 0, and the video has {length}: just "
                f"where it ends if one of {step} frames is counted. If so, say it in the source: every={step}; or "
                "every=1, if everybody has left by then"
            )

    def leave_out(self, reason: str, boxes: int = 1) -> None:
        """Count boxes that are not of use."""
        if boxes:
            self._dropped[reason] += boxes

    def leave_out_rows(self, complaints: Sequence[str]) -> None:
        """Count rows that cannot be read, and name the first of them."""
        self.leave_out("unreadable", len(complaints))
        if complaints:
            more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
            self.warn(f"{complaints[0]}{more}; left out")

    def refuse(self, reason: str, complaint: str) -> None:
        """Count a box that cannot be, and leave it out; `complaint` names its place in the file and the rule."""
        self._given += 1
        self._count_bad(reason, complaint)

    def expect(self, boxes: int) -> None:
        """See that so many more boxes can be held, before they are filled in.

        Raises:
            SourceError: they are too many.
        """
        self._expected += boxes
        if self._expected > MAX_BOXES:
            raise SourceError(
                f"{self._path}: its keyframes stand for more than {MAX_BOXES:,} boxes; split the video and its "
                "annotations"
            )

    def add(
        self, frame: int, track: int, box: Box, where: str, *, visible: float | None = None, is_named: bool = False
    ) -> None:
        """Take a box, clipped to the picture, or leave it out.

        It is left out if it lies mostly outside the picture (`outside`), and counted as bad if it has no size
        (`no-size`), lies outside altogether (`outside`), or if its number has a box in this frame already
        (`twice`): of two equal ones the first stays, of two different ones neither.

        Args:
            frame: as the file counts.
            track: number of the track or the person.
            box: not clipped.
            where: in the file, for messages.
            visible: share of the person that can be seen; None = nobody said.
            is_named: whether somebody gave the number to tracks of one person: equal boxes are then no mistake,
                and different ones a contradiction.

        Raises:
            SourceError: the video has no such frame, or a named person is in two places.
        """
        index = frame - self._first_frame
        self._video.check_frame(index, where)
        self._given += 1
        width, height = box[2] - box[0], box[3] - box[1]
        if width <= 0 or height <= 0:
            self._count_bad("no-size", _without_size(box, where))
            return
        if index < 0:
            raise SourceError(
                f"{where}: frames count from {self._first_frame}; got {frame}. If yours begin with {frame}, add "
                f"{self._first_frame - frame} to all"
            )
        left, top, right, bottom = box
        size = float(self._video.width), float(self._video.height)
        inside = max(left, 0.0), max(top, 0.0), min(right, size[0]), min(bottom, size[1])
        if inside[0] >= inside[2] or inside[1] >= inside[3]:
            self._count_bad(
                "outside", f"{where}: the box lies outside the picture of {self._video.width}x{self._video.height}"
            )
            return
        if _area(inside) < MIN_VISIBLE * _area(box):
            self.leave_out("outside")
            return
        people = self._frames.setdefault(index, {})
        if track in people or (index, track) in self._disputed:
            complaint = f"{where}: id {track} stands twice in frame {frame}"
            self._take_twin(index, track, inside, complaint, is_named=is_named)
            return
        people[track] = inside
        if visible is not None:
            self._visible.setdefault(index, {})[track] = visible

    def finish(
        self,
        people: str,
        *,
        read_as: str,
        identified: bool,
        because: str,
        never_filled: frozenset[int] = frozenset(),
    ) -> TrackedBoxes:
        """Give everything that was taken.

        Args:
            people: what counts as a person in this format, for the message.
            read_as: what the file was taken for.
            identified: whether the numbers are people.
            because: why, as the end of a sentence.
            never_filled: frames that were taken out.

        Raises:
            SourceError: too many boxes cannot be, or nobody is left.
        """
        if self._bad > MAX_BAD * self._given:
            raise SourceError(
                f"{self._path}: {self._bad} of {self._given} boxes cannot be, and one in {round(1 / MAX_BAD)} is too "
                f"many; {OTHER_VIDEO.removesuffix('?')}, in pixels of its full size? The first: "
                f"{'; '.join(shown.removeprefix(f'{self._path}, ') for shown in self._shown)}"
            )
        frames = {index: people for index, people in self._frames.items() if people}
        if not frames:
            told = f"none is left of {self._dropped.total()} boxes {dict(self._dropped)}"
            raise SourceError(f"{self._path}: must hold boxes of people ({people}); {told}")
        if self._dropped["outside"] > MAX_BAD * self._given:
            self.warn(
                f"{self._path}: {self._dropped['outside']} of {self._given} boxes lie mostly outside the picture of "
                f"{self._video.width}x{self._video.height}; are their numbers left, top, width and height, in pixels "
                "of its full size?"
            )
        length = self._video.length
        if length is not None and self._video.every is None and max(frames) + 1 < PART_OF_A_VIDEO * length:
            self.warn(
                f"{self._path}: its last box stands in frame {max(frames)} from 0, and the video has {length}; is this "
                "a part of it, or does the file count one of some frames? If so, say it in the source, such as "
                f"every={round(length / (max(frames) + 1))}"
            )
        return TrackedBoxes(
            frames=frames,
            dropped=self._dropped,
            visible=self._visible,
            identified=identified,
            never_filled=never_filled,
            identities_because=because,
            read_as=read_as,
            warnings=tuple(self._warnings),
        )

    def _take_twin(self, index: int, track: int, box: Box, complaint: str, *, is_named: bool) -> None:
        first = self._frames[index].get(track)
        if first is not None and all(abs(a - b) <= SAME_PX for a, b in zip(first, box, strict=True)):
            if is_named:
                self.leave_out("twice")
            else:
                self._count_bad("twice", complaint)
            return
        if is_named:
            raise SourceError(
                f"{complaint}, at {_rounded(first)} and {_rounded(box)}: a person is in one place. Give one of them "
                "another number, or end one of them where the other begins"
            )
        self._count_bad("twice", complaint)
        if first is not None:  # nobody knows which of them is right
            self._count_bad("twice", f"{complaint}, first at {_rounded(first)}")
            self._disputed.add((index, track))
            del self._frames[index][track]
            self._visible.get(index, {}).pop(track, None)

    def _count_bad(self, reason: str, complaint: str) -> None:
        self._bad += 1
        self._dropped[reason] += 1
        if len(self._shown) < NUM_SHOWN:
            self._shown.append(complaint)


def has_corners(rows: Float64[np.ndarray, "row six"], path: Path, video: AnnotatedVideo) -> bool:
    """Tell whether boxes are left, top, right, bottom, rather than left, top, width, height.

    Args:
        rows: frame, track and the four numbers of each box.
        path: of the file, for the message.
        video: theirs; the user may have said which.

    Raises:
        SourceError: nobody said which, and they are corners by all appearance.
    """
    if video.sides is not None:
        return video.sides == "xyxy"
    start, end, picture = rows[:, 2:4], rows[:, 4:], np.array([video.width, video.height])
    middle = (start + end) / 2
    fits = ((end > start) & (middle >= 0) & (middle <= picture)).all(axis=1)
    if fits.mean() < 1 - MAX_BAD:
        return False
    beyond = int((start + end > FITS * picture).any(axis=1).sum())
    start, end = start[fits], end[fits]
    # Corners lie together, so that their distance varies less than their place; sizes vary with no place.
    as_sizes, as_corners = end.std(axis=0), (end - start).std(axis=0)
    shape_of_sizes, shape_of_corners = (np.median(size[:, 0] / size[:, 1]) for size in (end, end - start))
    if beyond > MAX_BAD * len(rows):
        reason = f"{beyond} of {len(rows)} boxes reach beyond the picture of {video.width}x{video.height}"
    elif len(rows) >= MIN_ROWS and (as_corners <= as_sizes).all() and (as_corners < as_sizes / 2).any():
        reason = "people are the larger the further they are to the right or down"
    elif len(rows) >= MIN_ROWS and shape_of_corners < UPRIGHT < shape_of_sizes:
        reason = "people are about as wide as tall"
    else:
        return False
    raise SourceError(
        f"{path}: read as left, top, width, height, {reason}; read as left, top, right, bottom, the boxes fit. Say in "
        "the source which they are: boxes=xyxy (corners) or boxes=xywh (left, top, width, height)"
    )


def check_size(box: Box, where: str) -> None:
    """Refuse to write a box without a width or a height."""
    if box[2] - box[0] <= 0 or box[3] - box[1] <= 0:
        raise SourceError(_without_size(box, where))


def is_person(label: str) -> bool:
    """Say whether a label that a user chose means people."""
    return label.strip().casefold() in PERSON_LABELS


def _without_size(box: Box, where: str) -> str:
    return f"{where}: a box must have a width and a height; got {box[2] - box[0]:g}x{box[3] - box[1]:g}"


def _rounded(box: Box | None) -> tuple[int, ...]:
    return () if box is None else tuple(map(round, box))


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
