"""What the user brings: a video, the camera that took it, and perhaps who is where in it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skyreid.errors import SourceError
from skyreid.tracklet import Platform

_KEYS = ("platform", "camera", "annotations")
_MAX_NAME = 40
"""Characters that a camera or a file gives to a folder's name, so that it stays below 255 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One video of one camera. A camera may have several."""

    path: Path
    platform: Platform
    camera: str
    """Its name; the same name in two sources is the same camera."""
    annotations: Path | None = None
    """Boxes with identity numbers in MOTChallenge format; None = find people by motion."""

    @property
    def name(self) -> str:
        """Camera and file as one name that every file system takes, such as `C1-entrance`."""
        return f"{_plain(self.camera)}-{_plain(self.path.stem)}"


def parse_source(text: str) -> Source:
    """Read `FILE,platform=ground,camera=C1,annotations=gt.txt`, as the command line takes it.

    Raises:
        SourceError: a key is unknown, missing, empty or given twice, or the platform is neither of the two.
    """
    path, *items = re.split(r",(?=\w+=)", text)
    given: dict[str, str] = {}
    for item in items:
        key, _, value = item.partition("=")
        if key not in _KEYS:
            raise SourceError(f"{text!r}: a source has the keys {', '.join(_KEYS)}; got {key!r}")
        if key in given:
            raise SourceError(f"{text!r}: {key} stands twice")
        if not value:
            raise SourceError(f"{text!r}: {key} is empty")
        given[key] = value
    if not path:
        raise SourceError(f"{text!r}: a source begins with its file, as in video.mp4,platform=ground,camera=C1")
    for key in ("platform", "camera"):
        if key not in given:
            raise SourceError(f"{text!r}: {key} is missing, as in {path},platform=ground,camera=C1")
    if given["platform"] not in tuple(Platform):
        raise SourceError(f"{text!r}: platform is {' or '.join(Platform)}; got {given['platform']!r}")
    return Source(
        path=Path(path),
        platform=Platform(given["platform"]),
        camera=given["camera"],
        annotations=Path(given["annotations"]) if "annotations" in given else None,
    )


def check_together(sources: Sequence[Source]) -> None:
    """See whether these sources can be one build.

    Raises:
        SourceError: there is none, two would have the same name, a camera is of both platforms, or a drone's
            video has no annotations.
    """
    if not sources:
        raise SourceError("a build needs at least one source")
    names: dict[str, Source] = {}
    platforms: dict[str, Platform] = {}
    for source in sources:
        twin = names.setdefault(source.name.casefold(), source)
        if twin is not source:
            raise SourceError(
                f"{source.path} and {twin.path}: videos of one camera must differ in their file names, which name "
                f"their tracklets; both give {source.name!r}"
            )
        if platforms.setdefault(source.camera, source.platform) is not source.platform:
            raise SourceError(f"{source.path}: camera {source.camera!r} cannot be on the ground and in the air")
        if source.annotations is None and source.platform is Platform.AERIAL:
            raise SourceError(
                f"{source.path}: without annotations people are found by motion, which an aerial camera hides; "
                "bring boxes in MOTChallenge format (annotations=FILE), such as a tracker of your own writes"
            )


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name)[:_MAX_NAME].strip(".") or "_"
