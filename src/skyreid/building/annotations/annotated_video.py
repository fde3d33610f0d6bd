"""The video that a file of annotations is held against: whatever the file states of it is compared."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from skyreid.building.annotations.fields import number, whole
from skyreid.building.tracked_boxes import BoxSides
from skyreid.errors import SourceError

MAX_FRAMES = 10_000_000
"""Of a video that does not tell its length: more than three days at 30 a second."""
SLACK = 2
"""Frames by which programs count one video differently."""
ESTIMATE_SLACK = 0.01
"""Share by which a count may err that follows from a duration and a rate."""
RATE_SLACK = 0.01
"""Share by which rates differ that are written as 30 and as 29.97."""
VIDEO_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in "3gp avi flv gif m2ts m4v mkv mov mp4 mpeg mpg mts ogg ogv ts webm wmv".split()  # noqa: SIM905
)
_UPLOAD = "[0-9a-f]{3,32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
"""What a server puts before the name of an upload: 5d1f2c3a-gate.mp4."""
OTHER_VIDEO = "are these the annotations of this video?"


@dataclass(frozen=True, kw_only=True)
class AnnotatedVideo:
    """What is known of a video; None = its header does not tell."""

    name: str
    """Of its file, without folders."""
    width: int
    height: int
    """Pixels, as shown."""
    frame_rate: float | None = None
    """Frames a second."""
    num_frames: int | None = None
    duration_s: float | None = None
    annotated_as: str | None = None
    """The name that the annotations have for it, by the user's word; None = the file's name."""
    sides: BoxSides | None = None
    """What the four numbers of a box are in the annotations, by the user's word; None = `xywh`, unless they show it."""
    every: int | None = None
    """Of so many frames the annotations count one, by the user's word; None = all, unless they show it."""

    def as_annotated(self) -> "AnnotatedVideo":
        """Give the video that annotators saw: of `every` frames the first."""
        every = self.every or 1
        return replace(
            self,
            frame_rate=None if self.frame_rate is None else self.frame_rate / every,
            num_frames=None if self.num_frames is None else ceil(self.num_frames / every),
        )

    @property
    def title(self) -> str:
        """Its name for messages that count its frames."""
        return self.name if self.every in (None, 1) else f"{self.name} with every={self.every}"

    @property
    def length(self) -> int | None:
        """How many frames it has, told or estimated."""
        if self.num_frames:
            return self.num_frames
        if self.duration_s and self.frame_rate:
            return max(1, round(self.duration_s * self.frame_rate))
        return None

    @property
    def last_index(self) -> int:
        """No frame from 0 lies beyond it."""
        length = self.length
        if length is None:
            return MAX_FRAMES
        return length - 1 + self._slack(length)

    def check_frame(self, index: int, where: str) -> None:
        """See that a frame from 0 can be in the video; before anything is filled in up to it.

        Raises:
            SourceError: it lies beyond the end.
        """
        if index > self.last_index:
            ends = f"has {self.length} frames" if self.length else f"cannot have more than {MAX_FRAMES:,}"
            raise SourceError(
                f"{where}: stands in frame {index} from 0, but the video {self.title} {ends}; {OTHER_VIDEO}"
            )

    def check_size(self, width: object, height: object, where: str) -> None:
        """Compare the picture's size, as the file tells it.

        Raises:
            SourceError: the picture had another.
        """
        given = whole(width, "width", where, least=1), whole(height, "height", where, least=1)
        if given != (self.width, self.height):
            turned = (
                " Or in a program that does not turn it as the file asks; turn its pixels (ffmpeg -i IN OUT) and "
                "annotate that"
            )
            raise SourceError(
                f"{where}: annotated in a picture of {given[0]}x{given[1]}, but the video has "
                f"{self.width}x{self.height}; {OTHER_VIDEO}{turned if given == (self.height, self.width) else ''}"
            )

    def has_length(self, frames: int) -> bool:
        """Whether it may have this many frames, as far as is known."""
        length = self.length
        return length is None or abs(frames - length) <= self._slack(length)

    def check_clock(self, frames: object, frame_rate: object, where: str) -> str | None:
        """Compare how many frames the file counts, and how many a second; None = it does not tell.

        The same frames at another rate are the same pictures: that gives a warning.

        Raises:
            SourceError: the counts differ, or the rates do and no count says that the frames are the same.
        """
        if frames is not None:
            told = whole(frames, "the number of frames", where, least=1)
            if not self.has_length(told):
                raise SourceError(
                    f"{where}: counts {told} frames, but the video {self.title} has {self.length}; {OTHER_VIDEO} "
                    f"Or annotate this copy of it{self._step(self.length or 0, told)}"
                )
        if frame_rate is None:
            return None
        rate = number(frame_rate, "the frame rate", where)
        if self.frame_rate is None or abs(rate - self.frame_rate) <= RATE_SLACK * self.frame_rate:
            return None
        contradiction = f"{where}: tells {rate:g} frames a second, but the video {self.title} has {self.frame_rate:g}"
        if frames is None or self.length is None:
            step = self._step(self.frame_rate, rate)
            raise SourceError(f"{contradiction}; {OTHER_VIDEO} Frames of another rate are other pictures{step}")
        return f"{contradiction}; the frames are as many, so boxes go by number and times by the video"

    def check_name(self, names: Iterable[str], where: str) -> str | None:
        """Compare the names that the file has for its video; none = it does not tell.

        Folders, case and the prefix of an upload do not matter; another suffix gives a warning.

        Raises:
            SourceError: none of them is this video's.
        """
        told = [name for name in names if name.strip()]
        if not told:
            return None
        if self.is_called(told):
            suffixes = {PurePosixPath(name).suffix.casefold() for name in told} & VIDEO_SUFFIXES
            if not suffixes or self.annotated_as or PurePosixPath(self.name).suffix.casefold() in suffixes:
                return None
            return f"{where}: is about {told[0]!r}, and the video is {self.name!r}, taken for a copy of it"
        held = ", ".join(repr(name) for name in told)
        if self.annotated_as is not None:
            raise SourceError(f"{where}: is about {held}, not {self.annotated_as!r} as annotations_of says")
        example = re.split(r"[/\\]", told[0].rstrip("/\\"))[-1]
        raise SourceError(
            f"{where}: is about {held}, but the video is {self.name!r}; {OTHER_VIDEO} If they are, say so in the "
            f"source: annotations_of={example}"
        )

    def is_called(self, names: Sequence[str]) -> bool:
        """Whether one of these names is this video's."""
        wanted = _stem(self.annotated_as or self.name)
        for name in names:
            stem = _stem(name)
            if stem == wanted or re.fullmatch(rf"(?:{_UPLOAD})-{re.escape(wanted)}", stem):
                return True
        return False

    @staticmethod
    def _step(whole: int | float, thinned: int | float) -> str:
        """What to say if the file seems to count one of some frames only, as the end of a message."""
        step = round(whole / thinned) if thinned > 0 else 1
        if step < 2 or abs(whole - step * thinned) > step * RATE_SLACK * whole:
            return ""
        return f". If it counts one of {step} frames, say so in the source: every={step}"

    def _slack(self, length: int) -> int:
        return SLACK + (0 if self.num_frames else round(ESTIMATE_SLACK * length))


def _stem(name: str) -> str:
    """A name as servers and file systems leave it: without folders and suffix, in one case, without odd signs."""
    path = unquote(urlsplit(name).path) if "://" in name else name.partition("?")[0]
    last = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
    plain = re.sub(r"[^\w.-]", "", unicodedata.normalize("NFC", last).strip().replace(" ", "_"))
    return re.sub(r"\.\w{2,5}$", "", PurePosixPath(plain).name).casefold()
