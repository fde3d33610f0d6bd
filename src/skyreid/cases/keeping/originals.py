"""Somebody as the camera saw them, without covers: cut anew from the video where it still lies, and kept nowhere."""

import time
from collections.abc import Callable, Hashable
from threading import Lock

from PIL import Image

from skyreid.building.tracked_boxes import Box
from skyreid.building.video.decode import VideoFrame, frames
from skyreid.cases.case import Case
from skyreid.cases.source_video import LOOK_LIMITS, video_of
from skyreid.cases.tracklets import CaseTracklet
from skyreid.errors import CaseError, SettingError
from skyreid.pages.frame_strip import join_frames, spread_frames

LEAST_REASON, LONGEST_REASON = 10, 500
"""Characters of a reason."""
WAITS_S = 60.0
"""A picture that its page does not fetch within so long is forgotten."""
_FRAMES = 8
_ROOM = 0.15
"""Of the box's sides, shown around the person."""


def check_reason(reason: str) -> str:
    """Give a reason without blanks around it.

    Raises:
        SettingError: it is none.
    """
    reason = reason.strip()
    if not LEAST_REASON <= len(reason) <= LONGEST_REASON or not reason.isprintable():
        raise SettingError(
            f"originals are shown for a reason of {LEAST_REASON} to {LONGEST_REASON} visible characters, which the log "
            "keeps; say why this person must be seen uncovered"
        )
    return reason


def draw_originals(case: Case, seen: CaseTracklet) -> bytes:
    """Draw frames of a tracklet from its video, faces uncovered, as one JPEG; nothing is written.

    Raises:
        RefusedError: the video is not where it was, or another one lies there.
        CaseError: the frames are not in it.
        VideoError: it can no longer be decoded.
        StoreError: the object store that has it refuses, or is away.
    """
    boxes = {
        one.index: one.box
        for one in spread_frames(seen.tracklet, _FRAMES)
        if one.index is not None and one.box is not None
    }
    told = seen.source.settings.get("interval_s")
    interval_s = told if isinstance(told, float | int) else None
    pictures: list[Image.Image] = []
    with video_of(case, seen.source) as path:
        for frame in frames(path, interval_s=interval_s, limits=LOOK_LIMITS) if boxes else ():
            if frame.index in boxes:
                pictures.append(_cut(frame, boxes[frame.index]))
            if frame.index >= max(boxes):
                break
    if not pictures:
        raise CaseError(f"{seen.source.file}: the frames of {seen.tracklet.tracklet_id} are not in it")
    return join_frames(pictures, height=280).jpeg


class OncePictures:
    """Pictures that wait for their page to fetch them, once; safe for several threads.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: dict[Hashable, tuple[float, bytes]] = {}
        self._changes = Lock()

    def put(self, owner: Hashable, picture: bytes) -> None:
        """Let a picture wait, in place of the one that waited for this owner."""
        with self._changes:
            self._forget()
            self._waiting[owner] = (self._clock() + WAITS_S, picture)

    def take(self, owner: Hashable) -> bytes | None:
        """Give a picture away; None = none waits, or no longer."""
        with self._changes:
            self._forget()
            return self._waiting.pop(owner, (0.0, None))[1]

    def _forget(self) -> None:
        now = self._clock()
        for owner in [owner for owner, (until, _) in self._waiting.items() if until < now]:
            del self._waiting[owner]


def _cut(frame: VideoFrame, box: Box) -> Image.Image:
    height, width = frame.pixels.shape[:2]
    across, down = _ROOM * (box[2] - box[0]), _ROOM * (box[3] - box[1])
    left, top = max(0, round(box[0] - across)), max(0, round(box[1] - down))
    right, bottom = min(width, round(box[2] + across)), min(height, round(box[3] + down))
    return Image.fromarray(frame.pixels[top:bottom, left:right])
