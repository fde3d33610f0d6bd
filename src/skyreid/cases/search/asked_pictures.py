"""Pictures that a case is asked with: an upload, or a frame of a source; held in memory for a while, and never stored.

What is shown of one has all faces covered that were found, and the heads of everybody who was found; what is embedded
is the picture as it was taken.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from skyreid.building.tracked_boxes import Box
from skyreid.cases.case import Case
from skyreid.cases.search.asking import CaseAsker
from skyreid.cases.source_video import LOOK_LIMITS, video_of
from skyreid.cases.sources import read_sources
from skyreid.cases.tracklets import CaseTracklet, read_tracklets_at
from skyreid.errors import NothingFoundError
from skyreid.feeding import Feeding
from skyreid.files.picture_apart import decode_apart
from skyreid.retrieval.search import Asked
from skyreid.tracklet import Frame, Platform

HELD_S = 900.0
"""A picture that nobody asked for so long is forgotten."""
MOST_HELD = 6
"""Pictures of a case in memory at once, at most 27 MB each; the one that was asked for last is the last to go."""
Pixels = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldPicture:
    """A picture to ask with."""

    words: str
    """What it is called: the name of the file, or the source and the moment."""
    pixels: Pixels
    """As it was taken; only what embeds sees it."""
    covered: Pixels
    """What may be shown."""
    people: tuple[Box, ...]
    """Who was found in it, from left to right, xyxy in its pixels."""
    known: tuple[tuple[CaseTracklet, Box], ...]
    """Tracklets of the case that are in it."""
    platform: Platform | None
    """From where it was taken; None = nobody knows."""
    has_detector: bool
    """Whether somebody looked for people; without, it is shown in coarse squares."""
    _asked: dict[tuple[str, Feeding | None, Box], Asked] = field(default_factory=dict)

    def ask(self, asker: CaseAsker, box: Box) -> Asked:
        """Embed somebody in it, once by each model that the case is asked by meanwhile.

        Raises:
            SettingError: a box that is not in the picture, or the weights of the case's model are not here.
        """
        model = asker.model()
        key = (model.asks_by, model.feeding, box)
        if key not in self._asked:
            with asker.alone:
                self._asked[key] = asker.asker(self.platform).person(self.pixels, box, self.words)
        return self._asked[key]

    def crop(self, box: Box) -> Image.Image:
        """Give what may be shown of somebody in it."""
        height, width = self.covered.shape[:2]
        left, top = max(0, min(width - 1, round(box[0]))), max(0, min(height - 1, round(box[1])))
        right, bottom = min(width, max(left + 1, round(box[2]))), min(height, max(top + 1, round(box[3])))
        return Image.fromarray(np.ascontiguousarray(self.covered[top:bottom, left:right]))


class HeldPictures:
    """The pictures of one case that are held; safe for several threads.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: OrderedDict[Hashable, tuple[float, HeldPicture]] = OrderedDict()
        self._changes = Lock()

    def upload(self, asker: CaseAsker, content: bytes, name: str, *, by: str, platform: Platform | None) -> str:
        """Take a picture; gives the token under which its owner finds it again.

        Raises:
            MissingFrameError: it is no plain picture, or too large; see `decode_apart`.
            SettingError: it can show nobody.
        """
        from skyreid.extraction.query_picture import doubt_scene, refuse_nobody  # loads PyTorch

        with asker.alone:
            pixels = decode_apart(content, name)
            refuse_nobody(pixels, name)
            is_person = doubt_scene(pixels, name) is None
            height, width = pixels.shape[:2]
            whole = [(0.0, 0.0, float(width), float(height))] if is_person else []
            held = _look(asker, pixels, name, platform=platform, otherwise=whole)
        token = secrets.token_urlsafe(24)
        self._put((by, token), held)
        return token

    def uploaded(self, token: str, *, by: str) -> HeldPicture:
        """Find a picture again.

        Raises:
            NothingFoundError: it was forgotten, or is somebody else's.
        """
        found = self._get((by, token))
        if found is None:
            raise NothingFoundError("that picture was forgotten: nothing of it was kept; send it again")
        return found

    def forget(self, token: str, *, by: str) -> None:
        """Forget a picture now."""
        with self._changes:
            self._held.pop((by, token), None)

    def frame(self, case: Case, asker: CaseAsker, source: int, at_s: float) -> HeldPicture:
        """Look into the video of a source.

        Args:
            case: whose.
            asker: what looks.
            source: its number.
            at_s: seconds after its first frame.

        Raises:
            NothingFoundError: there is no such source.
            RefusedError: its video is not where it was, or is another one.
            VideoError: it cannot be decoded.
            SettingError: it is over at that time.
        """
        from skyreid.extraction.asking import frame_at  # loads PyTorch

        told = next((one for one in read_sources(case) if one.number == source), None)
        if told is None:
            raise NothingFoundError(f"there is no source {source}")
        with video_of(case, told) as path:
            if (held := self._get((source, at_s))) is not None:
                return held
            words = f"{told.file} at {at_s:g} s"
            known = [(seen, box) for seen in read_tracklets_at(case, source, at_s) if (box := _box_at(seen, at_s))]
            with asker.alone:
                pixels = frame_at(path, at_s, limits=LOOK_LIMITS)
                held = _look(asker, pixels, words, platform=told.platform, known=known)
        self._put((source, at_s), held)
        return held

    def _put(self, key: Hashable, held: HeldPicture) -> None:
        with self._changes:
            self._held[key] = (self._clock(), held)
            self._sweep()

    def _get(self, key: Hashable) -> HeldPicture | None:
        with self._changes:
            self._sweep()
            if key not in self._held:
                return None
            held = self._held.pop(key)[1]
            self._held[key] = (self._clock(), held)
            return held

    def _sweep(self) -> None:
        now = self._clock()
        while self._held:
            key, (used, _) = next(iter(self._held.items()))
            if len(self._held) <= MOST_HELD and now - used <= HELD_S:
                return
            del self._held[key]


def _look(
    asker: CaseAsker,
    pixels: Pixels,
    words: str,
    *,
    platform: Platform | None,
    known: Sequence[tuple[CaseTracklet, Box]] = (),
    otherwise: Sequence[Box] = (),
) -> HeldPicture:
    """Find who is in a picture and cover their faces.

    Args:
        asker: what looks.
        pixels: as they were taken.
        words: what the picture is called.
        platform: that took it.
        known: who is known to be in it.
        otherwise: boxes that count where nobody else is found.
    """
    from skyreid.building.crops.whole_picture import cover_picture
    from skyreid.extraction.asking import people_in  # loads PyTorch

    eyes = asker.eyes()
    found = [] if eyes.detector is None else people_in(pixels, eyes.detector)
    found = found or list(otherwise)
    covered = pixels.copy()
    everybody = [*found, *(box for _, box in known)]
    is_looked_for = eyes.detector is not None or bool(otherwise)
    cover_picture(eyes.mask, covered, everybody if is_looked_for else None, is_aerial=platform is Platform.AERIAL)
    return HeldPicture(
        words=words,
        pixels=pixels,
        covered=covered,
        people=tuple(found),
        known=tuple(known),
        platform=platform,
        has_detector=is_looked_for,
    )


def _box_at(seen: CaseTracklet, at_s: float) -> Box | None:
    """Where somebody is at a moment, between the frames around it; None = not in the picture."""
    timed = [frame for frame in seen.tracklet.frames if frame.time_s is not None and frame.box is not None]
    before = [frame for frame in timed if _time(frame) <= at_s]
    after = [frame for frame in timed if _time(frame) >= at_s]
    if not before or not after:
        return None
    first, last = before[-1], after[0]
    assert first.box is not None and last.box is not None
    span = _time(last) - _time(first)
    share = 0.0 if span == 0 else (at_s - _time(first)) / span
    left, top, right, bottom = (a + share * (b - a) for a, b in zip(first.box, last.box, strict=True))
    return left, top, right, bottom


def _time(frame: Frame) -> float:
    assert frame.time_s is not None
    return frame.time_s
